package process

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"sync"
	"time"

	"github.com/cenkalti/backoff/v5"

	"github.com/functionmesh/terraform-provider-functionmesh/runner/pipeline"
	"github.com/functionmesh/terraform-provider-functionmesh/runner/runtime/frame"
	"github.com/functionmesh/terraform-provider-functionmesh/runner/runtime/guard"
)

// The runtimes that run as processes.
const (
	Python = "python"
	Go     = "go"
)

// Options say what runs and within which bounds.
type Options struct {
	Runtime string        // Python or Go
	File    string        // the code
	Start   frame.Start   // what user code may ask for; its secrets travel in the start frame only (R9)
	WorkDir string        // the worker's working directory and scratch, private to the instance
	Timeout time.Duration // of the call for one message; 0: none
	Rerun   bool          // a batch that broke a limit may be shown to user code again
	Log     io.Writer     // standard output and error of the worker; nil: discarded

	Metric func(name string, value float64) // nil: observations are dropped
}

// Functions owns the worker.
type Functions struct {
	opts    Options
	command []string
	start   []byte
	tail    *guard.Tail

	mu     sync.Mutex // one batch at a time
	worker *worker    // nil: none runs, the next call starts one
	deaths int        // consecutive, without an answer in between
	wait   *backoff.ExponentialBackOff
	id     uint64
	closed bool
}

// New starts the worker, so that code which cannot be loaded is known now: then the
// error is a *pipeline.TerminalError.
func New(ctx context.Context, o Options) (*Functions, error) {
	if o.Log == nil {
		o.Log = io.Discard
	}
	command, err := command(&o)
	if err != nil {
		return nil, err
	}
	o.Start.File = o.File
	o.Start.Limits = frame.Limits{CallTimeoutMs: o.Timeout.Milliseconds(), MaxFrameBytes: frame.DefaultMaxFrame}
	start, err := json.Marshal(o.Start)
	if err != nil {
		return nil, fmt.Errorf("start frame: %w", err)
	}
	f := &Functions{opts: o, command: command, start: start, tail: guard.NewTail(o.Log), wait: newBackoff()}
	f.worker, err = f.launch(ctx)
	if err != nil {
		return nil, err
	}
	return f, nil
}

func newBackoff() *backoff.ExponentialBackOff {
	b := backoff.NewExponentialBackOff()
	b.InitialInterval, b.MaxInterval, b.Multiplier = 50*time.Millisecond, 10*time.Second, 2
	return b
}

// ForLane returns the function for a lane; all lanes share the worker.
func (f *Functions) ForLane(context.Context, int) (pipeline.Function, error) {
	return &lane{functions: f}, nil
}

// Close asks the worker to end and ends it when ctx ends first.
func (f *Functions) Close(ctx context.Context) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.closed = true
	if f.worker != nil {
		f.worker.close(ctx)
		f.worker = nil
	}
	return nil
}

// lane is a pipeline.Function; it holds nothing of its own.
type lane struct{ functions *Functions }

// Invoke runs user code on the batch.
func (l *lane) Invoke(ctx context.Context, in []pipeline.Message) ([]pipeline.Result, error) {
	f := l.functions
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.closed {
		return nil, errors.New("the worker is closed")
	}
	calls := 0
	return guard.Isolate(ctx, in, f.opts.Rerun, func(ctx context.Context, in []pipeline.Message) ([]pipeline.Result, error) {
		calls++
		return f.call(ctx, in, calls > 1)
	})
}

// Close leaves the worker to the other lanes.
func (l *lane) Close(context.Context) error { return nil }

// call runs one batch in the worker and replaces a worker that broke. With isolating
// set the guilty message of a batch is being looked for.
func (f *Functions) call(ctx context.Context, in []pipeline.Message, isolating bool) ([]pipeline.Result, error) {
	if size := frame.BatchSize(in); size > frame.DefaultMaxFrame {
		return nil, &guard.LimitError{Text: fmt.Sprintf("a message of %d bytes passes the limit of %d bytes for a batch", size, frame.DefaultMaxFrame)}
	}
	if err := f.ensure(ctx); err != nil {
		return nil, err
	}
	f.id++
	payload, err := f.worker.exchange(ctx, request{id: f.id, messages: in, limit: f.opts.Timeout})
	var results frame.Results
	if err == nil {
		results, err = frame.DecodeResults(payload, in)
	}
	if err == nil && results.ID != f.id {
		err = fmt.Errorf("%w: answer to batch %d, want %d", frame.ErrMalformed, results.ID, f.id)
	}
	if err != nil {
		return nil, f.broken(ctx, err, isolating)
	}
	f.deaths = 0
	f.wait.Reset()
	frame.Observe(results.Metrics, f.opts.Metric)
	return results.Results, nil
}

// ensure starts a worker when there is none, with backoff when the last ones died.
func (f *Functions) ensure(ctx context.Context) error {
	if f.worker != nil {
		return nil
	}
	if f.deaths > 0 {
		timer := time.NewTimer(f.wait.NextBackOff())
		defer timer.Stop()
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-timer.C:
		}
	}
	w, err := f.launch(ctx)
	if err != nil {
		f.deaths++
		// Code that was loaded once can be loaded: what hinders it now may pass.
		// So it is not passed on as the terminal error that it is at the start.
		return errors.New("the worker does not start again: " + err.Error())
	}
	f.worker = w
	return nil
}

// broken ends a worker that cannot be used any more and says whose failure it was. A
// first death is a reason to try again; a batch that kills twice holds a message that
// kills, which Isolate then finds.
func (f *Functions) broken(ctx context.Context, cause error, isolating bool) error {
	exit := f.worker.end(cause)
	f.worker = nil
	if ctx.Err() != nil {
		return ctx.Err()
	}
	if limit, ok := errors.AsType[*guard.LimitError](cause); ok {
		return limit
	}
	if errors.Is(cause, frame.ErrTooLarge) {
		return &guard.LimitError{Text: "results of a batch: " + cause.Error()}
	}
	f.deaths++
	text := fmt.Sprintf("the worker died: %s", describe(cause, exit, f.tail))
	if f.deaths > 1 || isolating || !f.opts.Rerun {
		return &guard.LimitError{Text: text}
	}
	return errors.New(text)
}
