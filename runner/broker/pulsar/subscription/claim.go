package subscription

import (
	"context"
	"errors"
	"fmt"

	"github.com/functionmesh/terraform-provider-functionmesh/runner/broker/pulsar/conn"
	"github.com/functionmesh/terraform-provider-functionmesh/runner/broker/pulsar/conn/pulsarpb"
)

// ErrAnother is returned by Claim when the entries came over a connection that has ended:
// they may have been delivered to another consumer since.
var ErrAnother = errors.New("the connection that brought the entries has ended")

// Claim acknowledges whole entries over the connection that brought them and over no
// other, and returns when the broker has answered. After an error nobody knows whether
// it took them.
func (h *Subscription) Claim(ctx context.Context, incarnation uint64, acks []Ack) error {
	h.mu.Lock()
	s, err := h.session, h.err
	if s != nil && h.incarnation != incarnation {
		s = nil
	}
	h.mu.Unlock()
	switch {
	case err != nil:
		return err
	case s == nil:
		return fmt.Errorf("%s: %w", h.o.Topic, ErrAnother)
	}
	for rest := acks; len(rest) > 0; {
		n := min(len(rest), idsPerFrame)
		_, err := s.request(ctx, ackCommand(s.id, pulsarpb.Ack_INDIVIDUAL, rest[:n]))
		if errors.Is(err, conn.ErrSilent) {
			continue // the connection goes on: ask again
		}
		if err != nil {
			return fmt.Errorf("%s: %w", h.o.Topic, err)
		}
		rest = rest[n:]
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	h.note(acks)
	return nil
}

// Standing is the present incarnation, whether the broker knows this consumer now, and
// whether it delivers to it.
func (h *Subscription) Standing() (incarnation uint64, connected, active bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.incarnation, h.session != nil, h.active
}

// Admit lets Receive, with Gated, hand out what comes in an incarnation, and nothing of
// any later one.
func (h *Subscription) Admit(incarnation uint64) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.admitted = incarnation
	h.wake()
}

var errAnew = errors.New("subscribing anew")

// Restart subscribes anew, unless that incarnation has ended already: everything that is
// not acknowledged comes again in order.
func (h *Subscription) Restart(incarnation uint64) {
	h.mu.Lock()
	s := h.session
	if h.incarnation != incarnation {
		s = nil
	}
	h.mu.Unlock()
	if s != nil {
		s.end(errAnew)
	}
}
