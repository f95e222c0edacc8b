package catalog_test

import (
	"encoding/json"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/functionmesh/terraform-provider-functionmesh/internal/catalog"
	"github.com/functionmesh/terraform-provider-functionmesh/internal/catalog/catalogtest"
	"github.com/functionmesh/terraform-provider-functionmesh/internal/engine"
	"github.com/functionmesh/terraform-provider-functionmesh/internal/spec"
)

func TestDrifts(t *testing.T) {
	for _, d := range catalogtest.Drifts(t) {
		t.Run(d.Name, func(t *testing.T) {
			got := compare(t, d)
			if diff := cmp.Diff(plain(t, d.Changes), plain(t, got)); diff != "" {
				t.Errorf("%s; changes (-want +got):\n%s", d.Reason, diff)
			}
			for _, c := range got {
				if _, err := spec.ParsePath(spec.Path(c.Path)); err != nil {
					t.Errorf("path %q: %v", c.Path, err)
				}
			}
		})
	}
}

func compare(t *testing.T, d catalogtest.Drift) []engine.Change {
	t.Helper()
	switch d.Kind {
	case spec.KindTenant:
		return compareAs(t, d, catalog.Tenant(), spec.DecodeTenant)
	case spec.KindNamespace:
		return compareAs(t, d, catalog.Namespace(), spec.DecodeNamespace)
	case spec.KindTopic:
		return compareAs(t, d, catalog.Topic(), spec.DecodeTopic)
	case spec.KindMesh:
		return compareAs(t, d, catalog.Mesh(), spec.DecodeMesh)
	case spec.KindFunction, spec.KindSource, spec.KindSink:
	}
	return compareAs(t, d, catalog.Component(d.Kind), func(raw []byte) (spec.Component, []spec.Problem) {
		return spec.DecodeComponent(d.Kind, raw)
	})
}

func compareAs[S any](t *testing.T, d catalogtest.Drift, e catalog.Entity[S], decode func([]byte) (S, []spec.Problem)) []engine.Change {
	t.Helper()
	have, problems := decode(d.Have)
	want, more := decode(d.Want)
	if problems = append(problems, more...); len(problems) > 0 {
		t.Fatalf("%+v", problems)
	}
	observed := engine.Observed[S]{Found: true, Owned: d.Owned}
	observed.Spec, observed.Marks.Digest = have, d.Digest
	changes := e.Diff(observed, engine.Object[S]{Spec: want}, d.Holes)
	if again := e.Diff(observed, engine.Object[S]{Spec: e.Default(want)}, d.Holes); len(again) != len(changes) {
		t.Errorf("a defaulted spec drifts otherwise: %+v", again)
	}
	return changes
}

// plain is changes as JSON has them.
func plain(t *testing.T, changes []engine.Change) []map[string]any {
	t.Helper()
	raw, err := json.Marshal(changes)
	if err != nil {
		t.Fatal(err)
	}
	var out []map[string]any
	if err := json.Unmarshal(raw, &out); err != nil {
		t.Fatal(err)
	}
	if len(out) == 0 {
		return nil
	}
	return out
}
