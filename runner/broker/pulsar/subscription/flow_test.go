package subscription

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/functionmesh/terraform-provider-functionmesh/runner/broker/pulsar/entry"
)

func TestFlow(t *testing.T) {
	type step struct {
		arrive, bytes int64 // an entry comes
		leave, out    int64 // and one is taken
		starve        bool  // and the reader finds nothing
		want          int64
	}
	for name, c := range map[string]struct {
		flow  flow
		steps []step
	}{
		"FewUntilTheSizeIsKnown": {flow{bytes: 1 << 20}, []step{{want: firstPermits}, {want: 0}}},
		"ManySmallOnes":          {flow{bytes: 1 << 20}, []step{{want: 16}, {arrive: 1, bytes: 128, leave: 1, out: 128, want: 8192 - 15}}},
		"OneLargeOne":            {flow{bytes: 1 << 20}, []step{{want: 16}, {arrive: 1, bytes: 5 << 20, want: 0}, {leave: 1, out: 5 << 20, want: 0}}},
		"AsManyAsAskedFor":       {flow{bytes: 1 << 20, most: 10}, []step{{want: 10}, {arrive: 5, bytes: 50, leave: 5, out: 50, want: 5}}},
		"GrowsWhenItHoldsUp": {flow{bytes: 1 << 20, most: 10, elastic: true}, []step{
			{want: 10}, {arrive: 10, bytes: 100, leave: 10, out: 100, want: 10}, {starve: true, want: 10}, {arrive: 20, bytes: 200, leave: 20, out: 200, want: 20}, {starve: true, want: 20}, {starve: true, want: 0},
		}},
		"StaysForSlowReaders":  {flow{bytes: 1 << 20, most: 10, elastic: true}, []step{{want: 10}, {arrive: 10, bytes: 100, want: 0}, {leave: 5, out: 50, want: 5}, {arrive: 5, bytes: 50, want: 0}}},
		"StaysWhereNothingIs":  {flow{bytes: 1 << 20, most: 10, elastic: true}, []step{{want: 10}, {arrive: 1, bytes: 10, leave: 1, out: 10, want: 0}, {starve: true, want: 0}}},
		"StaysWhereItWasAsked": {flow{bytes: 1 << 20, most: 10}, []step{{want: 10}, {arrive: 10, bytes: 100, leave: 10, out: 100, want: 10}, {starve: true, want: 0}}},
		"Overshot":             {flow{bytes: 1 << 20, most: 100}, []step{{want: 16}, {arrive: 1000, bytes: 1000, want: 84}, {leave: 950, out: 950, want: 950}}},
	} {
		t.Run(name, func(t *testing.T) {
			f := c.flow
			for i, s := range c.steps {
				if s.arrive > 0 {
					f.arrive(s.arrive, s.bytes)
				}
				f.leave(s.leave, s.out)
				if s.starve {
					f.starve()
				}
				if got := f.grant(); got != s.want {
					t.Errorf("step %d: %d permits, want %d", i, got, s.want)
				}
			}
		})
	}
}

// Without permits left and nothing held there is always something to ask for.
func TestFlowNeverStalls(t *testing.T) {
	for _, size := range []int64{1, 100, 10_000, 5 << 20} {
		for _, each := range []int64{1, 7, 1000} {
			f := flow{bytes: 1 << 16}
			for range 3 {
				f.grant()
				if f.outstanding <= 0 {
					t.Fatalf("%d permits with entries of %d x %d bytes", f.outstanding, each, size)
				}
				for f.outstanding > 0 {
					f.arrive(each, each*size)
					f.leave(each, each*size)
				}
			}
		}
	}
}

func TestMemory(t *testing.T) {
	ack := func(ledger, number int64) Ack { return Ack{ID: entry.ID{Ledger: ledger, Entry: number}} }
	part := Ack{ID: entry.ID{Ledger: 1, Entry: 9}, Set: []int64{1}, Size: 2}
	start := time.Unix(1000, 0)
	var m memory
	m.add([]Ack{ack(1, 0), ack(1, 1), ack(1, 2), part, ack(2, 0)}, start)
	if len(m.young.runs) != 2 {
		t.Errorf("%d runs", len(m.young.runs))
	}
	want := []Ack{ack(1, 0), ack(1, 1), ack(1, 2), ack(2, 0), part}
	if diff := cmp.Diff(want, m.all()); diff != "" {
		t.Error(diff)
	}
	m.add([]Ack{ack(3, 0)}, start.Add(generationTime+1))
	if diff := cmp.Diff(append(want, ack(3, 0)), m.all()); diff != "" {
		t.Error(diff)
	}
	m.add([]Ack{ack(4, 0)}, start.Add(3*generationTime))
	if diff := cmp.Diff([]Ack{ack(3, 0), ack(4, 0)}, m.all()); diff != "" {
		t.Error(diff)
	}
	m.forget()
	if len(m.all()) != 0 {
		t.Error("not forgotten")
	}
}
