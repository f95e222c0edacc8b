//go:build linux || darwin

package platform_test

import (
	"errors"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/functionmesh/terraform-provider-functionmesh/internal/engine"
	"github.com/functionmesh/terraform-provider-functionmesh/internal/local/platform"
	"github.com/functionmesh/terraform-provider-functionmesh/internal/spec"
	"github.com/functionmesh/terraform-provider-functionmesh/internal/wire"
)

// What runs without the daemon finds its streams as the daemon would have made them.
func TestPrepareOnOnePulsar(t *testing.T) {
	dead := full("in-public-default-f-DLQ")
	subscribed := []string{"subscribe " + full("in") + " public/default/f false", "subscribe " + dead + " functionmesh-redrive true"}
	asked := slices.Concat(subscribed, []string{"deduplicates " + full("out"), "deduplicates " + dead})
	cases := map[string]struct {
		change func(*spec.Component)
		fake   *fakePulsar
		did    []string
		class  engine.Class
		path   string
	}{
		"AtLeastOnce": {fake: &fakePulsar{}, did: subscribed},
		"EffectivelyOnce": {
			change: func(c *spec.Component) { c.ProcessingGuarantees, c.LogTopic = spec.EffectivelyOnce, "logged" },
			fake:   &fakePulsar{noRepeats: true}, did: asked,
		},
		"Repeats": {
			change: func(c *spec.Component) { c.ProcessingGuarantees = spec.EffectivelyOnce },
			fake:   &fakePulsar{}, did: asked[:3], class: engine.Invalid, path: "processing_guarantees",
		},
		"Away": {
			fake:  &fakePulsar{fails: map[string]error{"topic": errAway}},
			class: engine.Unavailable, path: `inputs["` + full("in") + `"]`,
		},
		"Forbidden": {
			fake: &fakePulsar{fails: map[string]error{"subscribe": engine.New(engine.Forbidden, errors.New("no"))}}, class: engine.Forbidden, path: `inputs["` + full("in") + `"]`,
		},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			c, f := function(t, "f"), tc.fake
			f.partitions = map[string]int{full("in"): 3}
			if tc.change != nil {
				tc.change(&c)
			}
			found, err := platform.Prepare(t.Context(), f, c)
			if engine.ClassOf(err) != tc.class || pathOf(err) != tc.path {
				t.Fatalf("%v: class %q at %q, want %q at %q", err, engine.ClassOf(err), pathOf(err), tc.class, tc.path)
			}
			if d := cmp.Diff(tc.did, f.asked("subscribe", "deduplicates")); d != "" {
				t.Error(d)
			}
			if err == nil && found[wire.Stream{Topic: full("in")}] != 3 {
				t.Errorf("partitions %v", found)
			}
		})
	}
}
