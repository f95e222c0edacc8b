package instance

import (
	"context"
	"log/slog"
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
				i := &instance{probe: probe.New(probe.Options{}), logger: slog.New(slog.DiscardHandler)}
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
