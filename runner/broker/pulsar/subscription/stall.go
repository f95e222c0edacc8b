package subscription

import (
	"errors"
	"fmt"
	"time"

	"github.com/functionmesh/terraform-provider-functionmesh/internal/wire"
	"github.com/functionmesh/terraform-provider-functionmesh/runner/broker/pulsar/conn/pulsarpb"
	"github.com/functionmesh/terraform-provider-functionmesh/runner/broker/pulsar/entry"
)

const (
	// stallAfter is how long nothing comes before the broker is asked whether it has
	// something.
	stallAfter = 10 * time.Second
	// quietest is how much longer the pauses between such questions become.
	quietest = 6
	// activationPatience is how long a broker may take to say who is active; it waits a
	// second before it does.
	activationPatience = 3 * time.Second
)

// StalledError is reported when a broker kept back entries that it had, although they were
// asked for, and the subscription begins anew for that reason. What is at the end of a
// topic and never delivered, as what an aborted transaction wrote, may look the same: for
// one newest entry it is done once.
type StalledError struct {
	Topic string
	Seen  entry.ID // the last entry that came, or that the broker counts as acknowledged
	Last  entry.ID // the newest that the broker has
}

// Error names the topic and what did not come.
func (e *StalledError) Error() string {
	return fmt.Sprintf("%s: the broker delivers nothing behind entry %s although it has entries up to %s: subscribing anew", e.Topic, e.Seen, e.Last)
}

// guard notices that a broker has forgotten an Exclusive or Failover consumer: brokers are
// known to wait for new entries in front of old ones after a partition went from one
// consumer to another, until somebody writes to the topic. It belongs to the goroutine
// that keeps the subscription connected.
type guard struct {
	least       time.Duration // between two looks
	pause       time.Duration // until the next one
	came        uint64        // entries, at the last look
	incarnation uint64        // at the last look
	suspect     bool          // the broker had something that had not come
	tried       bool          // subscribing anew has brought nothing
	last        entry.ID      // the newest entry then
}

func newGuard(least time.Duration) guard {
	if least <= 0 {
		least = stallAfter
	}
	return guard{least: least, pause: least}
}

// single tells whether one consumer at a time gets everything, in order: only then can it
// know that something is missing.
func (h *Subscription) single() bool { return h.o.Mode == wire.Exclusive || h.o.Mode == wire.Failover }

// watch waits for the end of a session, and ends one that does not get what there is. It
// tells whether it did.
func (h *Subscription) watch(s *session) (stalled bool) {
	timer := time.NewTimer(h.guard.pause)
	defer timer.Stop()
	if !h.single() {
		timer.Stop()
	}
	for {
		select {
		case <-timer.C:
			if h.look(s) {
				s.end(errAnew)
				return true
			}
			timer.Reset(h.guard.pause)
		case <-s.gone:
			if !errors.Is(s.err, errAnew) {
				h.guard.tried = false // it may be another broker, that knows better
			}
			return false
		case <-h.life.Done():
			return false
		}
	}
}

// look finds out whether the broker has something and delivers it not. The first time it
// asks for one message more, which wakes a broker that has only missed what it was asked;
// the next time it tells to begin anew.
func (h *Subscription) look(s *session) (stalled bool) {
	g := &h.guard
	came, incarnation, idle := h.idle()
	switch {
	case came != g.came:
		*g = guard{least: g.least, pause: g.least, came: came, incarnation: incarnation}
		return false
	case !idle || incarnation != g.incarnation:
		g.incarnation, g.suspect = incarnation, false
		return false
	}
	g.pause = min(2*g.pause, quietest*g.least)
	last, mark, err := s.standing()
	if err != nil {
		return false
	}
	seen, unchanged := h.seen(mark, came, incarnation)
	missing := last.Entry >= 0 && last.Compare(seen) > 0
	switch {
	case !unchanged, !missing, g.tried && last == g.last:
		g.suspect = false
		return false
	case !g.suspect:
		g.suspect = true
		if !g.tried {
			g.pause = g.least
		}
		h.nudge(s)
		return false
	}
	g.suspect, g.tried, g.last = false, true, last
	h.mu.Lock()
	h.stats.Stalls++
	h.mu.Unlock()
	h.o.Report(&StalledError{Topic: h.o.Topic, Seen: seen, Last: last})
	return true
}

// idle tells whether entries were asked for and none is here.
func (h *Subscription) idle() (came, incarnation uint64, idle bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	idle = h.session != nil && h.active && h.flow.outstanding > 0 && h.head == len(h.queue)
	return h.came, h.incarnation, idle
}

// seen is up to where everything came or is acknowledged, and whether nothing came since
// idle looked.
func (h *Subscription) seen(mark entry.ID, came, incarnation uint64) (entry.ID, bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.reached.Compare(mark) > 0 {
		mark = h.reached
	}
	return mark, h.came == came && h.incarnation == incarnation
}

// nudge asks for one message more.
func (h *Subscription) nudge(s *session) {
	h.mu.Lock()
	h.flow.outstanding++
	h.mu.Unlock()
	s.send(1)
}

// rewind has the broker forget what it reads and begin at the first entry that is not
// acknowledged. Before anything is asked for that changes nothing, but it ends a wait that
// outlives the consumer it was for.
func (h *Subscription) rewind(s *session) {
	patience := time.NewTimer(activationPatience)
	defer patience.Stop()
	for h.o.Mode == wire.Failover {
		h.mu.Lock()
		active, away, changed := h.active, s.away, h.changed
		h.mu.Unlock()
		if active {
			break
		}
		if away {
			return
		}
		select {
		case <-changed:
		case <-s.gone:
			return
		case <-patience.C:
			return
		case <-h.life.Done():
			return
		}
	}
	// Should the connection have ended, the next one begins there anyway.
	_ = s.conn.Send(s.ctx, &pulsarpb.BaseCommand{Redeliver: &pulsarpb.Redeliver{ConsumerId: &s.id}})
}
