package pulsar

import (
	"github.com/functionmesh/terraform-provider-functionmesh/runner/broker/pulsar/entry"
	"github.com/functionmesh/terraform-provider-functionmesh/runner/broker/pulsar/subscription"
)

// order watches over what an ordered lane is given. With effectively_once an entry that
// comes behind a later one is lost: its outputs have lower numbers than what is stored,
// and pass for repeats.
type order struct {
	incarnation uint64
	broken      uint64   // incarnation of which nothing more is handed out
	turn        uint64   // of the next delivery
	last        entry.ID // the highest one
	floor       entry.ID // up to here seen is forgotten
	seen        spans    // of the incarnation
}

// inOrder refuses a delivery before anything of it is handed out: when it is not the next
// one that the subscription had, which then begins anew; and when it comes behind a later
// one for the first time.
func (l *lane) inOrder(d *subscription.Delivery) error {
	o := &l.order
	if !l.ordered || d.Incarnation == o.broken {
		return nil
	}
	if d.Incarnation != o.incarnation {
		*o = order{incarnation: d.Incarnation, last: entry.ID{Ledger: -1}, floor: entry.ID{Ledger: -1}, seen: o.seen[:0]}
	}
	if d.Turn != o.turn {
		o.broken = d.Incarnation
		l.report(unreadable(l.name, d.ID, errGap))
		l.restart(d.Incarnation)
		return nil
	}
	o.turn++
	if !l.exact {
		return nil
	}
	return o.place(l.name, d.ID)
}

// place notes where an entry lies. Within one incarnation a broker goes back only to what
// it delivered before.
func (o *order) place(topic string, id entry.ID) error {
	if len(o.seen) > memorySpans {
		o.floor, o.seen = o.last, o.seen[:0]
	}
	if id.Compare(o.last) < 0 && id.Compare(o.floor) > 0 && !o.seen.has(id) {
		return terminal(reasonOrder, "topic %s: entry %s came behind entry %s and not before: its outputs would pass for repeats of what is stored, so it is not read and not acknowledged; raise the epoch (functionmesh seek does), so that what is read from then on is written", topic, id, o.last)
	}
	if id.Compare(o.last) > 0 {
		o.last = id
	}
	o.seen.add(id)
	return nil
}
