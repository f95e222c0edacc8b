package pipeline

import (
	"testing"
	"time"
)

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
				p.tell(p.size(), c.took)
			}
			if got := p.size(); got != c.want {
				t.Errorf("%d, want %d", got, c.want)
			}
			p.tell(p.size()-1, time.Millisecond)
			if got := p.size(); got != c.want {
				t.Errorf("a batch that was not full made it %d", got)
			}
			for range 9 {
				p.tell(1, time.Second)
			}
			if got := p.size(); got != c.least {
				t.Errorf("%d after slow ones, want %d", got, c.least)
			}
		})
	}
}
