package instance

import (
	"context"
	"fmt"
	"time"

	"github.com/functionmesh/terraform-provider-functionmesh/runner/pipeline"
)

// slowAfter is when a call without a time limit is reported: it may be a loop.
const slowAfter = time.Minute

// slowCalls reports calls of user code that run for long. It ends none of them: what
// it cannot know is whether they would return.
type slowCalls struct {
	pipeline.Functions
	report func(error)
}

// ForLane watches the lane's calls.
func (s *slowCalls) ForLane(ctx context.Context, lane int) (pipeline.Function, error) {
	f, err := s.Functions.ForLane(ctx, lane)
	if err != nil {
		return nil, err
	}
	return &slowCall{Function: f, report: s.report}, nil
}

type slowCall struct {
	pipeline.Function
	report func(error)
}

// Reuse gives results back to a runtime that uses their memory again.
func (s *slowCall) Reuse(results []pipeline.Result) {
	if r, ok := s.Function.(pipeline.Reuser); ok {
		r.Reuse(results)
	}
}

// Invoke runs user code and reports it, once, when it takes long.
func (s *slowCall) Invoke(ctx context.Context, in []pipeline.Message) ([]pipeline.Result, error) {
	timer := time.AfterFunc(slowAfter, func() {
		s.report(fmt.Errorf("a call of user code with %d messages has been running for %s; set timeout_ms to end calls that do not return", len(in), slowAfter))
	})
	defer timer.Stop()
	return s.Function.Invoke(ctx, in)
}
