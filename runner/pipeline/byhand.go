package pipeline

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"time"
)

const (
	// maxUnacknowledged is how many messages of one lane user code may leave without an
	// acknowledgement; it is what a Pulsar allows one consumer.
	maxUnacknowledged = 50_000
	// handPause is how often a lane that waits for acknowledgements looks for them.
	handPause = 100 * time.Millisecond
	// handReport is how often it says so.
	handReport = time.Minute
)

// hands are the lanes that user code acknowledges by itself. One worker may serve
// several lanes, so an acknowledgement may arrive at another lane than its message.
type hands struct {
	mu   sync.Mutex
	open []*hand
}

// hand is one of them.
type hand struct {
	lane  ByHand
	seen  map[origin]bool // where messages of the lane come from
	last  origin
	taken int // batches read
	ended int // of them those brought to their end, in order
	late  []late
}

// late is what was said, with a batch of another lane, of messages that the lane may
// not have settled yet.
type late struct {
	acks   []Ack
	behind int // batches: one of those that were taken has the messages
}

// origin is one partition.
type origin struct {
	topic     string
	partition int
}

// add makes a lane known.
func (h *hands) add(source Lane) (*hand, error) {
	by, ok := source.(ByHand)
	if !ok {
		return nil, &TerminalError{Reason: "InvalidConfig", Err: fmt.Errorf(
			"delivery.guarantee: %s cannot be acknowledged by user code (guarantee manual); use atleast_once", source.Name())}
	}
	made := &hand{lane: by, seen: map[origin]bool{}}
	h.mu.Lock()
	defer h.mu.Unlock()
	h.open = append(h.open, made)
	return made, nil
}

func (h *hands) remove(gone *hand) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.open = slices.DeleteFunc(h.open, func(o *hand) bool { return o == gone })
}

// learn notes that a batch is under way, and where the messages of its lane come from.
func (h *hands) learn(to *hand, in []Message) {
	h.mu.Lock()
	to.taken++
	h.mu.Unlock()
	for i := range in {
		from := origin{in[i].Topic, in[i].Partition}
		if from == to.last {
			continue
		}
		h.mu.Lock()
		to.seen[from] = true
		h.mu.Unlock()
		to.last = from
	}
}

// find is the lane of a partition, nil when none here reads it any more.
func (h *hands) find(from origin) *hand {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, o := range h.open {
		if o.seen[from] {
			return o
		}
	}
	return nil
}

// unacknowledged is how many messages of all lanes wait for user code.
func (h *hands) unacknowledged() int {
	h.mu.Lock()
	defer h.mu.Unlock()
	n := 0
	for _, o := range h.open {
		n += o.lane.Unacknowledged()
	}
	return n
}

// defers keeps what another lane was told until the lane has settled what is under way;
// false: nothing is.
func (h *hands) defers(to *hand, acks []Ack) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	if to.taken == to.ended {
		return false
	}
	to.late = append(to.late, late{acks: slices.Clone(acks), behind: to.taken})
	return true
}

// due ends a batch of the lane, and is what was waiting for that.
func (h *hands) due(of *hand) (acks []Ack) {
	h.mu.Lock()
	defer h.mu.Unlock()
	of.ended++
	n := 0
	for ; n < len(of.late) && of.late[n].behind <= of.ended; n++ {
		acks = append(acks, of.late[n].acks...)
	}
	of.late = slices.Delete(of.late, 0, n)
	return acks
}

// acknowledged says whether user code decided over m itself.
func acknowledged(acks []Ack, m *Message) bool {
	return slices.ContainsFunc(acks, func(a Ack) bool {
		return a.Position == m.Position && a.Partition == m.Partition && a.Topic == m.Topic
	})
}

// spell makes the Ack of a message itself one among the others: it counts, whatever
// becomes of a result that failed.
func (l *lane) spell(w *work, in *Message, r *Result) {
	if r.Done && l.hand != nil {
		w.acks = append(w.acks, Ack{Topic: in.Topic, Partition: in.Partition, Position: in.Position})
	}
	r.Done = false
}

// byHand ends a batch whose messages are settled, and carries out what user code decided.
func (l *lane) byHand(ctx context.Context, w *work) error {
	if l.hand == nil {
		return nil
	}
	w.acks = append(w.acks, l.hands.due(l.hand)...)
	if err := l.acknowledge(ctx, w.acks); err != nil {
		return err
	}
	return l.forgotten()
}

// forgotten ends the instance when nobody is left who could acknowledge what is open.
func (l *lane) forgotten() error {
	user, ok := l.function.(Replacing)
	if !ok {
		return nil
	}
	if n := user.Replaced(); n != l.replaced {
		l.replaced = n
		if l.hands.unacknowledged() > 0 {
			return ErrForgotten
		}
	}
	return nil
}

// acknowledge carries out what user code decided, for each partition at once.
func (l *lane) acknowledge(ctx context.Context, acks []Ack) error {
	for len(acks) > 0 {
		from := origin{acks[0].Topic, acks[0].Partition}
		n := 1
		for n < len(acks) && acks[n].Partition == from.partition && acks[n].Topic == from.topic {
			n++
		}
		if to := l.hands.find(from); to != nil && (to == l.hand || !l.hands.defers(to, acks[:n])) {
			if err := l.settleByHand(ctx, to.lane, acks[:n]); err != nil {
				return err
			}
		}
		acks = acks[n:]
	}
	return nil
}

func (l *lane) settleByHand(ctx context.Context, to ByHand, acks []Ack) error {
	for attempt := 0; ; attempt++ {
		err := to.Acknowledge(ctx, acks)
		if err == nil {
			return nil
		}
		if stop := l.stops(ctx, err); stop != nil {
			return stop
		}
		l.failed(System, err)
		if err := l.retry.wait(ctx, l.drained, attempt); err != nil {
			return err
		}
	}
}

// room waits while user code has left too much without an acknowledgement: R6, what is
// kept for them must not grow for ever.
func (h *hand) room(ctx context.Context, l *lane) error {
	if h == nil || h.lane.Unacknowledged() < maxUnacknowledged {
		return nil
	}
	tick := time.NewTicker(handPause)
	defer tick.Stop()
	for reported := (time.Time{}); h.lane.Unacknowledged() >= maxUnacknowledged; {
		if time.Since(reported) > handReport {
			reported = time.Now()
			l.failed(System, fmt.Errorf("user code has left %d messages without an acknowledgement; nothing more is read until it acknowledges some", h.lane.Unacknowledged()))
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
	return nil
}
