package compatible

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	pulsario "github.com/apache/pulsar-client-go/pulsar"
	"github.com/apache/pulsar-client-go/pulsar/backoff"

	"github.com/functionmesh/terraform-provider-functionmesh/internal/wire"
	"github.com/functionmesh/terraform-provider-functionmesh/runner/broker/pulsar"
	"github.com/functionmesh/terraform-provider-functionmesh/runner/broker/pulsar/conn"
	"github.com/functionmesh/terraform-provider-functionmesh/runner/pipeline"
)

var errLost = errors.New("the connection was lost; whether the rest is stored is not known")

// outlet is the producer of one topic, made at the first use.
type outlet struct {
	name    string
	opening chan struct{} // holds a token while somebody opens or closes

	producer pulsario.Producer
	turn     atomic.Uint64 // of keyless messages

	mu      sync.Mutex
	writing map[*writing]bool // under way
	lost    bool              // the connection was, and nothing may be sent again
}

// lose ends all that is under way.
func (o *outlet) lose() {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.lost = true
	for w := range o.writing {
		w.abort()
	}
}

func (o *outlet) join(w *writing) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.writing[w] = true
	if o.lost {
		w.abort()
	}
}

func (o *outlet) leave(w *writing) {
	o.mu.Lock()
	defer o.mu.Unlock()
	delete(o.writing, w)
}

func (o *outlet) open(ctx context.Context, s *Sink, c *client) error {
	select {
	case o.opening <- struct{}{}:
		defer func() { <-o.opening }()
	case <-ctx.Done():
		return context.Cause(ctx)
	}
	if o.producer != nil {
		return nil
	}
	full, err := s.full(o.name)
	if err != nil {
		return err
	}
	// The client would say "connection error" where this says why.
	n, err := c.ask.Partitions(ctx, full)
	if err == nil {
		_, err = c.ask.Connect(ctx, partitionName(full, n))
	}
	if err != nil {
		return o.refused(full, err)
	}
	options := s.producer
	options.Topic, options.MessageRouter, options.BackOffPolicyFunc = full, o.route, newPauses
	if s.options.Delivery.Guarantee == atMostOnce {
		// R2: what may be stored is not sent again.
		none := uint(0)
		options.MaxReconnectToBroker = &none
		options.BackOffPolicyFunc = func() backoff.Policy {
			o.lose()
			return newPauses()
		}
	}
	if o.producer, err = c.CreateProducer(options); err != nil {
		o.producer = nil
		return fmt.Errorf("producer on %s: %w", full, err)
	}
	return nil
}

func partitionName(topic string, partitions int) string {
	if partitions == 0 {
		return topic
	}
	return topic + partitionSuffix + "0"
}

// refused makes the refusal of a topic that a message names that message's failure.
func (o *outlet) refused(full string, err error) error {
	if _, terminal := conn.Terminal(err); terminal && o.name != "" {
		return &pipeline.MessageError{Err: fmt.Errorf("destination topic %s: %w", full, err)}
	}
	return fmt.Errorf("output topic %s: %w", full, classed(err))
}

// route is the partition by the key, else by turns, one write each.
func (o *outlet) route(m *pulsario.ProducerMessage, t pulsario.TopicMetadata) int {
	n := int(t.NumPartitions())
	switch {
	case n <= 1:
		return 0
	case m.Key != "":
		return wire.PartitionFor([]byte(m.Key), n)
	}
	return int(o.turn.Load() % uint64(n)) //nolint:gosec // positive and small
}

func (o *outlet) flush(ctx context.Context) {
	o.turn.Add(1)
	_ = o.producer.FlushWithCtx(ctx) // what failed tells it by itself
}

func (o *outlet) close() {
	o.opening <- struct{}{}
	defer func() { <-o.opening }()
	if o.producer != nil {
		o.producer.Close()
		o.producer = nil
	}
}

// writing is one write under way.
type writing struct {
	left    atomic.Int64  // receipts to come, and one until all is sent
	settled chan struct{} // closed at the last receipt
	aborted chan struct{} // closed when a connection was lost, and nothing may be sent again

	mu     sync.Mutex
	stored []bool
	failed int // the first message that failed
	err    error
	lost   bool
}

func newWriting(n int) *writing {
	w := &writing{settled: make(chan struct{}), aborted: make(chan struct{}), stored: make([]bool, n), failed: n}
	w.left.Store(1)
	return w
}

func (w *writing) fail(i int, err error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.lost && errors.Is(err, context.Canceled) {
		return // that is the abort
	}
	if i < w.failed || w.err == nil {
		w.failed, w.err = i, err
	}
}

func (w *writing) ok() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.err == nil && !w.lost
}

func (w *writing) abort() {
	w.mu.Lock()
	defer w.mu.Unlock()
	if !w.lost {
		w.lost = true
		close(w.aborted)
	}
}

func (w *writing) done() {
	if w.left.Add(-1) == 0 {
		close(w.settled)
	}
}

// until is ctx, ended also by an abort: the client waits for ever for room, and for the
// receipts, of a producer that it does not connect anew. The function it returns waits for
// its goroutine.
func (w *writing) until(ctx context.Context) (context.Context, func()) {
	c, cancel := context.WithCancel(ctx)
	var watching sync.WaitGroup
	watching.Go(func() {
		select {
		case <-w.aborted:
			cancel()
		case <-c.Done():
		}
	})
	return c, func() { cancel(); watching.Wait() }
}

// send hands one message to the client, which may wait for room. It says whether the
// next may follow.
func (w *writing) send(ctx context.Context, o *outlet, m *pipeline.Message, i int) bool {
	out := &pulsario.ProducerMessage{Payload: m.Value, Key: string(m.Key), Properties: m.Stored()}
	if m.EventTime > 0 {
		out.EventTime = time.UnixMilli(m.EventTime)
	}
	w.left.Add(1)
	o.producer.SendAsync(ctx, out, func(_ pulsario.MessageID, _ *pulsario.ProducerMessage, err error) {
		defer w.done()
		if err != nil {
			w.fail(i, sendError(o.name, err))
			return
		}
		w.mu.Lock()
		defer w.mu.Unlock()
		w.stored[i] = true
	})
	return w.ok()
}

func sendError(name string, err error) error {
	var e *pulsario.Error
	big := errors.As(err, &e) && e.Result() == pulsario.MessageTooBig
	// What is too large only with its metadata, or compressed, fails with an error that the
	// client does not export.
	if big || strings.Contains(err.Error(), "exceeds MaxMessageSize") {
		return &pipeline.MessageError{Err: fmt.Errorf("%w: %w", pulsar.ErrTooLarge, err)}
	}
	if name != "" {
		return fmt.Errorf("send to %s: %w", name, err)
	}
	return fmt.Errorf("send: %w", err)
}

// wait gives how many messages from the first on are stored.
func (w *writing) wait(ctx context.Context) (int, error) {
	w.done()
	var ended error
	select {
	case <-w.settled:
	case <-w.aborted:
		ended = errLost
	case <-ctx.Done():
		ended = context.Cause(ctx)
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	n := slices.Index(w.stored, false)
	switch {
	case n < 0:
		return len(w.stored), nil
	case w.err != nil && w.failed == n:
		return n, w.err
	case ended != nil:
		return n, ended
	}
	return n, cmp.Or(w.err, errLost)
}
