package graph

import (
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/functionmesh/terraform-provider-functionmesh/internal/spec"
)

func function(in, out string) spec.Component {
	c := spec.Component{Runtime: &spec.Runtime{WASM: &spec.Code{File: "a.wasm"}}, Inputs: map[string]spec.Input{}}
	if in != "" {
		c.Inputs[in] = spec.Input{}
	}
	if out != "" {
		c.Output = &spec.Output{Topic: out}
	}
	return c
}

func source(out string) spec.Component {
	return spec.Component{Builtin: "file", Config: `{"path":"x"}`, Output: &spec.Output{Topic: out}}
}

func sink(in string) spec.Component {
	return spec.Component{Builtin: "file", Config: `{"path":"x"}`, Inputs: map[string]spec.Input{in: {}}}
}

func meshes() map[string]spec.Mesh {
	lines := spec.Mesh{
		Name:    "lines",
		Sources: map[string]spec.Component{"intake": source("orders")},
		Functions: map[string]spec.Component{
			"enrich": function("orders", "enriched"),
			"score":  function("persistent://public/default/enriched", "scored"),
		},
		Sinks: map[string]spec.Component{"store": sink("scored")},
	}
	dead := function("orders", "done")
	dead.DeadLetterTopic, dead.LogTopic = "dead", "logs"
	loop := spec.Mesh{
		Name: "loop", Tenant: "shop", Namespace: "eu",
		Functions: map[string]spec.Component{
			"a": function("one", "two"), "b": function("two", "three"), "c": function("shop/eu/three", "one"),
			"self": function("echo", "echo"), "work": dead, "retry": function("dead", "orders"),
			"other": function("public/default/in-partition-3", "out"),
		},
	}
	loop.Functions["other"].Inputs["in.*"] = spec.Input{Regex: new(true)}
	hostile := spec.Mesh{
		Name: `q"\` + "\n",
		Functions: map[string]spec.Component{
			`a"];b[label="` + "\n" + `--> n1`: function(`x"; <script>#&`+"`", "kafka://a"),
		},
	}
	return map[string]spec.Mesh{"Lines": lines, "Loop": loop, "Hostile": hostile, "Empty": {Name: "empty"}}
}

func TestDrawGolden(t *testing.T) {
	t.Parallel()
	for name, mesh := range meshes() {
		g := New(mesh)
		for ext, got := range map[string]string{"dot": g.DOT(), "mmd": g.Mermaid()} {
			path := filepath.Join("testdata", name+"."+ext)
			if os.Getenv("UPDATE_GOLDEN") != "" {
				if err := os.WriteFile(path, []byte(got), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(string(want), got); diff != "" {
				t.Errorf("%s (-want +got):\n%s", path, diff)
			}
		}
	}
}

// What is drawn, listed and expanded never depends on the order of a map.
func TestDeterministic(t *testing.T) {
	t.Parallel()
	first := render(meshes()["Loop"])
	for range 50 {
		if diff := cmp.Diff(first, render(meshes()["Loop"])); diff != "" {
			t.Fatalf("two runs differ:\n%s", diff)
		}
	}
}

func render(m spec.Mesh) []any {
	g := New(m)
	return []any{g.DOT(), g.Mermaid(), g.Nodes(), g.Edges(), g.Cycles(), g.Dangling(), g.Problems(), Expand(m)}
}

func TestDefaultedMeshIsTheSameGraph(t *testing.T) {
	t.Parallel()
	for name, mesh := range meshes() {
		if name == "Loop" {
			continue // a defaulted regular expression is qualified as well
		}
		want, got := New(mesh), New(spec.DefaultMesh(mesh))
		if diff := cmp.Diff(want.DOT(), got.DOT()); diff != "" {
			t.Errorf("%s (-raw +defaulted):\n%s", name, diff)
		}
	}
}

func TestCycles(t *testing.T) {
	t.Parallel()
	cases := map[string]struct {
		mesh spec.Mesh
		want [][]string
	}{
		"None":  {mesh: meshes()["Lines"]},
		"Empty": {},
		"Three": {mesh: meshes()["Loop"], want: [][]string{{"a", "b", "c"}, {"retry", "work"}, {"self"}}},
		"TwoNested": {
			mesh: spec.Mesh{Functions: map[string]spec.Component{
				"a": function("one", "two"), "b": function("two", "one"), "tail": function("two", "three"),
			}},
			want: [][]string{{"a", "b"}},
		},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			g := New(tc.mesh)
			if diff := cmp.Diff(tc.want, g.Cycles()); diff != "" {
				t.Errorf("cycles (-want +got):\n%s", diff)
			}
			several := slices.DeleteFunc(g.Cycles(), func(keys []string) bool { return len(keys) == 1 })
			if len(g.Problems()) != len(several) || spec.HasErrors(g.Problems()) {
				t.Errorf("problems are not one warning per cycle of several: %v", g.Problems())
			}
		})
	}
}

func TestDanglingIsWhatValidationWarnsOf(t *testing.T) {
	t.Parallel()
	for name, mesh := range meshes() {
		var warned, dangling []spec.Path
		var loops []spec.Path // of one component, which validation warns of, too
		for _, keys := range New(mesh).Cycles() {
			if len(keys) == 1 {
				loops = append(loops, spec.MemberPath(spec.KindFunction, keys[0])+".output.topic")
			}
		}
		for _, p := range spec.ValidateMesh(mesh) {
			if p.Severity == spec.SeverityWarning && !slices.Contains(loops, p.Path) {
				warned = append(warned, p.Path)
			}
		}
		for _, d := range New(mesh).Dangling() {
			if _, err := spec.ParseTopic(d.Topic, "", ""); err == nil {
				dangling = append(dangling, d.Path)
			}
		}
		if diff := cmp.Diff(warned, dangling); diff != "" {
			t.Errorf("%s (-warned +dangling):\n%s", name, diff)
		}
	}
}

func TestExpand(t *testing.T) {
	t.Parallel()
	mesh := meshes()["Lines"]
	type row struct {
		Kind                    spec.Kind
		Tenant, Namespace, Name string
	}
	var got []row
	for _, c := range Expand(mesh) {
		got = append(got, row{c.Kind, c.Tenant, c.Namespace, c.Name})
	}
	want := []row{
		{spec.KindSink, "public", "default", "lines-store"},
		{spec.KindFunction, "public", "default", "lines-score"},
		{spec.KindFunction, "public", "default", "lines-enrich"},
		{spec.KindSource, "public", "default", "lines-intake"},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("components (-want +got):\n%s", diff)
	}
}

// Every component comes after all of its consumers that are not in a cycle with it.
func TestExpandConsumersFirst(t *testing.T) {
	t.Parallel()
	for name, mesh := range meshes() {
		g := New(mesh)
		inCycle := map[string]int{}
		for i, cycle := range g.cycles() {
			for _, m := range cycle {
				inCycle[m.id] = i + 1
			}
		}
		next, placed := g.consumers(), map[string]bool{}
		for _, group := range g.groups() {
			for _, m := range group {
				for _, to := range next[m.id] {
					if !placed[to] && (inCycle[m.id] == 0 || inCycle[m.id] != inCycle[to]) {
						t.Errorf("%s: %s comes before its consumer %s", name, m.id, to)
					}
				}
				placed[m.id] = true
			}
		}
	}
}

func TestExpandLeavesTheMeshAlone(t *testing.T) {
	t.Parallel()
	mesh := meshes()["Loop"]
	for _, c := range Expand(mesh) {
		c.Inputs["new"] = spec.Input{}
		c.Runtime.WASM.File = "other"
	}
	if diff := cmp.Diff(meshes()["Loop"], mesh); diff != "" {
		t.Errorf("the mesh changed:\n%s", diff)
	}
}
