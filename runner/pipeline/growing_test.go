package pipeline_test

import (
	"context"
	"errors"
	"io"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/functionmesh/terraform-provider-functionmesh/runner/pipeline"
	"github.com/functionmesh/terraform-provider-functionmesh/runner/runnertest"
)

// growing is a source whose lanes come through a channel.
type growing struct {
	runnertest.MemorySource
	more chan []pipeline.Lane // closed: no more
	fail chan error
}

func (g *growing) Grown(ctx context.Context) ([]pipeline.Lane, error) {
	select {
	case lanes, ok := <-g.more:
		if !ok {
			return nil, io.EOF
		}
		return lanes, nil
	case err := <-g.fail:
		return nil, err
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// lanesUsed notes the numbers of the lanes that functions are made for.
type lanesUsed struct {
	mu      sync.Mutex
	numbers []int
}

func (l *lanesUsed) ForLane(_ context.Context, lane int) (pipeline.Function, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.numbers = append(l.numbers, lane)
	return runnertest.Each(runnertest.Echo), nil
}

func finite(topic string, values ...string) *runnertest.MemoryLane {
	l := runnertest.NewLane(topic, values...)
	l.Finite = true
	return l
}

func TestLanesThatAppearAreRead(t *testing.T) {
	f := newFixture(4)
	used := &lanesUsed{}
	f.config.Functions = used
	source := &growing{more: make(chan []pipeline.Lane, 2), fail: make(chan error, 1)}
	source.Lanes = []*runnertest.MemoryLane{f.lane}
	f.config.Source = source
	source.fail <- errTest // is retried
	source.more <- []pipeline.Lane{finite("second", "5", "6"), finite("third", "7")}
	close(source.more)
	told := []int{}
	f.config.Lanes = func(n int) { told = append(told, n) } // calls come one after the other
	f.mustRun(t)
	if len(told) != 5 || slices.Max(told) > 3 || told[4] != 0 {
		t.Errorf("lanes under way: %v, want changes up to 3 and back to none", told)
	}
	got := f.sink.Values()
	slices.Sort(got)
	same(t, "written", numbers(7), got)
	if len(used.numbers) != 3 {
		t.Errorf("functions for lanes %v", used.numbers)
	}
}

// A lane that another instance took over may come back, as a new one; its number is used
// again.
func TestR4LaneComesBack(t *testing.T) {
	f := newFixture(0)
	used := &lanesUsed{}
	f.config.Functions = used
	first := runnertest.NewLane("in", numbers(12)...)
	first.InOrder, first.FenceAt = true, 4
	source := &growing{more: make(chan []pipeline.Lane)}
	source.Lanes = []*runnertest.MemoryLane{first}
	drain := make(chan struct{})
	f.config.Source, f.config.Drain = source, drain
	again := runnertest.NewLane("in", "again")
	f.sink.Before = func(_ int, out []pipeline.Message) (int, error) {
		if string(out[0].Value) == "again" {
			close(drain)
		}
		return len(out), nil
	}
	done := make(chan error)
	go func() { done <- f.run(t) }()
	for deadline := time.Now().Add(time.Minute); len(first.Settled()) < 4 && time.Now().Before(deadline); {
		time.Sleep(time.Millisecond)
	}
	source.more <- []pipeline.Lane{again}
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	same(t, "settled", numbers(4), first.Settled())
	same(t, "settled when it was back", []string{"1"}, again.Settled())
}

// A source that can read nothing more after all lanes ended, and says so, ends the run.
func TestTerminalErrorOfGrowthEndsTheRun(t *testing.T) {
	f := newFixture(0)
	source := &growing{fail: make(chan error, 1)}
	source.Lanes = []*runnertest.MemoryLane{runnertest.NewLane("idle")}
	f.config.Source = source
	source.fail <- &pipeline.TerminalError{Reason: "TopicNotFound", Err: errTest}
	var terminal *pipeline.TerminalError
	if err := f.run(t); !errors.As(err, &terminal) || terminal.Reason != "TopicNotFound" {
		t.Errorf("got %v", err)
	}
}
