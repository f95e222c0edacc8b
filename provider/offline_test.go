package provider_test

import (
	"maps"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/hashicorp/terraform-plugin-go/tfprotov6"

	"github.com/functionmesh/terraform-provider-functionmesh/internal/engine"
	"github.com/functionmesh/terraform-provider-functionmesh/internal/engine/enginetest"
	"github.com/functionmesh/terraform-provider-functionmesh/internal/spec"
)

func enrichConfig(t *testing.T) object {
	t.Helper()
	return object{
		"name":    "enrich",
		"runtime": object{"wasm": object{"file": codeFile(t, "f.wasm", "code")}},
		"inputs":  object{"orders": object{}},
	}
}

func with(base, more object) object {
	out := object{}
	maps.Copy(out, base)
	maps.Copy(out, more)
	return out
}

// Validating, configuring and planning with empty state open nothing, for any kind.
func TestPlanAsksNoPlatform(t *testing.T) {
	cases := map[string]object{
		"functionmesh_function":  enrichConfig(t),
		"functionmesh_source":    {"name": "s", "builtin": "generator", "output": object{"topic": "orders"}},
		"functionmesh_sink":      {"name": "s", "builtin": "file", "config": `{"path":"x"}`, "inputs": object{"orders": object{}}},
		"functionmesh_topic":     {"name": "orders"},
		"functionmesh_tenant":    {"name": "a"},
		"functionmesh_namespace": {"name": "a"},
		"functionmesh_mesh": {"name": "m", "functions": object{"f": object{
			"runtime": object{"wasm": object{"file": codeFile(t, "f.wasm", "code")}}, "inputs": object{"orders": object{}},
		}}},
	}
	for kind, config := range cases {
		t.Run(kind, func(t *testing.T) {
			p := newPlatform("one")
			p.down.Store(true)
			c := newCore(t, p, kind, object{})
			c.clean()
			if d := c.validate(config); failed(d) {
				t.Fatal(printed(d))
			}
			planned, _ := c.plan(config)
			c.clean()
			if n := p.opened.Load(); n != 0 {
				t.Errorf("the platform was opened %d times", n)
			}
			if !planned.IsFullyKnown() {
				t.Errorf("something of the plan is unknown: %v", planned)
			}
		})
	}
}

func TestPlanOfTopicKnowsItsFullName(t *testing.T) {
	c := newCore(t, newPlatform("one"), "functionmesh_topic", object{"namespace": "shop"})
	planned, _ := c.plan(object{"name": "orders"})
	c.clean()
	for name, want := range map[string]string{"id": "public/shop/orders", "full_name": "persistent://public/shop/orders"} {
		if got := get(planned, name); got != want {
			t.Errorf("%s is %v, want %s", name, got, want)
		}
	}
}

func TestPlanWithUnknowns(t *testing.T) {
	config := enrichConfig(t)
	cases := map[string]struct {
		provider object
		config   object
		unknown  []string // attributes that stay unknown
	}{
		"Name":            {config: with(config, object{"name": unknown}), unknown: []string{"id", "name"}},
		"Inputs":          {config: with(config, object{"inputs": unknown}), unknown: []string{"inputs"}},
		"Runtime":         {config: with(config, object{"runtime": unknown}), unknown: []string{"runtime"}},
		"ProviderTenant":  {provider: object{"tenant": unknown}, config: config, unknown: []string{"id", "tenant"}},
		"ProviderDataDir": {provider: object{"local": object{"data_dir": unknown}}, config: config},
		"ProviderLocal":   {provider: object{"local": unknown}, config: config},
		"ProviderPulsar":  {provider: object{"pulsar": unknown}, config: with(config, object{"runtime": unknown}), unknown: []string{"runtime"}},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			c := newCore(t, newPlatform("one"), "functionmesh_function", tc.provider)
			if d := c.validate(tc.config); failed(d) {
				t.Fatal(printed(d))
			}
			planned, _ := c.plan(tc.config)
			c.clean()
			var got []string
			for _, attribute := range []string{"id", "inputs", "name", "namespace", "runtime", "tenant"} {
				if !parts(planned)[attribute].IsKnown() {
					got = append(got, attribute)
				}
			}
			if diff := cmp.Diff(tc.unknown, got); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestUnknownProviderConfiguration(t *testing.T) {
	p := newPlatform("one")
	c := newCore(t, p, "functionmesh_function", object{})
	config := enrichConfig(t)
	c.apply(config)
	c.clean()
	opened := p.opened.Load()

	c = c.as(p, object{"local": object{"data_dir": unknown}})
	before := c.state
	c.read()
	c.clean()
	if count(c.diags, tfprotov6.DiagnosticSeverityWarning) == 0 || !c.state.Equal(before) {
		t.Errorf("a refresh without a platform must keep the state and warn: %s", printed(c.diags))
	}
	c.apply(with(config, object{"parallelism": 2}))
	if !failed(c.diags) {
		t.Error("an update without a platform must fail")
	}
	if p.opened.Load() != opened {
		t.Error("a platform that is not known was opened")
	}
}

func TestTenantThatIsUnknownReplacesNothing(t *testing.T) {
	p := newPlatform("one")
	config := enrichConfig(t)
	c := newCore(t, p, "functionmesh_function", object{"tenant": "shop"})
	c.apply(config)
	c.clean()
	c = c.as(p, object{"tenant": unknown})
	planned, resp := c.plan(with(config, object{"state": "stopped"}))
	c.clean()
	if len(resp.RequiresReplace) > 0 || get(planned, "tenant") != "shop" {
		t.Errorf("planned in %v, replacing for %v", get(planned, "tenant"), resp.RequiresReplace)
	}
}

func TestTenantThatIsUnknownWhilePlanning(t *testing.T) {
	p := newPlatform("one")
	config := enrichConfig(t)
	early := newCore(t, p, "functionmesh_function", object{"tenant": unknown})
	planned, resp := early.plan(config)
	early.clean()
	late := early.as(p, object{"tenant": "shop"})
	late.change(planned, asValue(t, late.schema.ValueType(), config), resp)
	late.clean()
	if got := get(late.state, "id"); got != "shop/default/enrich" {
		t.Errorf("created as %v", got)
	}
}

func TestUnreachablePlatformIsAnError(t *testing.T) {
	cases := map[string]func(*platform){
		"CannotBeOpened": func(p *platform) { p.down.Store(true) },
		"StopsAnswering": func(p *platform) { p.functions().FailNext(enginetest.Observe, 1000, engine.Unavailable) },
		"Forbids":        func(p *platform) { p.functions().FailNext(enginetest.Observe, 1000, engine.Forbidden) },
	}
	for name, breaks := range cases {
		t.Run(name, func(t *testing.T) {
			p := newPlatform("one")
			c := newCore(t, p, "functionmesh_function", object{})
			c.apply(enrichConfig(t))
			c.clean()
			breaks(p)
			c = c.as(p, object{})
			c.read()
			if !failed(c.diags) || c.state.IsNull() {
				t.Errorf("state kept %v, diagnostics %s", !c.state.IsNull(), printed(c.diags))
			}
		})
	}
}

func TestAbsenceRemovesFromState(t *testing.T) {
	cases := map[string]func(*platform){
		"Object": func(p *platform) { p.functions().Drop(functionKey("enrich")) },
		"Parent": func(p *platform) { p.functions().Parent = func(engine.Key) bool { return false } },
	}
	for name, remove := range cases {
		t.Run(name, func(t *testing.T) {
			p := newPlatform("one")
			c := newCore(t, p, "functionmesh_function", object{})
			c.apply(enrichConfig(t))
			c.clean()
			remove(p)
			c.read()
			c.clean()
			if !c.state.IsNull() {
				t.Error("the object stayed in the state")
			}
		})
	}
}

func TestOtherPlatform(t *testing.T) {
	home, other := newPlatform("home"), newPlatform("other")
	config := enrichConfig(t)
	first := newCore(t, home, "functionmesh_function", object{})
	first.apply(config)
	first.clean()
	cases := map[string]func(*core){
		"Read":    func(c *core) { c.read() },
		"Update":  func(c *core) { c.apply(with(config, object{"parallelism": 2})) },
		"Destroy": func(c *core) { c.destroy() },
	}
	for name, act := range cases {
		t.Run(name, func(t *testing.T) {
			c := first.as(other, object{})
			act(c)
			said := printed(c.diags)
			if !failed(c.diags) || !strings.Contains(said, "home") || !strings.Contains(said, "other") {
				t.Errorf("the error must name both platforms: %s", said)
			}
			if c.state.IsNull() || other.writes() > 0 {
				t.Error("something was forgotten or written")
			}
		})
	}
}

func TestImport(t *testing.T) {
	shop := map[string]string{"tenant": "shop", "namespace": "eu", "name": "enrich"}
	cases := map[string]struct {
		id       string
		identity map[string]string
		fails    bool
	}{
		"ID":               {id: "shop/eu/enrich"},
		"Identity":         {identity: shop},
		"IdentityDefaults": {identity: map[string]string{"name": "enrich"}},
		"ShortID":          {id: "enrich", fails: true},
		"EmptyPart":        {id: "shop//enrich", fails: true},
		"LongID":           {id: "a/b/c/d", fails: true},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			p := newPlatform("one")
			p.functions().Put(engine.Object[spec.Component]{Spec: spec.DefaultComponent(spec.Component{
				Kind: spec.KindFunction, Tenant: "shop", Namespace: "eu", Name: "enrich",
				Runtime: &spec.Runtime{WASM: &spec.Code{URL: "function://shop/eu/enrich@1", SHA256: digestOf("code")}},
				Inputs:  map[string]spec.Input{"orders": {}}, Parallelism: new(3),
			})})
			c := newCore(t, p, "functionmesh_function", object{"tenant": "shop", "namespace": "eu"})
			c.imports(tc.id, tc.identity)
			if failed(c.diags) != tc.fails {
				t.Fatal(printed(c.diags))
			}
			if tc.fails {
				return
			}
			if diff := cmp.Diff(shop, c.identityParts()); diff != "" {
				t.Error(diff)
			}
			before := c.state
			planned, _ := c.plan(object{
				"name": "enrich", "parallelism": get3(), "inputs": object{"orders": object{}},
				"runtime": object{"wasm": object{"url": "function://shop/eu/enrich@1"}},
			})
			c.clean()
			if !planned.Equal(before) {
				t.Errorf("the plan after an import is not empty:\n%v\n%v", before, planned)
			}
		})
	}
}

func get3() int64 { return 3 }

func TestImportOfNothing(t *testing.T) {
	c := newCore(t, newPlatform("one"), "functionmesh_topic", object{})
	c.imports("public/default/orders", nil)
	if !failed(c.diags) && !c.state.IsNull() {
		t.Error("a topic that does not exist was imported")
	}
}

func TestInterruptedCreateIsFinished(t *testing.T) {
	p := newPlatform("one")
	config := enrichConfig(t)
	c := newCore(t, p, "functionmesh_function", object{})
	p.functions().KillCreate(1)
	c.apply(config)
	c = newCore(t, p, "functionmesh_function", object{})
	c.apply(config)
	c.clean()
	if get(c.state, "id") != "public/default/enrich" {
		t.Error("the second apply did not take the rest over")
	}
}
