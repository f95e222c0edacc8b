package instance

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/functionmesh/terraform-provider-functionmesh/runner/pipeline"
)

// slowAfter is when a call without a time limit is reported: it may be a loop.
const slowAfter = time.Minute

// slowCalls counts the messages that user code is at work on and reports calls that run
// for long. It ends none of them: what it cannot know is whether they would return.
type slowCalls struct {
	pipeline.Functions
	report func(error) // nil: something else bounds them
	calls  *inCode
}

// inCode are the messages that user code has in hand, and those that it still had when
// the grace period ended.
type inCode struct{ now, cut atomic.Int64 }

// ForLane watches the lane's calls.
func (s *slowCalls) ForLane(ctx context.Context, lane int) (pipeline.Function, error) {
	f, err := s.Functions.ForLane(ctx, lane)
	if err != nil {
		return nil, err
	}
	return &slowCall{Function: f, of: s}, nil
}

type slowCall struct {
	pipeline.Function
	of *slowCalls
}

// Reuse gives results back to a runtime that uses their memory again.
func (s *slowCall) Reuse(results []pipeline.Result) {
	if r, ok := s.Function.(pipeline.Reuser); ok {
		r.Reuse(results)
	}
}

// Replaced tells of a runtime whose user code may begin anew.
func (s *slowCall) Replaced() int64 {
	if r, ok := s.Function.(pipeline.Replacing); ok {
		return r.Replaced()
	}
	return 0
}

// Invoke runs user code and reports it, once, when it takes long.
func (s *slowCall) Invoke(ctx context.Context, in []pipeline.Message) ([]pipeline.Result, error) {
	n := int64(len(in))
	s.of.calls.now.Add(n)
	defer s.of.calls.now.Add(-n)
	if s.of.report != nil {
		timer := time.AfterFunc(slowAfter, func() {
			s.of.report(fmt.Errorf("a call of user code with %d messages has been running for %s; set timeout_ms to end calls that do not return", n, slowAfter))
		})
		defer timer.Stop()
	}
	out, err := s.Function.Invoke(ctx, in)
	if err != nil && errors.Is(context.Cause(ctx), pipeline.ErrGrace) {
		s.of.calls.cut.Add(n)
	}
	return out, err
}

// tellOfDrain says once that the instance drains, with how much user code has in hand,
// when it is ordered to. The returned function ends the wait for that.
func (i *instance) tellOfDrain(drain <-chan struct{}) (end func()) {
	ended, over := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(ended)
		select {
		case <-drain:
			grace := time.Duration(i.file.Limits.GraceMs) * time.Millisecond
			if i.draining == nil {
				i.logger.Info("draining", "component", i.name(), "instance", i.file.Instance.ID, "in_user_code", i.calls.now.Load(), "grace", grace)
				return
			}
			i.draining(int(i.calls.now.Load()), grace)
		case <-over:
		}
	}()
	return func() {
		close(over)
		<-ended
	}
}

// unfinished adds to the end of the grace period what it was not enough for.
func (i *instance) unfinished(err error) error {
	if n := i.calls.cut.Load(); n > 0 && errors.Is(err, pipeline.ErrGrace) {
		return fmt.Errorf("%w of %s: user code had not returned, with %d of the messages in hand, which are not acknowledged; timeout_ms ends calls that do not return",
			err, time.Duration(i.file.Limits.GraceMs)*time.Millisecond, n)
	}
	return err
}
