package wasm

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync/atomic"
	"time"

	"github.com/functionmesh/terraform-provider-functionmesh/runner/pipeline"
	"github.com/functionmesh/terraform-provider-functionmesh/runner/runtime/frame"
	"github.com/functionmesh/terraform-provider-functionmesh/runner/runtime/guard"
)

// patience is how long a batch may take where one call may take less. A guest tells
// nothing while it is at work: a batch that takes longer than this, and than one call
// may, is shown to it again message by message, each with the limit of its own.
const patience = 2 * time.Second

// lane is a pipeline.Function over one guest, replaced when it breaks.
type lane struct {
	functions *Functions
	guest     *guest // nil: broken, the next call makes a new one
	buf       []byte
	id        uint64
	pace      time.Duration // that one message took lately
	replaced  atomic.Int64
}

// Invoke runs the guest on the batch.
func (l *lane) Invoke(ctx context.Context, in []pipeline.Message) ([]pipeline.Result, error) {
	n := l.cut(len(in))
	if n == len(in) {
		return l.part(ctx, in)
	}
	out := make([]pipeline.Result, 0, len(in))
	for ; len(in) > 0; n = l.cut(len(in)) {
		results, err := l.part(ctx, in[:n])
		if err != nil {
			return nil, err
		}
		out = append(out, results...)
		in = in[n:]
	}
	return out, nil
}

// part runs the guest on what cut allows.
func (l *lane) part(ctx context.Context, in []pipeline.Message) ([]pipeline.Result, error) {
	f := l.functions
	if f.opts.Timeout <= 0 || len(in) == 0 {
		return guard.Isolate(ctx, in, f.opts.Rerun, l.call)
	}
	began := time.Now()
	results, err := guard.Isolate(ctx, in, f.opts.Rerun, l.call)
	l.pace = (l.pace + time.Since(began)/time.Duration(len(in))) / 2
	return results, err
}

// cut is how many of n messages are shown to the guest at once: as many as it is likely
// to do within half of the time that they have. Where nothing may be shown twice it is
// one: the limit of a message is then that of a call.
func (l *lane) cut(n int) int {
	switch limit := l.functions.opts.Timeout; {
	case limit <= 0:
		return n
	case !l.functions.opts.Rerun:
		return min(n, 1)
	case l.pace <= 0:
		return n
	default:
		return min(n, max(1, int(max(limit, patience)/2/l.pace)))
	}
}

// limit is how long a call for n messages may take.
func (l *lane) limit(n int) time.Duration {
	one := l.functions.opts.Timeout
	return min(time.Duration(n)*one, max(one, patience))
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
		limited, cancel = context.WithTimeout(ctx, l.limit(len(in)))
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
	l.replaced.Add(1)
	closeErr := g.module.Close(context.WithoutCancel(ctx))
	if ctx.Err() != nil {
		return errors.Join(ctx.Err(), closeErr)
	}
	return &guard.LimitError{Text: g.failure(cause, l.functions.opts)}
}

// Replaced is how many guests broke.
func (l *lane) Replaced() int64 { return l.replaced.Load() }

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
