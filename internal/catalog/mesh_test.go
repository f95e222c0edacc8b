package catalog_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/functionmesh/terraform-provider-functionmesh/internal/catalog"
	"github.com/functionmesh/terraform-provider-functionmesh/internal/engine"
	"github.com/functionmesh/terraform-provider-functionmesh/internal/engine/enginetest"
	"github.com/functionmesh/terraform-provider-functionmesh/internal/spec"
)

// platform is three kinds of component in memory, and the order of their writes.
type platform struct {
	kinds map[spec.Kind]*enginetest.Memory[spec.Component]
	mesh  *engine.Engine[spec.Mesh]
}

func newPlatform() *platform {
	p := &platform{kinds: map[spec.Kind]*enginetest.Memory[spec.Component]{}}
	for _, kind := range spec.ComponentKinds() {
		p.kinds[kind] = memory(catalog.Component(kind))
	}
	p.mesh = catalog.Mesh().Engine(p.client())
	return p
}

func (p *platform) client() engine.Client[spec.Mesh] {
	clients := map[spec.Kind]engine.Client[spec.Component]{}
	for kind, m := range p.kinds {
		clients[kind] = m
	}
	return catalog.NewMeshClient(clients)
}

// names lists what exists in public/default, as kind/name.
func (p *platform) names(t *testing.T) []string {
	t.Helper()
	var out []string
	for _, kind := range spec.ComponentKinds() {
		all, err := p.kinds[kind].List(t.Context(), engine.Key{Kind: string(kind), Tenant: "public", Namespace: "default"})
		if err != nil {
			t.Fatal(err)
		}
		for _, o := range all {
			out = append(out, string(kind)+"/"+o.Spec.Name)
		}
	}
	return out
}

func (p *platform) writes() int {
	n := 0
	for _, m := range p.kinds {
		n += m.Writes()
	}
	return n
}

func componentKey(kind spec.Kind, name string) engine.Key {
	return engine.Key{Kind: string(kind), Tenant: "public", Namespace: "default", Name: name}
}

func python(class, sum string) *spec.Runtime {
	return &spec.Runtime{Python: &spec.Code{File: "f.py", SHA256: sum, Class: class}}
}

func lines() spec.Mesh {
	return spec.Mesh{
		Name:    "lines",
		Sources: map[string]spec.Component{"intake": {Builtin: "generator", Output: &spec.Output{Topic: "orders"}}},
		Functions: map[string]spec.Component{
			"enrich": {Runtime: python("a.A", "aa"), Inputs: map[string]spec.Input{"orders": {}}, Output: &spec.Output{Topic: "enriched"}},
			"score":  {Runtime: python("b.B", "bb"), Inputs: map[string]spec.Input{"enriched": {}}, Output: &spec.Output{Topic: "scored"}},
		},
		Sinks: map[string]spec.Component{"store": {Builtin: "file", Inputs: map[string]spec.Input{"scored": {}}}},
	}
}

func meshObject(m spec.Mesh) engine.Object[spec.Mesh] {
	return engine.Object[spec.Mesh]{Spec: m, Marks: engine.Marks{Owner: "terraform"}}
}

// edited is lines with one component changed.
func edited(change func(*spec.Mesh)) spec.Mesh {
	m := lines()
	change(&m)
	return m
}

func (p *platform) create(t *testing.T, m spec.Mesh) {
	t.Helper()
	if _, err := p.mesh.Create(t.Context(), meshObject(m), engine.CreateOptions{}); err != nil {
		t.Fatalf("Create: %v", err)
	}
}

// meshFaults kill a mesh's create at every request of every component.
type meshFaults struct{ p *platform }

func (f meshFaults) each(do func(enginetest.Faults)) {
	for _, m := range f.p.kinds {
		do(m)
	}
}

func (f meshFaults) FailNext(verb enginetest.Verb, n int, class engine.Class) {
	if verb == enginetest.Observe { // a mesh is observed by lists
		f.each(func(m enginetest.Faults) { m.FailNext(enginetest.List, n, class) })
	}
	f.each(func(m enginetest.Faults) { m.FailNext(verb, n, class) })
}

func (f meshFaults) FailAfter(verb enginetest.Verb, n int, class engine.Class) {
	f.each(func(m enginetest.Faults) { m.FailAfter(verb, n, class) })
}

func (f meshFaults) Lag(n int) { f.each(func(m enginetest.Faults) { m.Lag(n) }) }

func (f meshFaults) KillCreate(k int) bool {
	for _, kind := range spec.ComponentKinds() {
		m := f.p.kinds[kind]
		if k <= m.Requests {
			return m.KillCreate(k)
		}
		k -= m.Requests
	}
	return false
}

func (f meshFaults) Writes() int { return f.p.writes() }

func TestMeshesConform(t *testing.T) {
	platforms := map[engine.Client[spec.Mesh]]*platform{}
	changed := edited(func(m *spec.Mesh) {
		score := m.Functions["score"]
		score.MaxMessageRetries, score.Runtime = new(5), python("b.B", "cc")
		m.Functions["score"] = score
		m.Functions["audit"] = spec.Component{Runtime: python("c.C", "dd"), Inputs: map[string]spec.Input{"scored": {}}}
	})
	enginetest.Run(t, enginetest.Suite[spec.Mesh]{
		New: func(*testing.T) engine.Client[spec.Mesh] {
			p := newPlatform()
			client := p.client()
			platforms[client] = p
			return client
		},
		Engine: catalog.Mesh().Engine,
		Want:   lines(), Changed: changed,
		Orphan: new(edited(func(m *spec.Mesh) { m.Tenant = "nobody" })),
		Faults: func(c engine.Client[spec.Mesh]) enginetest.Faults { return meshFaults{platforms[c]} },
		// Others are the components' own affair: what is absent is created, what
		// cannot change in place is made again, a lost race is run again.
		Classes: []engine.Class{engine.Invalid, engine.Forbidden, engine.Unavailable},
	})
}

// killing is a component client that ends the caller's context at a request.
type killing struct {
	*enginetest.Memory[spec.Component]
	left *int
	kill func()
}

func (k killing) Create(ctx context.Context, want engine.Object[spec.Component]) (engine.Observed[spec.Component], error) {
	k.count()
	return k.Memory.Create(ctx, want)
}

func (k killing) Observe(ctx context.Context, key engine.Key) (engine.Observed[spec.Component], error) {
	k.count()
	return k.Memory.Observe(ctx, key)
}

func (k killing) count() {
	if *k.left--; *k.left == 0 {
		k.kill()
	}
}

func TestMeshCreateKilledAtEveryRequest(t *testing.T) {
	for n := 1; ; n++ {
		p := newPlatform()
		ctx, cancel := context.WithCancel(t.Context())
		left := n
		clients := map[spec.Kind]engine.Client[spec.Component]{}
		for kind, m := range p.kinds {
			clients[kind] = killing{m, &left, cancel}
		}
		first := catalog.Mesh().Engine(catalog.NewMeshClient(clients))
		_, err := first.Create(ctx, meshObject(lines()), engine.CreateOptions{})
		cancel()
		if err == nil {
			if n < 8 {
				t.Errorf("only %d requests were seen", n)
			}
			return
		}
		if _, err := p.mesh.Create(t.Context(), meshObject(lines()), engine.CreateOptions{}); err != nil {
			t.Fatalf("Create after one that was killed at request %d: %v", n, err)
		}
		out, err := p.mesh.Converge(t.Context(), meshObject(lines()))
		if err != nil || out.Action != engine.None {
			t.Errorf("killed at request %d: the next Converge: %q, %+v, %v", n, out.Action, out.Changes, err)
		}
		if len(p.names(t)) != 4 {
			t.Errorf("killed at request %d: there is %v", n, p.names(t))
		}
	}
}

func TestMeshIsMadeOfItsComponents(t *testing.T) {
	p := newPlatform()
	p.create(t, lines())
	want := []string{"sink/lines-store", "function/lines-enrich", "function/lines-score", "source/lines-intake"}
	if got := p.names(t); !slices.Equal(got, want) {
		t.Errorf("components are %v, want %v", got, want)
	}
	have, err := p.mesh.Observe(t.Context(), engine.Key{Kind: "mesh", Tenant: "public", Namespace: "default", Name: "lines"})
	if err != nil {
		t.Fatal(err)
	}
	if !have.Found || have.Marks.Owner != "terraform" || have.Status.Wanted != 4 || have.Status.Phase != engine.Ready {
		t.Errorf("observed %+v", have)
	}
}

// What plan warns of includes components that feed each other, and tells each loop once.
func TestMeshLoopsAreWarnedOf(t *testing.T) {
	from := func(in, out string) spec.Component {
		return spec.Component{
			Runtime: &spec.Runtime{WASM: &spec.Code{File: "f.wasm"}},
			Inputs:  map[string]spec.Input{in: {}}, Output: &spec.Output{Topic: out},
		}
	}
	cases := map[string]struct {
		functions map[string]spec.Component
		want      []spec.Path
	}{
		"Two":  {map[string]spec.Component{"a": from("x", "y"), "b": from("y", "x")}, []spec.Path{`functions["a"]`}},
		"Self": {map[string]spec.Component{"a": from("x", "x")}, []spec.Path{`functions["a"].output.topic`}},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			var got []spec.Path
			for _, p := range catalog.Mesh().Validate(spec.Mesh{Name: "m", Functions: c.functions}) {
				if p.Severity != spec.SeverityWarning {
					t.Errorf("%v", p)
				}
				got = append(got, p.Path)
			}
			if d := cmp.Diff(c.want, got); d != "" {
				t.Error(d)
			}
		})
	}
}

// An interrupted create that left some components is taken over; a mesh with others
// than the wanted ones is not.
func TestMeshUnfinished(t *testing.T) {
	cases := map[string]struct {
		exists spec.Mesh
		owner  string
		class  engine.Class
		action engine.Action
	}{
		"PartOfIt":      {exists: spec.Mesh{Name: "lines", Sinks: lines().Sinks}, owner: "terraform", action: engine.TakenOver},
		"AllOfIt":       {exists: lines(), owner: "terraform", action: engine.TakenOver},
		"PartOfAnother": {exists: spec.Mesh{Name: "lines", Sinks: lines().Sinks}, owner: "cli", class: engine.Exists},
		"AnotherOfOurs": {exists: edited(func(m *spec.Mesh) { m.Sinks["more"] = m.Sinks["store"] }), owner: "terraform", class: engine.Exists},
		"ChangedOfOurs": {exists: edited(func(m *spec.Mesh) {
			m.Sinks["store"] = spec.Component{Builtin: "file", Parallelism: new(3), Inputs: map[string]spec.Input{"scored": {}}}
		}), owner: "terraform", class: engine.Exists},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			p := newPlatform()
			first := meshObject(c.exists)
			first.Marks.Owner = c.owner
			if _, err := p.mesh.Create(t.Context(), first, engine.CreateOptions{}); err != nil {
				t.Fatal(err)
			}
			out, err := p.mesh.Create(t.Context(), meshObject(lines()), engine.CreateOptions{})
			if engine.ClassOf(err) != c.class || out.Action != c.action {
				t.Errorf("Create: %q, %v; want %q, class %q", out.Action, err, c.action, c.class)
			}
		})
	}
}

func TestMeshNameClash(t *testing.T) {
	cases := map[string]engine.Object[spec.Component]{
		"OfAnotherMesh": {Marks: engine.Marks{Owner: "terraform", Mesh: "other"}},
		"StandingAlone": {Marks: engine.Marks{Owner: "terraform"}},
	}
	for name, existing := range cases {
		t.Run(name, func(t *testing.T) {
			p := newPlatform()
			existing.Spec = spec.Component{Kind: spec.KindFunction, Tenant: "public", Namespace: "default", Name: "lines-enrich", Runtime: python("x.X", "ee")}
			p.kinds[spec.KindFunction].Put(existing)
			out, err := p.mesh.Create(t.Context(), meshObject(lines()), engine.CreateOptions{Adopt: true})
			if !engine.Is(err, engine.Exists) {
				t.Fatalf("Create: %v, want class %q", err, engine.Exists)
			}
			var classed *engine.Error
			if errors.As(err, &classed); classed.Key != componentKey(spec.KindFunction, "lines-enrich") || classed.Path != `functions["enrich"]` {
				t.Errorf("the error is about %v at %q", classed.Key, classed.Path)
			}
			if existing.Marks.Mesh != "" && !strings.Contains(err.Error(), existing.Marks.Mesh) {
				t.Errorf("the error does not name the other mesh: %v", err)
			}
			if out.Observed.Found || p.writes() != 0 {
				t.Errorf("%d writes, observed %v", p.writes(), out.Observed.Found)
			}
		})
	}
}

func TestMeshChanges(t *testing.T) {
	cases := map[string]struct {
		want     spec.Mesh
		paths    []string
		gone     []string
		there    []string
		warnings []string // words that the one warning has
		kept     []string // components that are not written
	}{
		"OneSetting": {
			want: edited(func(m *spec.Mesh) {
				m.Sinks["store"] = spec.Component{Builtin: "file", Parallelism: new(3), Inputs: map[string]spec.Input{"scored": {}}}
			}),
			paths: []string{`sinks["store"].parallelism`},
		},
		"RuntimeKindInPlace": {
			want: edited(func(m *spec.Mesh) {
				c := m.Functions["enrich"]
				c.Runtime = &spec.Runtime{WASM: &spec.Code{File: "e.wasm", SHA256: "ff"}}
				m.Functions["enrich"] = c
			}),
			paths:    []string{`functions["enrich"].runtime`},
			warnings: []string{"enrich", "python", "wasm", "public/default/lines-enrich"},
		},
		"Rename": {
			want: edited(func(m *spec.Mesh) {
				m.Functions["better"] = m.Functions["enrich"]
				delete(m.Functions, "enrich")
			}),
			paths:    []string{`functions["better"]`, `functions["enrich"]`},
			gone:     []string{"function/lines-enrich"},
			there:    []string{"function/lines-better"},
			warnings: []string{"enrich", "public/default/lines-enrich", "persistent://public/default/orders"},
		},
		"OtherKindUnderTheSameName": {
			want: edited(func(m *spec.Mesh) {
				m.Functions["store"] = spec.Component{Runtime: python("s.S", "11"), Inputs: map[string]spec.Input{"scored": {}}}
				delete(m.Sinks, "store")
			}),
			paths: []string{`functions["store"]`, `sinks["store"]`},
			gone:  []string{"sink/lines-store"}, there: []string{"function/lines-store"},
			warnings: []string{"store"},
		},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			p := newPlatform()
			p.create(t, lines())
			out, err := p.mesh.Update(t.Context(), meshObject(c.want), engine.UpdateOptions{})
			if err != nil {
				t.Fatal(err)
			}
			var paths []string
			for _, ch := range out.Changes {
				paths = append(paths, ch.Path)
			}
			if slices.Sort(paths); !slices.Equal(paths, c.paths) {
				t.Errorf("changes are at %v, want %v", paths, c.paths)
			}
			names := p.names(t)
			for _, n := range c.gone {
				if slices.Contains(names, n) {
					t.Errorf("%s is still there", n)
				}
			}
			for _, n := range c.there {
				if !slices.Contains(names, n) {
					t.Errorf("%s is not there", n)
				}
			}
			if (len(out.Warnings) == 1) != (len(c.warnings) > 0) {
				t.Fatalf("warnings are %q", out.Warnings)
			}
			for _, word := range c.warnings {
				if !strings.Contains(out.Warnings[0], word) {
					t.Errorf("warning %q does not name %q", out.Warnings[0], word)
				}
			}
			if left := catalog.Mesh().Diff(out.Observed, meshObject(c.want), nil); len(left) > 0 {
				t.Errorf("still different: %+v", left)
			}
		})
	}
}

// A deletion that normally cleans up must not take the backlog of a component that
// is only made again.
func TestRuntimeKindChangeKeepsASubscriptionThatIsCleanedUp(t *testing.T) {
	p := newPlatform()
	cleaning := edited(func(m *spec.Mesh) {
		c := m.Functions["enrich"]
		c.CleanupSubscription = new(true)
		m.Functions["enrich"] = c
	})
	p.create(t, cleaning)
	c := cleaning.Functions["enrich"]
	c.Runtime = &spec.Runtime{Go: &spec.Code{File: "e", SHA256: "ff"}}
	cleaning.Functions["enrich"] = c
	if _, err := p.mesh.Update(t.Context(), meshObject(cleaning), engine.UpdateOptions{}); err != nil {
		t.Fatal(err)
	}
	functions := p.kinds[spec.KindFunction]
	if functions.Calls(enginetest.Update) != 1 || functions.Calls(enginetest.Delete) != 1 {
		t.Errorf("%d updates and %d deletions, want the cleaning switched off and one deletion",
			functions.Calls(enginetest.Update), functions.Calls(enginetest.Delete))
	}
	have, err := functions.Observe(t.Context(), componentKey(spec.KindFunction, "lines-enrich"))
	if err != nil || have.Spec.CleanupSubscription == nil || !*have.Spec.CleanupSubscription {
		t.Errorf("cleanup_subscription was not restored: %+v, %v", have.Spec, err)
	}
}

// One component that cannot be written does not keep the others from it.
func TestMeshPartialFailure(t *testing.T) {
	p := newPlatform()
	p.kinds[spec.KindSink].FailNext(enginetest.Create, 1, engine.Forbidden)
	out, err := p.mesh.Create(t.Context(), meshObject(lines()), engine.CreateOptions{})
	if !engine.Is(err, engine.Forbidden) {
		t.Fatalf("Create: %v, want class %q", err, engine.Forbidden)
	}
	if !strings.Contains(err.Error(), "public/default/lines-store") {
		t.Errorf("the error does not name the component: %v", err)
	}
	if !out.Observed.Found || len(out.Observed.Spec.Functions) != 2 || len(out.Observed.Spec.Sources) != 1 {
		t.Errorf("what was made is not in the outcome: %+v", out.Observed.Spec)
	}
	out, err = p.mesh.Create(t.Context(), meshObject(lines()), engine.CreateOptions{})
	if err != nil || out.Action != engine.TakenOver {
		t.Errorf("the next Create: %q, %v", out.Action, err)
	}
}

func TestMeshStatus(t *testing.T) {
	cases := map[string]struct {
		store, enrich engine.Status
		want          engine.Status
	}{
		"AllReady": {want: engine.Status{Phase: engine.Ready, Wanted: 4, Ready: 4}},
		"OneFailed": {
			store:  engine.Status{Phase: engine.Progressing, Wanted: 1},
			enrich: engine.Status{Phase: engine.Failed, Reason: "ClassNotFound", Message: "no a.A", Wanted: 2, Ready: 1},
			want:   engine.Status{Phase: engine.Failed, Reason: "ClassNotFound", Message: `function "enrich": ClassNotFound: no a.A`, Wanted: 5, Ready: 3},
		},
		"OneProgressing": {
			store: engine.Status{Phase: engine.Progressing, Wanted: 2, Ready: 1},
			want:  engine.Status{Phase: engine.Progressing, Message: `sink "store": 1 of 2 instances ready`, Wanted: 5, Ready: 4},
		},
		"OneStopped": {
			store: engine.Status{Phase: engine.Stopped},
			want:  engine.Status{Phase: engine.Ready, Wanted: 3, Ready: 3},
		},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			p := newPlatform()
			p.create(t, lines())
			if c.store.Phase != "" {
				p.kinds[spec.KindSink].SetStatus(componentKey(spec.KindSink, "lines-store"), c.store)
			}
			if c.enrich.Phase != "" {
				p.kinds[spec.KindFunction].SetStatus(componentKey(spec.KindFunction, "lines-enrich"), c.enrich)
			}
			have, err := p.mesh.Observe(t.Context(), catalog.Mesh().Key(spec.DefaultMesh(lines())))
			if err != nil {
				t.Fatal(err)
			}
			got := have.Status
			got.Instances = nil
			if got.Phase != c.want.Phase || got.Reason != c.want.Reason || got.Message != c.want.Message || got.Wanted != c.want.Wanted || got.Ready != c.want.Ready {
				t.Errorf("status is %+v, want %+v", got, c.want)
			}
		})
	}
}

func TestMeshListAndAct(t *testing.T) {
	p := newPlatform()
	p.create(t, lines())
	p.create(t, spec.Mesh{Name: "more", Sinks: lines().Sinks})
	p.kinds[spec.KindSink].Put(engine.Object[spec.Component]{Spec: spec.Component{Tenant: "public", Namespace: "default", Name: "alone"}})
	lister, ok := p.mesh.Client.(engine.Lister[spec.Mesh])
	if !ok {
		t.Fatal("the mesh client is no Lister")
	}
	all, err := lister.List(t.Context(), engine.Key{Tenant: "public", Namespace: "default"})
	if err != nil || len(all) != 2 || all[0].Spec.Name != "lines" || all[1].Spec.Name != "more" {
		t.Errorf("List: %+v, %v", all, err)
	}
	actor, ok := p.mesh.Client.(engine.Actor)
	if !ok {
		t.Fatal("the mesh client is no Actor")
	}
	key := catalog.Mesh().Key(spec.DefaultMesh(lines()))
	if _, err := actor.Act(t.Context(), key, "restart", nil); err != nil {
		t.Error(err)
	}
	if n := len(p.kinds[spec.KindFunction].Acts()); n != 2 {
		t.Errorf("%d functions were restarted, want 2", n)
	}
	key.Name = "nothing"
	if _, err := actor.Act(t.Context(), key, "restart", nil); !engine.Is(err, engine.NotFound) {
		t.Errorf("Act on nothing: %v", err)
	}
}

// late is a component client whose first lists miss what is being made meanwhile.
type late struct {
	*enginetest.Memory[spec.Component]
	missing *int
}

func (l late) List(ctx context.Context, in engine.Key) ([]engine.Observed[spec.Component], error) {
	if *l.missing--; *l.missing >= 0 {
		return nil, nil
	}
	return l.Memory.List(ctx, in)
}

// Two applies of one mesh at once: a component that the other one just made, of
// another mind even, is made what is wanted. One of another mesh is not.
func TestMeshCreateMeetsAnother(t *testing.T) {
	cases := map[string]struct {
		marks engine.Marks
		class engine.Class
	}{
		"OfOurMesh":     {marks: engine.Marks{Owner: "terraform", Mesh: "lines"}},
		"OfAnotherMesh": {marks: engine.Marks{Owner: "terraform", Mesh: "other"}, class: engine.Exists},
		"StandingAlone": {marks: engine.Marks{Owner: "terraform"}, class: engine.Exists},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			p := newPlatform()
			other := lines().Member(spec.KindFunction, "enrich", lines().Functions["enrich"])
			other.Parallelism = new(7)
			p.kinds[spec.KindFunction].Put(engine.Object[spec.Component]{Spec: other, Marks: c.marks})
			once := 1
			e := catalog.Mesh().Engine(catalog.NewMeshClient(map[spec.Kind]engine.Client[spec.Component]{
				spec.KindSource: p.kinds[spec.KindSource], spec.KindSink: p.kinds[spec.KindSink],
				spec.KindFunction: late{p.kinds[spec.KindFunction], &once},
			}))
			if _, err := e.Create(t.Context(), meshObject(lines()), engine.CreateOptions{}); engine.ClassOf(err) != c.class {
				t.Fatalf("Create: %v, want class %q", err, c.class)
			}
			have, err := p.kinds[spec.KindFunction].Observe(t.Context(), componentKey(spec.KindFunction, "lines-enrich"))
			if touched := *have.Spec.Parallelism != 7; err != nil || touched != (c.class == "") {
				t.Errorf("parallelism is %d, %v", *have.Spec.Parallelism, err)
			}
		})
	}
}
