package process

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/functionmesh/terraform-provider-functionmesh/runner/pipeline"
	"github.com/functionmesh/terraform-provider-functionmesh/runner/runtime/frame"
	"github.com/functionmesh/terraform-provider-functionmesh/runner/runtime/guard"
)

// errLost means that the worker ended while it worked on an earlier batch: user code
// has not seen this one.
var errLost = errors.New("the worker ended before it came to the batch")

// errUnsent means that the caller gave up before anything was written.
var errUnsent = errors.New("given up before it was sent")

// slack is for progress on a busy machine.
const slack = 250 * time.Millisecond

// request is one batch on its way to the worker.
type request struct {
	id       uint64
	frame    []byte
	messages []pipeline.Message
	limit    time.Duration
	done     chan struct{} // closed when it left, whatever became of it
}

// exchange sends a batch and returns its results, not decoded. Batches are answered in
// the order of their frames, and the frame of one may be written while the worker is
// at another. After an error the worker must be ended, unless it is errLost or errUnsent.
func (w *worker) exchange(ctx context.Context, r *request) (*frame.Results, error) {
	before, written, err := w.send(ctx, r)
	if err != nil {
		return nil, err
	}
	defer w.leave(r)
	if before != nil {
		select {
		case <-before.done:
		case <-ctx.Done():
			w.broken.Store(true)
			return nil, ctx.Err()
		}
	}
	if w.broken.Load() {
		return nil, errLost
	}
	results, err := w.answer(ctx, r)
	if err != nil {
		w.broken.Store(true)
		return nil, err
	}
	if written != nil {
		<-written
	}
	return results, nil
}

// send writes the frame and returns the request before it, nil for none. What fits the
// pipe is written at once; what may have to wait is written beside the wait for the
// answer, and written says when.
func (w *worker) send(ctx context.Context, r *request) (before *request, written <-chan struct{}, err error) {
	select {
	case w.sending <- struct{}{}:
	case <-ctx.Done():
		return nil, nil, errUnsent
	}
	before, bytes := w.enter(r)
	if bytes <= w.room {
		// A pipe that breaks is noticed by whoever waits for the answer.
		_, _ = w.in.Write(r.frame)
		<-w.sending
		return before, nil, nil
	}
	done := make(chan struct{})
	w.writers.Go(func() {
		defer close(done)
		_, _ = w.in.Write(r.frame)
		<-w.sending
	})
	return before, done, nil
}

// enter adds a request to those under way and returns the one before it and the bytes
// of all.
func (w *worker) enter(r *request) (before *request, bytes int) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if n := len(w.requests); n > 0 {
		before = w.requests[n-1]
	}
	w.requests = append(w.requests, r)
	for _, q := range w.requests {
		bytes += len(q.frame)
	}
	return before, bytes
}

func (w *worker) leave(r *request) {
	w.mu.Lock()
	w.requests = slices.DeleteFunc(w.requests, func(q *request) bool { return q == r })
	w.mu.Unlock()
	close(r.done)
}

// messagesOf are the messages of a batch under way, nil for any other.
func (w *worker) messagesOf(id uint64) []pipeline.Message {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, r := range w.requests {
		if r.id == id {
			return r.messages
		}
	}
	return nil
}

// answer waits for the results within the time limit: of one message since the last
// progress, or of all together where user code takes whole batches.
func (w *worker) answer(ctx context.Context, r *request) (*frame.Results, error) {
	if r.limit <= 0 {
		return w.await(ctx, r, nil)
	}
	limit := r.limit + r.limit/4 + slack
	if w.batch {
		limit = time.Duration(len(r.messages))*r.limit + slack
	}
	timer := time.NewTimer(limit)
	defer timer.Stop()
	for {
		results, err := w.await(ctx, r, timer.C)
		left := time.Duration(0)
		if m := w.moved.Load(); errors.Is(err, errExpired) && m != nil && m.id == r.id && !w.batch {
			left = time.Until(m.at.Add(limit))
		}
		switch {
		case !errors.Is(err, errExpired):
			return results, err
		case left <= 0:
			return nil, &guard.LimitError{Text: fmt.Sprintf("call exceeded timeout_ms = %d", r.limit.Milliseconds())}
		}
		timer.Reset(left)
	}
}

// errExpired is between await and answer: time to look at the progress.
var errExpired = errors.New("expired")

func (w *worker) await(ctx context.Context, r *request, expired <-chan time.Time) (*frame.Results, error) {
	select {
	case <-ctx.Done():
		return nil, ctx.Err()
	case <-expired:
		return nil, errExpired
	case got, ok := <-w.frames:
		switch {
		case !ok:
			return nil, errGone
		case got.err != nil:
			return nil, got.err
		case got.kind != frame.TypeResults:
			return nil, fmt.Errorf("%w: type %d during a batch", frame.ErrMalformed, got.kind)
		}
		return got.results, w.decode(r, got.results)
	}
}

// decode reads the results where they were received.
func (w *worker) decode(r *request, results *frame.Results) error {
	if err := w.codec.Decode(r.messages, results); err != nil {
		return err
	}
	if results.ID != r.id {
		return fmt.Errorf("%w: answer to batch %d, want %d", frame.ErrMalformed, results.ID, r.id)
	}
	return nil
}
