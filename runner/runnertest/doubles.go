package runnertest

import (
	"bytes"
	"context"
	"errors"
	"io"
	"sync"
	"time"

	"github.com/functionmesh/terraform-provider-functionmesh/runner/pipeline"
)

// MemoryLane is a lane over a list. Unordered, it delivers a message again when told
// to, after what is left of the list.
type MemoryLane struct {
	Topic    string
	InOrder  bool
	Entries  bool // Read gives whole entries
	Finite   bool // io.EOF after the last message, else Read waits
	FenceAt  int  // Settle fails with ErrFenced from this many settled messages on; 0: never
	FailRead error
	FailAck  func(attempt int) error // nil: acknowledgements succeed

	mu      sync.Mutex
	queue   []pipeline.Message
	settled []string // ids acknowledged, in order
	delays  []time.Duration
	kept    map[pipeline.Position]pipeline.Message // not acknowledged by hand
	acks    int
	wake    chan struct{}
}

// memoryBatch is the token of a batch.
type memoryBatch struct{ messages []pipeline.Message }

// NewLane makes a lane of values.
func NewLane(topic string, values ...string) *MemoryLane {
	l := &MemoryLane{Topic: topic, wake: make(chan struct{}, 1)}
	for i, v := range values {
		l.queue = append(l.queue, pipeline.Message{Topic: topic, Position: pipeline.Numbered(int64(i + 1)), Value: []byte(v)})
	}
	return l
}

// Add puts more messages at the end.
func (l *MemoryLane) Add(more ...pipeline.Message) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.queue = append(l.queue, more...)
	l.awake()
}

// awake has a Read that waits look again.
func (l *MemoryLane) awake() {
	select {
	case l.wake <- struct{}{}:
	default:
	}
}

// Name implements pipeline.Lane.
func (l *MemoryLane) Name() string { return l.Topic }

// Ordered implements pipeline.Lane.
func (l *MemoryLane) Ordered() bool { return l.InOrder }

// Read implements pipeline.Lane.
func (l *MemoryLane) Read(ctx context.Context, most int, maxBytes int64) (pipeline.Batch, error) {
	for {
		if err := ctx.Err(); err != nil {
			return pipeline.Batch{}, err
		}
		l.mu.Lock()
		if err := l.FailRead; err != nil {
			l.FailRead = nil
			l.mu.Unlock()
			return pipeline.Batch{}, err
		}
		got := l.take(most, maxBytes)
		l.mu.Unlock()
		if len(got) > 0 {
			return pipeline.Batch{Messages: got, Token: &memoryBatch{got}}, nil
		}
		if l.Finite {
			return pipeline.Batch{}, io.EOF
		}
		select {
		case <-l.wake:
		case <-ctx.Done():
		}
	}
}

func (l *MemoryLane) take(most int, maxBytes int64) []pipeline.Message {
	n, bytes := 0, int64(0)
	for n < len(l.queue) && n < most {
		if bytes += l.queue[n].Size(); n > 0 && bytes > maxBytes {
			break
		}
		n++
	}
	for l.Entries && n > 0 && n < len(l.queue) && l.queue[n].Position.SameEntry(l.queue[n-1].Position) {
		n++
	}
	got := append([]pipeline.Message(nil), l.queue[:n]...)
	l.queue = l.queue[n:]
	return got
}

// Settle implements pipeline.Lane.
func (l *MemoryLane) Settle(_ context.Context, b pipeline.Batch, v []pipeline.Verdict) error {
	token, ok := b.Token.(*memoryBatch)
	if !ok || len(v) > len(token.messages) {
		return errors.New("not a batch of this lane")
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.FailAck != nil {
		l.acks++
		if err := l.FailAck(l.acks - 1); err != nil {
			return err
		}
	}
	if l.FenceAt > 0 && len(l.settled)+len(v) > l.FenceAt {
		return pipeline.ErrFenced
	}
	for i, verdict := range v {
		m := token.messages[i]
		switch {
		case verdict.Keep:
			l.keep(m)
		case !verdict.Redeliver:
			l.settled = append(l.settled, m.ID())
		case l.InOrder:
			return errors.New("an ordered lane cannot redeliver one message")
		default:
			l.again(m, verdict.Delay)
		}
	}
	token.messages = token.messages[len(v):]
	l.awake()
	return nil
}

// keep leaves a message to user code. The lock is held.
func (l *MemoryLane) keep(m pipeline.Message) {
	if l.kept == nil {
		l.kept = map[pipeline.Position]pipeline.Message{}
	}
	l.kept[m.Position] = m
}

// again delivers a message once more. The lock is held.
func (l *MemoryLane) again(m pipeline.Message, delay time.Duration) {
	m.Redelivery++
	l.queue = append(l.queue, m)
	l.delays = append(l.delays, delay)
}

// Settled are the ids acknowledged so far, in order.
func (l *MemoryLane) Settled() []string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return append([]string(nil), l.settled...)
}

// Delays are the pauses that were asked for with redeliveries, in order.
func (l *MemoryLane) Delays() []time.Duration {
	l.mu.Lock()
	defer l.mu.Unlock()
	return append([]time.Duration(nil), l.delays...)
}

// MemorySource is a source of lanes that are given.
type MemorySource struct {
	Lanes  []*MemoryLane
	Closed int
}

// Open implements pipeline.Source.
func (s *MemorySource) Open(context.Context) ([]pipeline.Lane, error) {
	lanes := make([]pipeline.Lane, len(s.Lanes))
	for i, l := range s.Lanes {
		lanes[i] = l
	}
	return lanes, nil
}

// Close implements pipeline.Source.
func (s *MemorySource) Close(context.Context) error { s.Closed++; return nil }

// MemorySink keeps what it is given.
type MemorySink struct {
	// Before is called with the number of the write before it; an error fails the
	// write after the first n messages. Nil: all succeed.
	Before func(write int, out []pipeline.Message) (n int, err error)

	mu     sync.Mutex
	lanes  sync.Mutex // of senders
	writes int
	kept   []pipeline.Message
	Closed int
}

// Write implements pipeline.Sink.
func (s *MemorySink) Write(_ context.Context, out []pipeline.Message) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.Closed > 0 {
		return 0, errors.New("closed")
	}
	n, err := len(out), error(nil)
	if s.Before != nil {
		if n, err = s.Before(s.writes, out); err == nil {
			n = len(out)
		}
	}
	s.writes++
	for _, m := range out[:n] {
		m.Value, m.Properties = bytes.Clone(m.Value), m.Stored()
		m.Cause, m.Forward = nil, pipeline.ForwardNothing
		s.kept = append(s.kept, m)
	}
	return n, err
}

// Close implements pipeline.Sink.
func (s *MemorySink) Close(context.Context) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.Closed++
	return nil
}

// Messages are those written so far.
func (s *MemorySink) Messages() []pipeline.Message {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]pipeline.Message(nil), s.kept...)
}

// Values are the values of Messages.
func (s *MemorySink) Values() []string {
	var out []string
	for _, m := range s.Messages() {
		out = append(out, string(m.Value))
	}
	return out
}

// Each is a function called for one message at a time; it serves every lane.
type Each func(ctx context.Context, m pipeline.Message) pipeline.Result

// ForLane implements pipeline.Functions.
func (f Each) ForLane(context.Context, int) (pipeline.Function, error) { return f, nil }

// Invoke implements pipeline.Function.
func (f Each) Invoke(ctx context.Context, in []pipeline.Message) ([]pipeline.Result, error) {
	out := make([]pipeline.Result, len(in))
	for i := range in {
		out[i] = f(ctx, in[i])
	}
	return out, nil
}

// Close implements pipeline.Function.
func (f Each) Close(context.Context) error { return nil }

// Batches is a function called for a whole batch; it serves every lane.
type Batches func(ctx context.Context, in []pipeline.Message) ([]pipeline.Result, error)

// ForLane implements pipeline.Functions.
func (f Batches) ForLane(context.Context, int) (pipeline.Function, error) { return f, nil }

// Invoke implements pipeline.Function.
func (f Batches) Invoke(ctx context.Context, in []pipeline.Message) ([]pipeline.Result, error) {
	return f(ctx, in)
}

// Close implements pipeline.Function.
func (f Batches) Close(context.Context) error { return nil }

// Echo returns each message's value.
func Echo(_ context.Context, m pipeline.Message) pipeline.Result {
	return pipeline.Result{Outputs: []pipeline.Message{{Value: m.Value}}}
}

// Counts is an Observer that adds up.
type Counts struct {
	mu                              sync.Mutex
	received, processed, deadletter int
	failures                        map[pipeline.FailureClass]int
	last                            error
}

// Received implements pipeline.Observer.
func (c *Counts) Received(n int) { c.mu.Lock(); c.received += n; c.mu.Unlock() }

// Processed implements pipeline.Observer.
func (c *Counts) Processed(n int, _ time.Duration) { c.mu.Lock(); c.processed += n; c.mu.Unlock() }

// DeadLettered implements pipeline.Observer.
func (c *Counts) DeadLettered(n int) { c.mu.Lock(); c.deadletter += n; c.mu.Unlock() }

// Failed implements pipeline.Observer.
func (c *Counts) Failed(class pipeline.FailureClass, err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.failures == nil {
		c.failures = map[pipeline.FailureClass]int{}
	}
	c.failures[class]++
	c.last = err
}

// Totals are received, processed and dead-lettered messages.
func (c *Counts) Totals() (received, processed, deadLettered int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.received, c.processed, c.deadletter
}

// Failures is how often a class was counted.
func (c *Counts) Failures(class pipeline.FailureClass) int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.failures[class]
}

// Last is the latest failure.
func (c *Counts) Last() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.last
}
