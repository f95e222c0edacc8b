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

	"github.com/functionmesh/terraform-provider-functionmesh/runner/broker/pulsar"
	"github.com/functionmesh/terraform-provider-functionmesh/runner/pipeline"
)

var errLost = errors.New("the connection was lost; whether the rest is stored is not known")

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
func (w *writing) send(ctx context.Context, l *line, m *pipeline.Message, i int) bool {
	out := &pulsario.ProducerMessage{Payload: m.Value, Key: string(m.Key), Properties: m.Stored()}
	if m.EventTime > 0 {
		out.EventTime = time.UnixMilli(m.EventTime)
	}
	w.left.Add(1)
	l.producer.SendAsync(ctx, out, func(_ pulsario.MessageID, _ *pulsario.ProducerMessage, err error) {
		defer w.done()
		if err != nil {
			w.fail(i, sendError(m.Topic, err))
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
