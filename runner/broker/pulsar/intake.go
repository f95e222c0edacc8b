package pulsar

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/functionmesh/terraform-provider-functionmesh/runner/broker/pulsar/entry"
	"github.com/functionmesh/terraform-provider-functionmesh/runner/broker/pulsar/subscription"
	"github.com/functionmesh/terraform-provider-functionmesh/runner/pipeline"
)

// Read implements pipeline.Lane. A batch takes in whole entries as long as they fit; an
// entry is cut only when it alone is too much and not acknowledged as a whole.
func (l *lane) Read(ctx context.Context, most int, maxBytes int64) (pipeline.Batch, error) {
	l.reads.Lock()
	defer l.reads.Unlock()
	if l.mine.Err() != nil {
		return pipeline.Batch{}, fmt.Errorf("read %s: %w", l.name, pipeline.ErrFenced)
	}
	b := l.fresh()
	room := room{messages: most, bytes: maxBytes}
	for {
		if l.current == nil {
			more, err := l.next(ctx, b)
			switch {
			case err != nil:
				return pipeline.Batch{}, err
			case !more:
				return b.out(), nil
			}
			continue
		}
		if len(b.messages) > 0 && !room.fits(l.current) {
			return b.out(), nil
		}
		if l.take(b, &room) {
			return b.out(), nil
		}
	}
}

// room is what a batch may still take in.
type room struct {
	messages int
	bytes    int64
}

// fits tells whether all that is left of an entry goes in.
func (r *room) fits(o *opened) bool {
	return o.progress.left <= r.messages && int64(o.delivery.Size()+o.progress.left*overhead) <= r.bytes
}

func (r *room) none() bool { return r.messages <= 0 || r.bytes <= 0 }

// overhead is about what pipeline.Message.Size adds to a message's bytes.
const overhead = 80

// manyNotes are acknowledged even while there is more to read.
const manyNotes = 256

// next opens an entry to take messages from. It waits only while b has none; more is
// false when nothing else is there.
func (l *lane) next(ctx context.Context, b *batch) (more bool, err error) {
	d, err := l.here(ctx)
	if err == nil && d == nil {
		if len(b.messages) > 0 {
			return false, nil
		}
		d, err = l.receive(ctx)
	}
	switch {
	case l.mine.Err() != nil:
		return false, fmt.Errorf("read %s: %w", l.name, pipeline.ErrFenced)
	case err != nil && ctx.Err() != nil:
		return false, context.Cause(ctx)
	case err != nil:
		return false, fmt.Errorf("read %s: %w", l.name, classed(err))
	}
	return true, l.accept(ctx, d)
}

// here is a delivery that waits, or nil.
func (l *lane) here(ctx context.Context) (*subscription.Delivery, error) {
	d, err := l.sub.TryReceive()
	if err == nil && (d == nil || len(l.notes) >= manyNotes) {
		err = l.passOver(ctx)
	}
	return d, err
}

// receive waits for a delivery, or until another instance has the partition.
func (l *lane) receive(ctx context.Context) (*subscription.Delivery, error) {
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	defer context.AfterFunc(l.mine, stop)()
	return l.sub.Receive(ctx)
}

// passOver acknowledges entries of which nothing is handed out.
func (l *lane) passOver(ctx context.Context) error {
	if len(l.notes) == 0 {
		return nil
	}
	err := l.acknowledge(ctx, l.notes)
	l.notes = l.notes[:0]
	return err
}

// accept takes a delivery in, or finds that there is nothing in it to hand out.
func (l *lane) accept(ctx context.Context, d *subscription.Delivery) error {
	if err := l.inOrder(d); err != nil || d.Incarnation == l.order.broken {
		d.Release()
		return err
	}
	if d.Err != nil {
		return l.refuse(ctx, d)
	}
	if d.Incarnation != l.incarnation {
		l.reconnected(d.Incarnation)
	}
	l.mu.Lock()
	p := l.admit(d)
	l.mu.Unlock()
	if p == nil {
		d.Release()
		return nil
	}
	l.current = l.opened(d, p)
	return nil
}

// reconnected is for the first delivery over another connection. R2: a repeat is worse than
// what a subscription loses that is moved a moment back, so with at-most-once what a broker
// may not have written down is remembered.
func (l *lane) reconnected(incarnation uint64) {
	l.incarnation = incarnation
	crashed, closed := l.crashed.Swap(false), time.Unix(0, l.closed.Load())
	if crashed || !l.once {
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.settled.forget()
	l.settled.learn(&l.lately, closed, time.Now())
}

// lost notes that the connection ended or that the broker closed the consumer. A broker
// that was lost may not have written down what it had confirmed. One that closed the
// consumer has, as far as it had begun to: what it confirmed in the last moments before it
// may deliver again. Whatever else comes again comes because somebody moved the
// subscription back, or because it was under way: that is settled from now on, maybe
// before the first delivery is read, and must be known then.
func (l *lane) lost(crashed bool) {
	l.closed.Store(time.Now().UnixNano())
	l.crashed.Store(crashed)
	if crashed || l.once {
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.settled.forget()
}

// admit decides what becomes of a delivery; nil: nothing of it is handed out.
func (l *lane) admit(d *subscription.Delivery) *progress {
	p := l.entries[d.ID]
	switch {
	case p == nil && l.settled.has(d.ID, time.Now()):
		l.notes = append(l.notes, subscription.Ack{ID: d.ID})
		return nil
	case p == nil:
		p = l.spare.newProgress()
		p.id = d.ID
		l.entries[d.ID] = p
	case p.phase == waiting, p.phase == working:
		// The connection was lost meanwhile. It is on its way here already, or its time
		// has not come.
		p.incarnation = d.Incarnation
		if p.acked {
			l.notes = append(l.notes, subscription.Ack{ID: d.ID})
		}
		return nil
	default:
		p.phase = working
		l.asks--
	}
	p.incarnation, p.count, p.batched = d.Incarnation, d.Entry.Count, d.Entry.Batched
	p.left, p.delay = p.count, 0
	return p
}

// refuse handles an entry that cannot be read.
func (l *lane) refuse(ctx context.Context, d *subscription.Delivery) error {
	defer d.Release()
	err := unreadable(l.name, d.ID, d.Err)
	if broken, ok := errors.AsType[*entry.Error](d.Err); ok && broken.Defect != entry.Marker {
		l.malformed(string(broken.Defect), 1)
	}
	switch {
	case errors.Is(d.Err, entry.Marker):
	case errors.Is(d.Err, entry.Encrypted):
		return terminal(reasonKey, "%w: give the input cryptoConfig with its keys, which Pulsar's own client decrypts with", err)
	case errors.Is(d.Err, entry.Chunked):
		return needsClient("%w", err)
	default:
		l.report(fmt.Errorf("%w: %w", ErrPassedOver, err))
	}
	return l.acknowledge(ctx, []subscription.Ack{{ID: d.ID}})
}

// take moves messages of the current entry into b until there is no more room or no more
// message; full tells which.
func (l *lane) take(b *batch, r *room) (full bool) {
	o := l.current
	from, bytes := len(b.messages), b.bytes
	for {
		taken := len(b.messages) - from
		if taken+from > 0 && r.none() && !l.uncut() {
			full = true
			break
		}
		if !o.walk.Next(&l.message) {
			l.endEntry(o)
			break
		}
		if !l.wanted(o, &l.message) {
			continue
		}
		m := b.add()
		l.fill(m, &l.message, o.delivery)
		m.Redelivery = max(m.Redelivery, int32(o.progress.attempts)) //nolint:gosec // few
		size := m.Size()
		r.messages--
		r.bytes -= size
		b.bytes += size
	}
	if o.walk.Err() != nil && l.exact {
		// R3: an entry counts as a whole.
		b.messages, b.bytes, o.skipped = b.messages[:from], bytes, o.progress.count
	}
	if taken := len(b.messages) - from; taken > 0 {
		b.parts = append(b.parts, part{opened: o, progress: o.progress, count: taken})
		o.refs++
	}
	if l.current == nil {
		l.handedOut(o)
	}
	return full
}

// uncut says that batches hold whole entries. R3: an entry counts as a whole. R7: with
// at-most-once it is acknowledged as a whole too, and nothing may be left of it to read.
func (l *lane) uncut() bool { return l.exact || l.once }

// wanted tells whether the message is to be handed out; one that is not counts as done.
func (l *lane) wanted(o *opened, m *entry.Message) bool {
	o.seen++
	if l.exact && !m.Compacted {
		return true
	}
	if m.Compacted || !o.delivery.Pending(m.Index) || !o.progress.wanted(m.Index) {
		o.skipped++
		return false
	}
	return true
}

// endEntry is for an entry whose last message was taken, or whose rest cannot be read.
func (l *lane) endEntry(o *opened) {
	l.current = nil
	if err := o.walk.Err(); err != nil {
		lost := o.progress.count - o.seen
		o.skipped += lost
		if l.exact {
			lost = o.progress.count
		}
		l.malformed(string(entry.BatchFraming), 1)
		l.report(fmt.Errorf("%w: the last %d messages: %w", ErrPassedOver, lost, unreadable(l.name, o.progress.id, err)))
	}
}

// handedOut settles the messages that were passed over, once no more are to come.
func (l *lane) handedOut(o *opened) {
	l.mu.Lock()
	defer l.mu.Unlock()
	o.ended = true
	p := o.progress
	p.need = nil
	if o.skipped > 0 && p.left > 0 {
		if p.left -= o.skipped; p.left == 0 {
			l.notes = l.finish(l.notes, p)
		}
	}
	l.giveBack(o)
}
