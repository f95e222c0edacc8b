package diff_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/functionmesh/terraform-provider-functionmesh/internal/diff"
	"github.com/functionmesh/terraform-provider-functionmesh/internal/spec"
)

func TestFill(t *testing.T) {
	rules := diff.Rules{"state": diff.Server, "extra": diff.Server, "inputs[*].extra": diff.Server, "output.producer.extra": diff.Server}
	extra := map[string]spec.JSON{"a": "1"}
	cases := map[string]struct {
		have, want, filled spec.Component
		owned              []string
	}{
		"Left": {
			have:   spec.Component{State: spec.StateStopped, Parallelism: new(3), Extra: extra},
			filled: spec.Component{State: spec.StateStopped, Extra: extra},
		},
		"Written": {
			have:   spec.Component{State: spec.StateStopped, Extra: extra},
			want:   spec.Component{State: spec.StateRunning, Extra: map[string]spec.JSON{"a": "2", "b": "3"}},
			filled: spec.Component{State: spec.StateRunning, Extra: map[string]spec.JSON{"a": "2", "b": "3"}},
		},
		"GivenBack": {
			have: spec.Component{State: spec.StateStopped, Extra: extra}, owned: []string{"state", "extra"},
		},
		"BelowWhatBothHave": {
			have:   spec.Component{Inputs: map[string]spec.Input{"x": {Schema: "json", Extra: extra}, "y": {Extra: extra}}},
			want:   spec.Component{Inputs: map[string]spec.Input{"x": {}}},
			filled: spec.Component{Inputs: map[string]spec.Input{"x": {Extra: extra}}},
		},
		"BelowPointers": {
			have:   spec.Component{Output: &spec.Output{Topic: "a", Producer: &spec.Producer{Compression: "lz4", Extra: extra}}},
			want:   spec.Component{Output: &spec.Output{Topic: "b"}},
			filled: spec.Component{Output: &spec.Output{Topic: "b", Producer: &spec.Producer{Extra: extra}}},
		},
		"NothingBelowPointers": {
			have: spec.Component{Output: &spec.Output{Topic: "a", Producer: &spec.Producer{Compression: "lz4"}}},
		},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			got, opts := c.want.Clone(), diff.Options{Rules: rules, Owned: c.owned}
			before := diff.Compare(c.have, c.want, opts)
			diff.Fill(c.have, &got, opts)
			if d := cmp.Diff(c.filled, got); d != "" {
				t.Errorf("filled (-want +got):\n%s", d)
			}
			if d := cmp.Diff(before, diff.Compare(c.have, got, opts)); d != "" {
				t.Errorf("filling changed the difference (-before +after):\n%s", d)
			}
		})
	}
}
