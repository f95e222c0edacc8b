package guard

import (
	"context"
	"errors"
	"fmt"

	"github.com/functionmesh/terraform-provider-functionmesh/runner/pipeline"
	"github.com/functionmesh/terraform-provider-functionmesh/runner/runtime/frame"
)

// LimitError means that user code passed one of its limits, or died, somewhere in a
// batch, and that the runtime has been replaced. Which message did it is not known.
type LimitError struct {
	Text   string
	Unseen bool // user code was not called
}

// Error returns the limit that was passed, as the user will read it.
func (e *LimitError) Error() string { return e.Text }

// TooLarge means that a batch of size bytes passes what one frame may hold.
func TooLarge(size int) *LimitError {
	return &LimitError{Text: fmt.Sprintf("a batch of %d bytes passes the limit of %d bytes", size, frame.DefaultMaxFrame), Unseen: true}
}

// Call runs user code on a batch, once.
type Call func(ctx context.Context, in []pipeline.Message) ([]pipeline.Result, error)

// Isolate calls and, when a limit was passed, calls again with one message at a time,
// so that the guilty message alone fails (R5). With rerun false nothing is shown to
// user code twice (R2): every message of the broken batch fails.
func Isolate(ctx context.Context, in []pipeline.Message, rerun bool, call Call) ([]pipeline.Result, error) {
	results, err := call(ctx, in)
	var limit *LimitError
	if !errors.As(err, &limit) {
		return results, err
	}
	if len(in) == 1 || !rerun && !limit.Unseen {
		return fail(len(in), limit), nil
	}
	out := make([]pipeline.Result, 0, len(in))
	for i := range in {
		one, err := call(ctx, in[i:i+1])
		switch {
		case errors.As(err, &limit):
			one = fail(1, limit)
		case err != nil:
			return nil, err
		}
		out = append(out, one...)
	}
	return out, nil
}

func fail(n int, limit *LimitError) []pipeline.Result {
	out := make([]pipeline.Result, n)
	for i := range out {
		out[i].Err = &frame.UserError{Text: limit.Text}
	}
	return out
}
