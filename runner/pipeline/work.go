package pipeline

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// errUnknown ends an at-most-once write whose fate nobody knows.
var errUnknown = errors.New("dropped: writing again could duplicate")

// lastingError is a failure that another attempt cannot change.
type lastingError struct{ err error }

func (e *lastingError) Error() string { return e.err.Error() }
func (e *lastingError) Unwrap() error { return e.err }

// work is a batch on its way.
type work struct {
	Batch
	results   []Result
	attempts  map[int]int // of messages retried in place
	processed int
	took      time.Duration
}

// nextFailed is the first message from at on whose function failed.
func (w *work) nextFailed(at int) int {
	for ; at < len(w.results); at++ {
		if w.results[at].Err != nil {
			break
		}
	}
	return at
}

// outputs collects what messages from..to made, with the message that made each.
// Failed messages have none.
func (w *work) outputs(from, to int) (out []Message, owners []int) {
	n := 0
	for i := from; i < to; i++ {
		n += len(w.results[i].Outputs)
	}
	out, owners = make([]Message, 0, n), make([]int, 0, n)
	for i := from; i < to; i++ {
		if w.results[i].Err != nil {
			continue
		}
		for _, o := range w.results[i].Outputs {
			out, owners = append(out, o), append(owners, i)
		}
	}
	return out, owners
}

func size(messages []Message) int64 {
	n := int64(0)
	for i := range messages {
		n += messages[i].Size()
	}
	return n
}

// refusal is whose failure a refused message is.
func (l *lane) refusal() FailureClass {
	if l.Functions == nil {
		return SinkFailure
	}
	return User
}

// lasting marks a failure that a connector would only repeat; a function may make
// another message the next time.
func (l *lane) lasting(err error) error {
	if l.Functions == nil {
		return &lastingError{err}
	}
	return err
}

// invokeAll fills w.results and counts every failure.
func (l *lane) invokeAll(ctx context.Context, w *work) error {
	results, took, err := l.invoke(ctx, w.Messages)
	w.took += took
	if err != nil {
		return err
	}
	w.results = results
	for i := range results {
		l.received(&w.Messages[i], &results[i])
	}
	return nil
}

// received accounts for one result and completes its outputs.
func (l *lane) received(in *Message, r *Result) {
	var lasting *lastingError
	switch {
	case r.Err == nil:
		if l.Functions == nil {
			caused(in, r.Outputs)
		} else {
			complete(in, r.Outputs, l.forward)
		}
		l.hold.count(size(r.Outputs))
	case !errors.As(r.Err, &lasting):
		l.failed(User, r.Err) // R5: counted, whatever becomes of the message
	}
}

// invoke calls the function until it has answered for every message. When the runtime
// itself fails, smaller calls find the message that makes it fail; one that alone uses
// up all retries has failed for good. At-most-once never calls twice.
func (l *lane) invoke(ctx context.Context, in []Message) ([]Result, time.Duration, error) {
	results, took := make([]Result, 0, len(in)), time.Duration(0)
	for size, attempt := len(in), 0; len(results) < len(in); {
		part := in[len(results):min(len(results)+size, len(in))]
		began := time.Now()
		got, err := l.function.Invoke(ctx, part)
		took += time.Since(began)
		if err == nil && len(got) != len(part) {
			err = fmt.Errorf("the runtime answered %d messages with %d results", len(part), len(got))
		}
		if err == nil {
			results = append(results, got...)
			size, attempt = min(2*size, len(in)), 0
			continue
		}
		if stop := l.stops(ctx, err); stop != nil {
			return nil, took, stop
		}
		l.failed(System, err)
		switch {
		case l.once:
			results = append(results, failures(part, err)...)
			continue
		case len(part) > 1:
			size = len(part) / 2
		case attempt >= l.Delivery.MaxRetries:
			results, attempt = append(results, failures(part, err)...), 0
			continue
		}
		if err := l.retry.wait(ctx, l.drained, attempt); err != nil {
			return nil, took, err
		}
		if len(part) == 1 {
			attempt++
		}
	}
	return results, took, nil
}

func failures(part []Message, err error) []Result {
	results := make([]Result, len(part))
	for i := range results {
		results[i].Err = &lastingError{err}
	}
	return results
}

// deliver writes the outputs of messages from..to and returns the first message whose
// outputs are not all durable, or to. A sink that fails is tried again: what follows
// the durable prefix waits, so order holds.
func (l *lane) deliver(ctx context.Context, w *work, from, to int) (int, error) {
	out, owners := w.outputs(from, to)
	for attempt := 0; len(out) > 0; attempt++ {
		n, err := l.Sink.Write(ctx, out)
		out, owners = out[n:], owners[n:]
		if err == nil || len(out) == 0 {
			break
		}
		if n > 0 {
			attempt = 0
		}
		var refused *MessageError
		stop := l.stops(ctx, err)
		switch {
		case stop != nil:
			return owners[0], stop
		case errors.As(err, &refused):
			w.count(from, owners[0])
			return owners[0], err
		}
		l.failed(SinkFailure, err)
		if l.once && !errors.Is(err, ErrUnsent) {
			w.count(from, owners[0])
			return owners[0], errUnknown // R2: may be stored already
		}
		if err := l.retry.wait(ctx, nil, attempt); err != nil {
			return owners[0], err
		}
	}
	w.count(from, to)
	return to, nil
}

// count counts the messages from..to that the function processed.
func (w *work) count(from, to int) {
	for i := from; i < to; i++ {
		if w.results[i].Err == nil {
			w.processed++
		}
	}
}
