package pulsar

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"sync"

	"github.com/functionmesh/terraform-provider-functionmesh/internal/wire"
	"github.com/functionmesh/terraform-provider-functionmesh/runner/broker/pulsar/entry"
	"github.com/functionmesh/terraform-provider-functionmesh/runner/broker/pulsar/publisher"
)

// origin is an input lane.
type origin struct {
	topic     string
	partition int
}

// outlet is a set of producers that one goroutine at a time uses: a sender's own, or,
// with effectively_once, those of one input lane.
type outlet struct {
	sink   *Sink
	from   origin // of an input lane
	name   string // of its producers; "": the broker names them
	routes map[string]*route
	turn   uint64
	stamp  uint64 // counts assemblies, see dest.stamp

	using sync.Mutex
	alone bool          // nothing that was sent before waits for its outcome; guarded by using
	left  chan struct{} // closed when the sender of the input lane has gone
}

// route is a topic with the producers on its partitions.
type route struct {
	topic *topic
	dests []*dest
}

// dest is one partition that is written to.
type dest struct {
	topic string
	pub   *publisher.Publisher // nil: not open
	next  uint64               // sequence id of the next entry
	limit int                  // largest message

	last   entry.ID // with effectively_once: the input entry written last,
	chunk  int      // and how many entries were made of it
	parts  int      // of them with those planned
	proved bool     // that the broker drops repeats

	stamp  uint64 // of the assembly that bucket belongs to
	bucket int
}

func (s *Sink) newOutlet() *outlet {
	return &outlet{sink: s, routes: map[string]*route{}}
}

// lane is the outlet of an input lane, for one sender at a time. R3, R4: where a lane comes
// back, what it sent before comes to its end first, and then what comes is numbered by what
// is stored.
func (s *Sink) lane(ctx context.Context, from origin) (*outlet, error) {
	for {
		s.mu.Lock()
		o := s.lanes[from]
		if o == nil {
			o = s.newOutlet()
			o.from, o.left = from, make(chan struct{})
			o.name = laneProducer(s.options.Component, from.topic, from.partition, s.options.Delivery.Epoch)
			s.lanes[from] = o
			s.mu.Unlock()
			return o, nil
		}
		s.mu.Unlock()
		select {
		case <-o.left:
		case <-ctx.Done():
			return nil, context.Cause(ctx)
		}
	}
}

// leave closes the producers of an input lane, so that another sender or instance may
// have them.
func (s *Sink) leave(ctx context.Context, o *outlet) error {
	o.using.Lock()
	err := o.close(ctx)
	o.using.Unlock()
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.lanes, o.from)
	close(o.left)
	return err
}

func (o *outlet) close(ctx context.Context) error {
	var err error
	for _, r := range o.routes {
		err = errors.Join(err, r.close(ctx))
	}
	o.routes = map[string]*route{}
	return err
}

// route is the way of a message's topic.
func (o *outlet) route(ctx context.Context, name string) (*route, error) {
	var to *topic
	var err error
	if name == "" {
		to, err = o.sink.topics.own(ctx)
	} else {
		to, err = o.sink.topics.find(ctx, name)
	}
	if err != nil {
		return nil, err
	}
	r := o.routes[name]
	if r == nil {
		r = &route{}
		o.routes[name] = r
	}
	if r.topic != to {
		return r, r.grow(ctx, to)
	}
	return r, nil
}

// grow takes another look at the topic in. A topic without partitions that has some now
// is another topic.
func (r *route) grow(ctx context.Context, to *topic) error {
	if r.topic != nil && (r.topic.partitions == 0) != (to.partitions == 0) {
		if err := r.close(ctx); err != nil {
			return err
		}
	}
	for len(r.dests) < max(to.partitions, 1) {
		r.dests = append(r.dests, &dest{topic: partitionName(to.name, to.partitions, len(r.dests)), last: entry.ID{Ledger: -1}})
	}
	r.topic = to
	return nil
}

func (r *route) close(ctx context.Context) error {
	var err error
	for _, d := range r.dests {
		if d.pub != nil {
			err = errors.Join(err, d.pub.Close(ctx))
		}
	}
	r.dests = nil
	return err
}

// ready opens the producer of a partition. What the broker refuses to a name that a
// message gave is the message's failure.
func (o *outlet) ready(ctx context.Context, d *dest, named string) error {
	if d.pub != nil {
		if d.pub.Err() == nil {
			return nil
		}
		if !o.alone {
			// R4, and R3: what went before over the producer that ended may be lost, and is
			// sent again first. Stored behind a later entry it would be taken for a repeat.
			return errAfter
		}
		_ = d.pub.Close(ctx) // it has ended, and everybody who waited was told
		d.pub = nil
	}
	ctx, cancel := context.WithTimeout(ctx, openTimeout)
	defer cancel()
	pub, err := o.sink.open(ctx, d.topic, o.name)
	if err != nil {
		return o.sink.topics.ofMessage(named, err)
	}
	d.pub, d.next, d.limit = pub, uint64(pub.LastSequence()+1), pub.MaxMessage() //nolint:gosec // -1 at least
	if o.name == "" {
		return nil
	}
	if err := o.checkStored(ctx, d); err != nil {
		_ = pub.Close(ctx)
		d.pub = nil
		return err
	}
	return nil
}

// checkStored compares what the broker has stored of a lane with the lane's input. A
// number from behind its end would have everything new dropped as a repeat.
func (o *outlet) checkStored(ctx context.Context, d *dest) error {
	last := d.pub.LastSequence()
	if last < 0 {
		d.proved = false
		return nil
	}
	d.proved = true // only a broker that judges sequence ids knows one
	if o.sink.options.InputEnd == nil {
		return nil
	}
	var end entry.ID
	var err error
	if end.Ledger, end.Entry, err = o.sink.options.InputEnd(ctx, o.from.topic, o.from.partition); err != nil {
		return fmt.Errorf("end of %s, partition %d: %w", o.from.topic, o.from.partition, err)
	}
	if have := numbered(uint64(last)); have.Compare(end) > 0 {
		return terminal(reasonPositions, "topic %s has outputs of entry %s of %s, partition %d, which ends at %s: the input was made again or moved back; raise the epoch (functionmesh seek does), so that what is read from now on is written", d.topic, have, o.from.topic, o.from.partition, end)
	}
	return nil
}

// number is the sequence id of the next entry made of an input entry.
func (d *dest) number(id entry.ID) (uint64, error) {
	if d.last != id {
		d.last, d.chunk = id, 0
	}
	n, err := sequence(id, d.chunk)
	if err == nil {
		d.chunk++
	}
	return n, err
}

// identity is what the broker's statistics show of an instance.
func identity(c wire.Component, i wire.Instance) map[string]string {
	return map[string]string{
		"application": "pulsar-" + c.Kind,
		"id":          c.Tenant + "/" + c.Namespace + "/" + c.Name,
		"instance_id": strconv.Itoa(i.ID),
	}
}
