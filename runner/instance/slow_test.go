package instance

import (
	"context"
	"errors"
	"log/slog"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/functionmesh/terraform-provider-functionmesh/runner/pipeline"
	"github.com/functionmesh/terraform-provider-functionmesh/runner/probe"
)

// sleeper is user code that takes its time.
type sleeper time.Duration

func (s sleeper) ForLane(context.Context, int) (pipeline.Function, error) { return s, nil }

func (s sleeper) Close(context.Context) error { return nil }

func (s sleeper) Invoke(ctx context.Context, in []pipeline.Message) ([]pipeline.Result, error) {
	select {
	case <-time.After(time.Duration(s)):
	case <-ctx.Done():
	}
	return make([]pipeline.Result, len(in)), ctx.Err()
}

func TestCallsThatRunForLongAreSeen(t *testing.T) {
	cases := map[string]struct {
		takes time.Duration
		limit int64
		want  int64
	}{
		"Quick":       {takes: slowAfter - time.Second},
		"Long":        {takes: 10 * slowAfter, want: 1},
		"LongButEnds": {takes: 10 * slowAfter, limit: 700_000},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				i := &instance{probe: probe.New(probe.Options{}), logger: slog.New(slog.DiscardHandler), calls: &inCode{}}
				i.file.Limits.CallTimeoutMs = c.limit
				f, err := i.watched(sleeper(c.takes)).ForLane(t.Context(), 0)
				if err != nil {
					t.Fatal(err)
				}
				go func() { _, _ = f.Invoke(t.Context(), make([]pipeline.Message, 3)) }()
				time.Sleep(slowAfter + time.Second) // the call is at work still, or ended
				synctest.Wait()
				s := i.probe.Status()
				if s.SystemExceptions != c.want || len(s.LatestSystem) != int(c.want) {
					t.Errorf("the status tells of %d calls, want %d: %v", s.SystemExceptions, c.want, s.LatestSystem)
				}
			})
		})
	}
}

func TestDrainSaysWhatItWaitsFor(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		type told struct {
			messages int
			grace    time.Duration
		}
		heard := make(chan told, 1)
		i := &instance{logger: slog.New(slog.DiscardHandler), calls: &inCode{}, draining: func(n int, grace time.Duration) { heard <- told{n, grace} }}
		i.file.Limits.CallTimeoutMs, i.file.Limits.GraceMs = 1, 2000
		f, err := i.watched(sleeper(time.Hour)).ForLane(t.Context(), 0)
		if err != nil {
			t.Fatal(err)
		}
		drain := make(chan struct{})
		end := i.tellOfDrain(drain)
		ctx, stop := context.WithCancelCause(t.Context())
		returned := make(chan struct{})
		go func() {
			defer close(returned)
			_, _ = f.Invoke(ctx, make([]pipeline.Message, 3)) // ends when it is cut off
		}()
		synctest.Wait()
		close(drain)
		if got := <-heard; got != (told{3, 2 * time.Second}) {
			t.Errorf("told of %+v", got)
		}
		end()
		stop(pipeline.ErrGrace)
		<-returned
		err = i.unfinished(pipeline.ErrGrace)
		if !errors.Is(err, pipeline.ErrGrace) || !strings.Contains(err.Error(), "3 of the messages in hand") {
			t.Errorf("the end of the grace period: %v", err)
		}
		if err := i.unfinished(nil); err != nil {
			t.Errorf("a drain in time: %v", err)
		}
	})
}
