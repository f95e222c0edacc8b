//nolint:gosec // two's complement is the protocol's encoding, and permits are bounded
package subscription

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/cenkalti/backoff/v5"

	"github.com/functionmesh/terraform-provider-functionmesh/internal/wire"
	"github.com/functionmesh/terraform-provider-functionmesh/runner/broker/pulsar/conn"
	"github.com/functionmesh/terraform-provider-functionmesh/runner/broker/pulsar/conn/pulsarpb"
	"github.com/functionmesh/terraform-provider-functionmesh/runner/broker/pulsar/entry"
)

const (
	firstPause    = 50 * time.Millisecond
	longestPause  = time.Second
	closePatience = 5 * time.Second
	// forgottenTime is how long after a lost connection a broker may still deliver what
	// was acknowledged before.
	forgottenTime = 10 * time.Second
)

// run keeps the subscription connected.
func (h *Subscription) run(s *session) {
	defer close(h.ended)
	for {
		h.attach(s)
		stalled := h.watch(s)
		if h.life.Err() != nil {
			return
		}
		h.detach(s)
		if errors.Is(s.err, errAnew) {
			s.close(h.life) // the broker still has it
		}
		next, err := h.connect(h.life, false)
		if err != nil {
			if h.life.Err() == nil {
				h.fail(err)
			}
			return
		}
		h.check(next)
		if stalled {
			h.rewind(next)
		}
		s = next
	}
}

// attach makes a session the present one: first what was acknowledged meanwhile, then
// the first permits.
func (h *Subscription) attach(s *session) {
	for {
		h.mu.Lock()
		n := len(h.waiting)
		if n == 0 {
			permits := h.begin(s)
			h.mu.Unlock()
			s.send(permits)
			return
		}
		waiting := h.waiting[:n:n]
		h.memory.add(waiting, time.Now())
		h.mu.Unlock()
		_ = s.ack(waiting) // lost with the connection they are sent again from memory
		h.mu.Lock()
		h.waiting = h.waiting[min(n, len(h.waiting)):]
		h.notify()
		h.mu.Unlock()
	}
}

// begin returns the first permits. Called with the lock.
func (h *Subscription) begin(s *session) int64 {
	h.session = s
	h.next()
	h.stats.Connects++
	h.flow.reset()
	if h.o.Mode != wire.Failover {
		h.active = true
	}
	h.notify()
	return h.grant()
}

// grant is how many permits to send now. A Failover asks for nothing before the broker
// says that it delivers to this consumer: a broker that hands over to one with permits may
// begin to wait for new entries before it goes back to those that wait. Called with the lock.
func (h *Subscription) grant() int64 {
	if h.session == nil || !h.active {
		return 0
	}
	return h.flow.grant()
}

// next begins another incarnation. Called with the lock.
func (h *Subscription) next() {
	h.incarnation++
	h.arrived, h.passedOver, h.reached = 0, 0, entry.ID{Ledger: -1, Entry: -1}
}

// detach takes a session out and drops what it brought: it comes again.
func (h *Subscription) detach(s *session) {
	s.conn.RemoveConsumer(s.id)
	s.cancel()
	h.mu.Lock()
	h.session = nil
	h.lowest, h.unsettled = nil, h.highest.Compare(h.settled) > 0
	for _, q := range h.queue[h.head:] {
		d := q.delivery
		if id := idOf(d); h.lowest == nil || id.Compare(*h.lowest) < 0 {
			h.lowest = &id
		}
		h.stats.Dropped += q.messages
		d.Release()
	}
	h.queue, h.head = h.queue[:0], 0
	h.flow.reset()
	h.forgotten = nil
	if s.lost() {
		again := h.memory.all()
		h.waiting = append(again, h.waiting...)
		h.forgotten = make(map[entry.ID]struct{}, len(again))
		for i := range again {
			if again[i].Set == nil {
				h.forgotten[again[i].ID] = struct{}{}
			}
		}
		h.forgottenUntil = time.Now().Add(forgottenTime)
	}
	h.setActive(false)
	h.notify()
	h.mu.Unlock()
	h.o.Report(&LostError{Topic: h.o.Topic, Err: s.err})
}

// connect tries until the broker accepts the consumer, refuses it for good, or patience
// or the context ends.
func (h *Subscription) connect(ctx context.Context, first bool) (*session, error) {
	pauses := backoff.NewExponentialBackOff()
	pauses.InitialInterval, pauses.MaxInterval = firstPause, longestPause
	began, create, gone := time.Now(), first && h.o.Create, false
	for {
		s, err := h.try(ctx, create)
		if err == nil {
			return s, nil
		}
		if ctx.Err() != nil {
			return nil, errors.Join(ctx.Err(), err)
		}
		if !first && missing(err) {
			err = h.gone(err, !gone)
			gone, create = true, h.o.Create
		}
		if h.final(err, time.Since(began), first) {
			return nil, err
		}
		pause := pauses.NextBackOff()
		h.o.Report(&retryError{topic: h.o.Topic, err: err, pause: pause})
		select {
		case <-time.After(pause):
		case <-ctx.Done():
			return nil, errors.Join(ctx.Err(), err)
		}
	}
}

// gone says what a deleted topic or subscription means here, the first time aloud.
func (h *Subscription) gone(err error, first bool) error {
	gone := &GoneError{Topic: h.o.Topic, Err: err}
	if !h.o.Recreate {
		return gone
	}
	if first {
		h.o.Report(gone)
	}
	return errors.Join(errAgain, err)
}

var errAgain = errors.New("waiting for it to be made again")

// missing tells that topic or subscription do not exist.
func missing(err error) bool {
	switch code(err) {
	case pulsarpb.Code_TOPIC_NOT_FOUND, pulsarpb.Code_SUBSCRIPTION_NOT_FOUND:
		return true
	default:
		return false
	}
}

func code(err error) pulsarpb.Code {
	if server, ok := errors.AsType[*conn.ServerError](err); ok {
		return server.Code
	}
	return pulsarpb.Code_UNKNOWN_ERROR
}

// final tells whether to give up. A token that ran out under a running subscription may
// be renewed in its file, so only the first refusal of it is final.
func (h *Subscription) final(err error, took time.Duration, first bool) bool {
	waits := errors.Is(err, errAgain)
	switch code(err) {
	case pulsarpb.Code_AUTHENTICATION_ERROR, pulsarpb.Code_AUTHORIZATION_ERROR:
		waits = waits || !first
	case pulsarpb.Code_SUBSCRIPTION_NOT_FOUND:
		if first {
			return true
		}
	default:
	}
	if _, terminal := conn.Terminal(err); !waits && (terminal || errors.Is(err, ErrGone)) {
		return true
	}
	return h.o.Patience > 0 && took > h.o.Patience
}

// check looks, after another connection, for signs that the subscription was moved past
// what this consumer had not acknowledged, and reports them.
func (h *Subscription) check(s *session) {
	h.mu.Lock()
	from := h.highest
	if h.lowest != nil {
		from = *h.lowest
	}
	// Behind the end of a ledger of which all is acknowledged a broker goes on in the next.
	moves := h.lowest == nil && !h.unsettled
	h.mu.Unlock()
	if !h.o.Alone && h.o.Mode != wire.Exclusive {
		return // others may have acknowledged what was held here
	}
	_, mark, err := s.standing()
	if err != nil || mark.Ledger < 0 {
		return
	}
	if from.Ledger >= 0 && from.Compare(mark) < 0 && (mark.Entry >= 0 || !moves) {
		h.o.Report(&PassedError{Topic: h.o.Topic, From: from, To: mark})
	}
}

// fail ends the subscription.
func (h *Subscription) fail(err error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.err == nil {
		h.err = err
	}
	h.wake()
	h.notify()
}

// wake lets Receive look again. Called with the lock.
func (h *Subscription) wake() {
	select {
	case h.ready <- struct{}{}:
	default:
	}
}

// notify tells whoever holds Changed. Called with the lock.
func (h *Subscription) notify() {
	close(h.changed)
	h.changed = make(chan struct{})
}

// setActive is called with the lock.
func (h *Subscription) setActive(is bool) {
	if h.active != is {
		h.active = is
		h.notify()
	}
}

func idOf(d *conn.Delivery) entry.ID {
	return entry.ID{Ledger: int64(d.Ledger), Entry: int64(d.Entry)}
}

// sorted is a map in the order of its keys.
func sorted(m map[string]string) []*pulsarpb.KeyValue {
	keys := make([]string, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	out := make([]*pulsarpb.KeyValue, len(keys))
	for i, k := range keys {
		v := m[k]
		out[i] = &pulsarpb.KeyValue{Key: &k, Value: &v}
	}
	return out
}
