package subscription

import (
	"context"
	"errors"
	"fmt"
	"math"
	"sync"
	"time"

	"github.com/functionmesh/terraform-provider-functionmesh/internal/wire"
	"github.com/functionmesh/terraform-provider-functionmesh/runner/broker/pulsar/conn/pulsarpb"
	"github.com/functionmesh/terraform-provider-functionmesh/runner/broker/pulsar/entry"
)

// Subscription is a consumer that heals itself. One goroutine calls Receive; everything
// else may be called from any.
type Subscription struct {
	o      Options
	life   context.Context // until Close
	cancel context.CancelFunc
	ended  chan struct{} // closed when the goroutine has returned
	ready  chan struct{} // holds one: Receive has something to look at

	decoder entry.Decoder // of Receive
	pool    sync.Pool     // of *Delivery
	guard   guard         // of run

	mu             sync.Mutex
	session        *session // nil: not connected
	incarnation    uint64
	admitted       uint64 // incarnation, with Gated
	arrived        uint64 // entries of the incarnation
	passedOver     uint64 // of them those that Receive did not hand out
	active         bool
	changed        chan struct{} // closed and replaced at every change
	queue          []held
	head           int // of queue
	flow           flow
	waiting        []Ack // to be sent first on the next connection
	memory         memory
	forgotten      map[entry.ID]struct{} // acknowledged before the connection was lost
	forgottenUntil time.Time
	lowest         *entry.ID // of what was held when the last connection ended
	highest        entry.ID  // handed out
	settled        entry.ID  // the highest that was acknowledged
	unsettled      bool      // highest was not acknowledged when the last connection ended
	came           uint64    // entries since Open
	reached        entry.ID  // the last that came in the incarnation
	stats          Stats
	err            error // terminal
}

// Stats count since Open.
type Stats struct {
	Entries   int64 // handed out
	Messages  int64
	Bytes     int64 // on the wire
	Malformed int64 // handed out with Err
	Dropped   int64 // messages that were held when a connection ended; they come again
	Repeats   int64 // entries that a broker delivered again although they were acknowledged, and that were not handed out again
	Connects  int64 // successful SUBSCRIBE commands
	Stalls    int64 // times that it subscribed anew because the broker kept back what it had
	Queued    int64 // bytes held now
}

// Open subscribes. It returns when the broker has accepted, or refuses for good, or ctx
// or Patience ends. Another consumer that holds the subscription is waited for.
func Open(ctx context.Context, o Options) (*Subscription, error) {
	o, err := o.withDefaults()
	if err != nil {
		return nil, err
	}
	h := &Subscription{
		o: o, ended: make(chan struct{}), ready: make(chan struct{}, 1), changed: make(chan struct{}),
		flow:    flow{most: int64(o.QueueMessages), bytes: o.QueueBytes, elastic: o.QueueGrows},
		decoder: entry.Decoder{MaxUnpacked: o.MaxUnpacked}, highest: entry.ID{Ledger: -1, Entry: -1}, settled: entry.ID{Ledger: -1, Entry: -1},
		guard: newGuard(o.StallAfter),
	}
	h.life, h.cancel = context.WithCancel(context.WithoutCancel(ctx))
	s, err := h.connect(ctx, true)
	if err == nil && o.SkipToLatest {
		s, err = h.skip(ctx, s)
	}
	if err != nil {
		h.cancel()
		return nil, fmt.Errorf("subscription %s on %s: %w", o.Name, o.Topic, err)
	}
	go h.run(s)
	return h, nil
}

// skip moves the subscription behind the newest message. The broker closes the consumer
// for that, so it returns another.
func (h *Subscription) skip(ctx context.Context, s *session) (*session, error) {
	err := s.seek(ctx, &pulsarpb.Seek{MessageId: messageID(entry.ID{Ledger: math.MaxInt64, Entry: math.MaxInt64})})
	s.close(ctx)
	if err != nil {
		return nil, fmt.Errorf("skip to latest: %w", err)
	}
	h.mu.Lock()
	h.setActive(false)
	h.mu.Unlock()
	return h.connect(ctx, true)
}

func (s *session) seek(ctx context.Context, to *pulsarpb.Seek) error {
	to.ConsumerId = &s.id
	_, err := s.conn.Request(ctx, &pulsarpb.BaseCommand{Seek: to})
	return err
}

// Receive returns the next entry, malformed ones with Err set. Its error is terminal,
// but for the one of ctx.
func (h *Subscription) Receive(ctx context.Context) (*Delivery, error) {
	for {
		d, err := h.TryReceive()
		if d != nil || err != nil {
			return d, err
		}
		select {
		case <-h.ready:
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
}

// TryReceive is Receive for what is here already; nil without an error: nothing.
func (h *Subscription) TryReceive() (*Delivery, error) {
	h.mu.Lock()
	next, incarnation, repeats := h.pop()
	if next.delivery == nil {
		h.flow.starve()
	}
	err, s, permits := h.err, h.session, h.grant()
	h.mu.Unlock()
	if s != nil && len(repeats) > 0 {
		_ = s.ack(repeats)
	}
	if s != nil {
		s.send(permits)
	}
	if next.delivery == nil {
		return nil, err
	}
	return h.deliver(next, incarnation), nil
}

// pop takes the next entry out, and those before it that are acknowledged already.
// Called with the lock.
func (h *Subscription) pop() (next held, incarnation uint64, repeats []Ack) {
	if h.o.Gated && h.admitted != h.incarnation {
		return held{}, h.incarnation, nil
	}
	for h.head < len(h.queue) {
		next = h.queue[h.head]
		h.queue[h.head] = held{}
		if h.head++; h.head*2 >= len(h.queue) {
			n := copy(h.queue, h.queue[h.head:])
			clear(h.queue[n:])
			h.queue, h.head = h.queue[:n], 0
		}
		h.flow.leave(next.messages, next.bytes)
		id := idOf(next.delivery)
		if h.repeat(id) {
			repeats = append(repeats, Ack{ID: id})
			h.stats.Repeats++
			h.passedOver++
			next.delivery.Release()
			next = held{}
			continue
		}
		next.turn -= h.passedOver
		h.stats.Entries++
		h.stats.Messages += next.messages
		h.stats.Bytes += next.bytes
		if id.Compare(h.highest) > 0 {
			h.highest = id
		}
		break
	}
	return next, h.incarnation, repeats
}

// repeat tells whether an entry was acknowledged over a connection that was lost, by a
// broker that has forgotten it. Called with the lock.
func (h *Subscription) repeat(id entry.ID) bool {
	if h.forgotten == nil {
		return false
	}
	if time.Now().After(h.forgottenUntil) {
		h.forgotten = nil
		return false
	}
	_, is := h.forgotten[id]
	return is
}

// deliver opens an entry.
func (h *Subscription) deliver(in held, incarnation uint64) *Delivery {
	d, ok := h.pool.Get().(*Delivery)
	if !ok {
		d = &Delivery{}
	}
	raw := in.delivery
	d.ID, d.Redelivery, d.AckSet = idOf(raw), int(raw.Redelivery), raw.AckSet
	d.Incarnation, d.Turn = incarnation, in.turn
	d.raw, d.home = raw, h
	d.Err = h.decoder.Decode(raw.Frame, &d.Entry)
	if d.Err != nil {
		h.mu.Lock()
		h.stats.Malformed++
		h.mu.Unlock()
	}
	return d
}

// largestKept bounds what a delivery keeps for the next one.
const largestKept = 4 << 20

func (h *Subscription) recycle(d *Delivery) {
	if d.Entry.Size() <= largestKept {
		h.pool.Put(d)
	}
}

// Active tells whether the broker delivers to this consumer: while connected always,
// but for Failover, where one consumer at a time is.
func (h *Subscription) Active() bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.active
}

// Changed is closed at the next change of Active or Incarnation, or at the end.
func (h *Subscription) Changed() <-chan struct{} {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.changed
}

// Incarnation counts connections, and of each the times that a Failover came back to it.
// It changes when deliveries may begin, not when they end: within one, everything that is
// not acknowledged is delivered in order.
func (h *Subscription) Incarnation() uint64 {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.incarnation
}

// Stats are a snapshot.
func (h *Subscription) Stats() Stats {
	h.mu.Lock()
	defer h.mu.Unlock()
	s := h.stats
	s.Queued = h.flow.held
	return s
}

// Close sends what is still to be acknowledged, closes the consumer and waits for the
// goroutine. What was delivered and not acknowledged goes to others.
func (h *Subscription) Close(ctx context.Context) error {
	err := h.settle(ctx)
	h.fail(ErrClosed)
	h.cancel()
	<-h.ended
	h.mu.Lock()
	s := h.session
	h.session = nil
	for i := range h.queue[h.head:] {
		h.queue[h.head+i].delivery.Release()
	}
	h.queue, h.head = nil, 0
	h.mu.Unlock()
	if s != nil {
		s.close(context.WithoutCancel(ctx))
	}
	return err
}

// settle waits for a connection as long as there is something to acknowledge.
func (h *Subscription) settle(ctx context.Context) error {
	for {
		h.mu.Lock()
		n, changed := len(h.waiting), h.changed
		if h.err != nil {
			n = 0
		}
		h.mu.Unlock()
		if n == 0 {
			return nil
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return fmt.Errorf("%d entries are not acknowledged and come again: %w", n, ctx.Err())
		}
	}
}

func (o Options) withDefaults() (Options, error) {
	if o.Client == nil || o.Topic == "" || o.Name == "" {
		return o, errors.New("subscription: client, topic and name are required")
	}
	if _, ok := modes[o.Mode]; !ok {
		return o, fmt.Errorf("subscription: unknown mode %q: use %s, %s, %s or %s", o.Mode, wire.Shared, wire.Failover, wire.KeyShared, wire.Exclusive)
	}
	if o.QueueBytes <= 0 {
		o.QueueBytes = 8 << 20
	}
	if o.Report == nil {
		o.Report = func(error) {}
	}
	return o, nil
}
