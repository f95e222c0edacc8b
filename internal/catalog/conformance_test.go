package catalog_test

import (
	"context"
	"testing"

	"github.com/functionmesh/terraform-provider-functionmesh/internal/catalog"
	"github.com/functionmesh/terraform-provider-functionmesh/internal/engine"
	"github.com/functionmesh/terraform-provider-functionmesh/internal/engine/enginetest"
	"github.com/functionmesh/terraform-provider-functionmesh/internal/spec"
)

// inPublic is the only parent that the memory platforms of these tests have.
func inPublic(key engine.Key) bool { return key.Tenant == "" || key.Tenant == "public" }

func memory[S any](e catalog.Entity[S]) *enginetest.Memory[S] {
	m := enginetest.NewMemory(e.Key)
	m.Parent, m.Markless, m.Requests = inPublic, e.Markless, 3
	return m
}

// conform runs the suite on the memory platform of a kind.
func conform[S any](t *testing.T, e catalog.Entity[S], want, changed S, orphan *S) {
	t.Helper()
	enginetest.Run(t, enginetest.Suite[S]{
		New:    func(*testing.T) engine.Client[S] { return memory(e) },
		Engine: e.Engine,
		Want:   want, Changed: changed, Orphan: orphan,
		Faults: func(c engine.Client[S]) enginetest.Faults {
			m, _ := c.(*enginetest.Memory[S])
			return m
		},
	})
}

func TestTopicsConform(t *testing.T) {
	conform(t, catalog.Topic(),
		spec.Topic{Name: "orders", Partitions: new(2), Properties: map[string]string{"team": "shop"}},
		spec.Topic{Name: "orders", Partitions: new(2), Properties: map[string]string{"team": "web", "tier": "1"}},
		&spec.Topic{Tenant: "nobody", Name: "orders"})
}

func function() (want, changed, orphan spec.Component) {
	want = spec.Component{
		Kind: spec.KindFunction, Name: "enrich",
		Runtime: &spec.Runtime{Python: &spec.Code{File: "enrich.py", SHA256: "aa", Class: "enrich.Enrich"}},
		Inputs:  map[string]spec.Input{"orders": {}},
		Output:  &spec.Output{Topic: "enriched"},
	}
	changed = want.Clone()
	changed.Runtime.Python.SHA256 = "bb"
	changed.Inputs["returns"] = spec.Input{ReceiverQueueSize: new(5)}
	changed.MaxMessageRetries = new(0)
	changed.DeadLetterTopic = "dead"
	changed.Resources = &spec.Resources{Memory: "64Mi"}
	changed.Secrets = map[string]spec.SecretRef{"API_KEY": {Name: "shop", Key: "api"}}
	changed.UserConfig = `{"region":"eu"}`
	changed.State = spec.StateStopped
	orphan = want.Clone()
	orphan.Tenant = "nobody"
	return want, changed, orphan
}

func TestComponentsConform(t *testing.T) {
	want, changed, orphan := function()
	t.Run("Function", func(t *testing.T) {
		conform(t, catalog.Component(spec.KindFunction), want, changed, &orphan)
	})
	t.Run("Source", func(t *testing.T) {
		conform(t, catalog.Component(spec.KindSource),
			spec.Component{Name: "intake", Builtin: "generator", Output: &spec.Output{Topic: "orders"}},
			spec.Component{Name: "intake", Builtin: "generator", Config: `{"rate":5}`, Output: &spec.Output{Topic: "orders2"}, Parallelism: new(2)},
			&spec.Component{Tenant: "nobody", Name: "intake", Builtin: "generator", Output: &spec.Output{Topic: "orders"}})
	})
	t.Run("Sink", func(t *testing.T) {
		conform(t, catalog.Component(spec.KindSink),
			spec.Component{Name: "store", Builtin: "file", Inputs: map[string]spec.Input{"scored": {}}},
			spec.Component{Name: "store", Builtin: "file", Inputs: map[string]spec.Input{"scored": {}, "more": {}}, RetainOrdering: new(true)},
			nil)
	})
}

func TestParentsConform(t *testing.T) {
	t.Run("Tenant", func(t *testing.T) {
		conform(t, catalog.Tenant(), spec.Tenant{Name: "shop", AdminRoles: []string{"a"}},
			spec.Tenant{Name: "shop", AdminRoles: []string{"b", "a"}}, nil)
	})
}

// wholesale is a platform whose update stores the whole object it is sent.
type wholesale struct {
	*enginetest.Memory[spec.Component]
}

func (w wholesale) Update(_ context.Context, _ engine.Observed[spec.Component], want engine.Object[spec.Component], _ []engine.Change) error {
	w.Put(want)
	return nil
}

func TestWhatIsTheServersSurvivesEveryUpdate(t *testing.T) {
	want, changed, _ := function()
	want.Extra = map[string]spec.JSON{"windowConfig": `{"length":5}`}
	changed.State, changed.Extra = "", nil
	another := changed.Clone()
	another.Runtime = &spec.Runtime{WASM: &spec.Code{File: "e.wasm", SHA256: "cc"}}
	m := wholesale{memory(catalog.Component(spec.KindFunction))}
	e := catalog.Component(spec.KindFunction).Engine(m)
	if _, err := e.Create(t.Context(), engine.Object[spec.Component]{Spec: want}, engine.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	key := componentKey(spec.KindFunction, "enrich")
	m.Edit(key, func(o *engine.Object[spec.Component]) { o.Spec.State = spec.StateStopped })
	for name, s := range map[string]spec.Component{"InPlace": changed, "Replaced": another} {
		if _, err := e.Update(t.Context(), engine.Object[spec.Component]{Spec: s}, engine.UpdateOptions{Replace: true}); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		have, err := m.Observe(t.Context(), key)
		if err != nil || have.Spec.State != spec.StateStopped || len(have.Spec.Extra) != 1 {
			t.Errorf("%s: state %q, extra %v, %v", name, have.Spec.State, have.Spec.Extra, err)
		}
	}
}
