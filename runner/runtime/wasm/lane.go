package wasm

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/functionmesh/terraform-provider-functionmesh/runner/pipeline"
	"github.com/functionmesh/terraform-provider-functionmesh/runner/runtime/frame"
	"github.com/functionmesh/terraform-provider-functionmesh/runner/runtime/guard"
)

// patience bounds how long a batch may take before a guest that never returns is
// noticed: with a time limit, batches are cut so that n limits stay below it.
const patience = 2 * time.Second

// lane is a pipeline.Function over one guest, replaced when it breaks.
type lane struct {
	functions *Functions
	guest     *guest // nil: broken, the next call makes a new one
	buf       []byte
	id        uint64
}

// Invoke runs the guest on the batch.
func (l *lane) Invoke(ctx context.Context, in []pipeline.Message) ([]pipeline.Result, error) {
	n := l.cut(in)
	if n == len(in) {
		return guard.Isolate(ctx, in, l.functions.opts.Rerun, l.call)
	}
	out := make([]pipeline.Result, 0, len(in))
	for ; len(in) > 0; n = l.cut(in) {
		results, err := guard.Isolate(ctx, in[:n], l.functions.opts.Rerun, l.call)
		if err != nil {
			return nil, err
		}
		out = append(out, results...)
		in = in[n:]
	}
	return out, nil
}

func (l *lane) cut(in []pipeline.Message) int {
	limit := l.functions.opts.Timeout
	if limit <= 0 {
		return len(in)
	}
	if !l.functions.opts.Rerun {
		return 1
	}
	return min(len(in), max(1, int(patience/limit)))
}

// Reuse takes back the memory of results.
func (l *lane) Reuse(results []pipeline.Result) {
	if owner := frame.Owner(results); owner != nil {
		l.functions.pool.Put(owner)
	}
}

func (l *lane) call(ctx context.Context, in []pipeline.Message) ([]pipeline.Result, error) {
	f := l.functions
	if err := l.ensure(ctx); err != nil {
		return nil, err
	}
	codec := l.guest.codec
	limited, cancel := ctx, context.CancelFunc(func() {})
	if f.opts.Timeout > 0 {
		limited, cancel = context.WithTimeout(ctx, time.Duration(len(in))*f.opts.Timeout)
	}
	defer cancel()
	l.id++
	l.buf = codec.AppendBatch(l.buf[:0], l.id, in)
	if size := len(l.buf); size > frame.DefaultMaxFrame {
		l.buf = nil
		return nil, guard.TooLarge(size)
	}
	results, err := l.process(limited)
	switch {
	case err != nil && ctx.Err() != nil:
		l.guest, l.buf = nil, nil // the call may still use both
		return nil, ctx.Err()
	case err != nil:
		return nil, l.replace(ctx, err)
	}
	if err = codec.Decode(in, results); err == nil && results.ID != l.id {
		err = fmt.Errorf("answer to batch %d, want %d", results.ID, l.id)
	}
	if err != nil {
		return nil, l.replace(ctx, err)
	}
	frame.Observe(results.Metrics, f.opts.Metric)
	frame.Log(results.Logs, f.opts.Records)
	return results.Results, nil
}

// ensure makes a guest when there is none.
func (l *lane) ensure(ctx context.Context) (err error) {
	if l.guest == nil {
		l.guest, err = l.functions.newGuest(ctx)
	}
	return err
}

// process calls the guest with what is in the buffer and copies its answer out.
func (l *lane) process(ctx context.Context) (*frame.Results, error) {
	results, ok := l.functions.pool.Get().(*frame.Results)
	if !ok {
		results = &frame.Results{}
	}
	g, buf := l.guest, l.buf
	g.done = ctx.Done()
	err := l.functions.bounded(ctx, func() error {
		view, err := g.call(ctx, g.process, buf)
		if err == nil {
			copy(results.Receive(len(view)), view)
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	return results, nil
}

// replace drops a guest whose memory can no longer be trusted.
func (l *lane) replace(ctx context.Context, cause error) error {
	g := l.guest
	l.guest = nil
	closeErr := g.module.Close(context.WithoutCancel(ctx))
	if ctx.Err() != nil {
		return errors.Join(ctx.Err(), closeErr)
	}
	return &guard.LimitError{Text: g.failure(cause, l.functions.opts)}
}

// Close drops the lane's guest.
func (l *lane) Close(ctx context.Context) error {
	if l.guest == nil {
		return nil
	}
	g := l.guest
	l.guest = nil
	return g.module.Close(ctx)
}

// cutTrace separates the reason of a trap from the engine's stack trace.
func cutTrace(text string) (reason, trace string, found bool) {
	return strings.Cut(text, "\nwasm stack trace:")
}
