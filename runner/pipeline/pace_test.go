package pipeline

import (
	"context"
	"errors"
	"testing"
	"time"
)

// broken is a runtime that fails at once, or has every message of a batch fail with it.
type broken struct{ hidden bool }

func (f broken) Invoke(_ context.Context, in []Message) ([]Result, error) {
	err := errors.New("dead")
	if !f.hidden {
		return nil, err
	}
	out := make([]Result, len(in))
	for i := range out {
		out[i].Err = err
	}
	return out, nil
}

func (f broken) Close(context.Context) error { return nil }

// What a runtime fails with is lost with at-most-once: it is no reason to claim more.
func TestPaceOfARuntimeThatFails(t *testing.T) {
	for name, f := range map[string]broken{"Told": {}, "Hidden": {hidden: true}} {
		t.Run(name, func(t *testing.T) {
			r := &run{Config: Config{}.withDefaults()}
			l := &lane{run: r, source: named{}, function: f, once: true, pace: newPace(10, 40)}
			for range 3 {
				w := l.newWork()
				w.Messages = make([]Message, l.pace.size())
				if err := l.invokeAll(t.Context(), w); err != nil {
					t.Fatal(err)
				}
			}
			if got := l.pace.size(); got != 10 {
				t.Errorf("%d, want 10", got)
			}
		})
	}
}

type named struct{ Lane }

func (named) Name() string { return "lane" }

func TestPace(t *testing.T) {
	cases := map[string]struct {
		least, most int
		batches     int // full ones, each of which takes so long
		took        time.Duration
		want        int
	}{
		"Begins":        {1000, 4000, 0, 0, 1000},
		"QuickGrows":    {1000, 4000, 1, time.Millisecond, 2000},
		"ToItsMost":     {1000, 4000, 9, time.Millisecond, 4000},
		"OddMost":       {1000, 2500, 9, time.Millisecond, 2500},
		"FairStays":     {1000, 4000, 9, 20 * time.Millisecond, 1000},
		"SlowStays":     {1000, 4000, 9, time.Minute, 1000},
		"NothingToGain": {10, 0, 9, time.Millisecond, 10},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			p := newPace(c.least, c.most)
			for range c.batches {
				p.tell(p.size(), 0, c.took)
			}
			if got := p.size(); got != c.want {
				t.Errorf("%d, want %d", got, c.want)
			}
			p.tell(p.size()-1, 0, time.Millisecond)
			if got := p.size(); got != c.want {
				t.Errorf("a batch that was not full made it %d", got)
			}
			for range 9 {
				p.tell(1, 0, time.Second)
			}
			if got := p.size(); got != c.least {
				t.Errorf("%d after slow ones, want %d", got, c.least)
			}
		})
	}
}
