package process

import (
	"context"
	"errors"
	"fmt"
	"io"
	"sync"
	"sync/atomic"
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
	Runtime   string        // Python or Go
	File      string        // the code
	Start     frame.Start   // what user code may ask for; its secrets travel in the start frame only (R9)
	WorkDir   string        // the worker's working directory and scratch, private to the instance
	Timeout   time.Duration // of the call for one message; 0: none
	Memory    int64         // bytes of the worker and its children (Linux); 0: most of the machine's
	Processes int           // that the worker may start (Linux); 0: 512
	Rerun     bool          // a batch that broke a limit may be shown to user code again
	Log       io.Writer     // standard output and error of the worker; nil: discarded

	Records frame.LogSink                    // of user code's logger; nil: they are in Log only
	Metric  func(name string, value float64) // nil: observations are dropped
}

// Functions owns the worker.
type Functions struct {
	opts    Options
	command []string
	tail    *guard.Tail
	pool    sync.Pool // of *frame.Results
	id      atomic.Uint64
	slots   chan int     // not in use
	ended   atomic.Int64 // workers that broke
	shared  *shared      // nil: everything goes through the pipes

	mu     sync.Mutex // guards what follows
	worker *worker    // nil: none runs, the next call starts one
	deaths int        // consecutive, without an answer in between
	wait   *backoff.ExponentialBackOff
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
	o.Start.Log = o.Records != nil
	f := &Functions{opts: o, command: command, tail: guard.NewTail(o.Log), wait: newBackoff(), slots: make(chan int, slots)}
	f.release(slots)
	if f.shared, err = newShared(); err == nil {
		f.opts.Start.Shared = sharedBytes
	}
	f.worker, err = f.launch(ctx)
	if err != nil {
		f.unmap(ctx)
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
	if f.closed {
		f.mu.Unlock()
		return nil
	}
	f.closed = true
	if f.worker != nil {
		f.worker.close(ctx)
		f.worker = nil
	}
	f.mu.Unlock()
	f.tail.Flush()
	f.unmap(ctx) // after the calls that the closed worker let go
	return nil
}

// logged passes records of the logger on.
func (f *Functions) logged(payload []byte, messages func(id uint64) []pipeline.Message) error {
	records, err := frame.DecodeLogs(payload, messages)
	if err == nil {
		frame.Log(records, f.opts.Records)
	}
	return err
}

// lane is a pipeline.Function.
type lane struct {
	functions *Functions
	buf       []byte
}

// Invoke runs user code on the batch.
func (l *lane) Invoke(ctx context.Context, in []pipeline.Message) ([]pipeline.Result, error) {
	calls := 0
	return guard.Isolate(ctx, in, l.functions.opts.Rerun, func(ctx context.Context, in []pipeline.Message) ([]pipeline.Result, error) {
		calls++
		return l.call(ctx, in, calls > 1)
	})
}

// Reuse takes back the memory of results.
func (l *lane) Reuse(results []pipeline.Result) {
	if owner := frame.Owner(results); owner != nil {
		l.functions.pool.Put(owner)
	}
}

// Replaced is how many workers broke.
func (l *lane) Replaced() int64 { return l.functions.ended.Load() }

// Close leaves the worker to the other lanes.
func (l *lane) Close(context.Context) error { return nil }

// call runs one batch in the worker and replaces a worker that broke. With isolating
// set the guilty message of a batch is being looked for.
func (l *lane) call(ctx context.Context, in []pipeline.Message, isolating bool) ([]pipeline.Result, error) {
	f := l.functions
	slot, err := f.acquire(ctx)
	if err != nil {
		return nil, err
	}
	defer func() { f.slots <- slot }()
	for {
		w, err := f.ensure(ctx)
		if err != nil {
			return nil, err
		}
		r := &request{id: f.id.Add(1), messages: in, limit: f.opts.Timeout, done: make(chan struct{})}
		if err := l.encode(w, r, slot); err != nil {
			return nil, err
		}
		results, err := w.exchange(ctx, r)
		switch {
		case errors.Is(err, errLost):
			l.buf = nil // may still be on its way into a pipe that nobody reads
		case errors.Is(err, errUnsent):
			return nil, ctx.Err()
		case err != nil:
			l.buf = nil
			return nil, f.broken(ctx, w, err, isolating)
		default:
			f.worked()
			frame.Observe(results.Metrics, f.opts.Metric)
			frame.Log(results.Logs, f.opts.Records)
			return results.Results, nil
		}
	}
}

// encode makes the frame of a request, and its payload in shared memory where the
// worker sees that and it fits.
func (l *lane) encode(w *worker, r *request, slot int) error {
	dst, start := l.buf[:0], 0
	if w.shared != nil {
		place := w.shared.batch(slot)
		payload := w.codec.AppendBatch(place[:0], r.id, r.messages)
		if len(payload) <= len(place) {
			dst, start = frame.Begin(dst, frame.TypeBatchAt)
			at := frame.Place{Offset: uint32(slot * slotBytes), Length: uint32(len(payload))} //nolint:gosec // far below 4 GiB
			l.buf = frame.Finish(frame.AppendPlace(dst, at), start)
			r.frame = l.buf
			return nil
		}
	}
	dst, start = frame.Begin(dst, frame.TypeBatch)
	l.buf = frame.Finish(w.codec.AppendBatch(dst, r.id, r.messages), start)
	r.frame = l.buf
	if size := len(l.buf); size > frame.DefaultMaxFrame {
		l.buf = nil
		return guard.TooLarge(size)
	}
	return nil
}

// worked ends a row of deaths.
func (f *Functions) worked() {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.deaths > 0 {
		f.deaths = 0
		f.wait.Reset()
	}
}

// ensure starts a worker when there is none, with backoff when the last ones died.
func (f *Functions) ensure(ctx context.Context) (*worker, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	switch {
	case f.closed:
		return nil, errors.New("the worker is closed")
	case f.worker != nil && !f.worker.broken.Load():
		return f.worker, nil
	case f.worker != nil:
		f.worker.kill() // never two at once
		f.worker = nil
	}
	if f.deaths > 0 {
		timer := time.NewTimer(f.wait.NextBackOff())
		defer timer.Stop()
		select {
		case <-ctx.Done():
			return nil, ctx.Err()
		case <-timer.C:
		}
	}
	w, err := f.launch(ctx)
	if err != nil {
		f.deaths++
		// Code that was loaded once can be loaded: what hinders it now may pass.
		// So it is not passed on as the terminal error that it is at the start.
		return nil, errors.New("the worker does not start again: " + err.Error())
	}
	f.worker = w
	return w, nil
}

// broken ends a worker that cannot be used any more and says whose failure it was. A
// first death is a reason to try again; a batch that kills twice holds a message that
// kills, which Isolate then finds.
func (f *Functions) broken(ctx context.Context, w *worker, cause error, isolating bool) error {
	exit := w.end(cause)
	f.ended.Add(1)
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.worker == w {
		f.worker = nil
	}
	if ctx.Err() != nil {
		return ctx.Err()
	}
	if limit, ok := errors.AsType[*guard.LimitError](cause); ok {
		return limit
	}
	if limit := w.limit(); limit != nil {
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
