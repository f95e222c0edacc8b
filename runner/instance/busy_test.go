package instance

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/functionmesh/terraform-provider-functionmesh/internal/wire"
)

func TestBusyProcessors(t *testing.T) {
	cases := map[string]struct {
		function *wire.Function
		lanes    []int
		want     []int
	}{
		"Connector":       {nil, []int{1, 3}, []int{1, 3}},
		"ProcessOfItsOwn": {&wire.Function{Runtime: "python"}, []int{1, 2}, []int{1, 2}},
		"InThisProcess":   {&wire.Function{Runtime: "wasm"}, []int{1, 2}, []int{2, 4}},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			var got []int
			i := &instance{file: wire.File{Function: c.function}, busy: func(n int) { got = append(got, n) }}
			for _, n := range c.lanes {
				i.lanes(n)
			}
			if d := cmp.Diff(c.want, got); d != "" {
				t.Error(d)
			}
			i.busy = nil
			i.lanes(1)
		})
	}
}

func TestProcessorsThatWereSetAreLeft(t *testing.T) {
	t.Setenv("GOMAXPROCS", "3")
	if OwnProcess() != nil {
		t.Error("GOMAXPROCS of the environment would be written over")
	}
}
