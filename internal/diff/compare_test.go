package diff_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/functionmesh/terraform-provider-functionmesh/internal/diff"
	"github.com/functionmesh/terraform-provider-functionmesh/internal/engine"
	"github.com/functionmesh/terraform-provider-functionmesh/internal/spec"
)

type compareCase struct {
	have, want any
	opts       diff.Options
	changes    []engine.Change
}

func runCompare(t *testing.T, cases map[string]compareCase) {
	t.Helper()
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			got := diff.Compare(c.have, c.want, c.opts)
			if d := cmp.Diff(c.changes, got); d != "" {
				t.Errorf("changes (-want +got):\n%s", d)
			}
		})
	}
}

func TestCompareLeaves(t *testing.T) {
	runCompare(t, map[string]compareCase{
		"Equal": {
			have: spec.Component{Parallelism: new(2), Builtin: "file"},
			want: spec.Component{Parallelism: new(2), Builtin: "file"},
		},
		"Set": {
			have:    spec.Component{},
			want:    spec.Component{Parallelism: new(2)},
			changes: []engine.Change{{Path: "parallelism", Op: engine.Set, New: int64(2)}},
		},
		"SetToZero": {
			have:    spec.Component{MaxMessageRetries: new(3), RetainOrdering: new(true)},
			want:    spec.Component{MaxMessageRetries: new(0), RetainOrdering: new(false)},
			changes: []engine.Change{{Path: "retain_ordering", Op: engine.Set, Old: true, New: false}, {Path: "max_message_retries", Op: engine.Set, Old: int64(3), New: int64(0)}},
		},
		"Cleared": {
			have:    spec.Component{MaxMessageRetries: new(3), LogTopic: "x"},
			want:    spec.Component{},
			changes: []engine.Change{{Path: "max_message_retries", Op: engine.Clear, Old: int64(3)}, {Path: "log_topic", Op: engine.Clear, Old: "x"}},
		},
		"CanonicalQuantity": {
			have: spec.Component{Resources: &spec.Resources{Memory: "1Gi", CPU: "1"}},
			want: spec.Component{Resources: &spec.Resources{Memory: "1024Mi", CPU: "1000m"}},
		},
		"OtherQuantity": {
			have:    spec.Component{Resources: &spec.Resources{Memory: "1Gi"}},
			want:    spec.Component{Resources: &spec.Resources{Memory: "1G"}},
			changes: []engine.Change{{Path: "resources.memory", Op: engine.Set, Old: "1Gi", New: "1G"}},
		},
		"CanonicalJSON": {
			have: spec.Component{Config: `{"a":1,"b":[1,2]}`},
			want: spec.Component{Config: "{ \"b\": [1, 2],\n \"a\": 1 }"},
		},
		"NilAndEmptyAreUnset": {
			have: spec.Component{Subscription: &spec.Subscription{}, Inputs: map[string]spec.Input{}},
			want: spec.Component{},
		},
		"NestedLeaf": {
			have:    spec.Component{Subscription: &spec.Subscription{Name: "a", Position: spec.Latest}},
			want:    spec.Component{Subscription: &spec.Subscription{Name: "a", Position: spec.Earliest}},
			changes: []engine.Change{{Path: "subscription.position", Op: engine.Set, Old: "latest", New: "earliest"}},
		},
		"ListsAreSets": {
			have: spec.Tenant{AdminRoles: []string{"a", "b"}},
			want: &spec.Tenant{AdminRoles: []string{"b", "a"}},
		},
		"OtherList": {
			have:    spec.Tenant{AdminRoles: []string{"a"}},
			want:    spec.Tenant{AdminRoles: []string{"a", "c"}},
			changes: []engine.Change{{Path: "admin_roles", Op: engine.Set, Old: []string{"a"}, New: []string{"a", "c"}}},
		},
		"KindIsNoSetting": {
			have: spec.Component{Kind: spec.KindSink},
			want: spec.Component{Kind: spec.KindFunction},
		},
		"OtherTypes": {have: spec.Tenant{Name: "a"}, want: spec.Namespace{Name: "b"}},
	})
}

func TestCompareMaps(t *testing.T) {
	runCompare(t, map[string]compareCase{
		"EntryAppears": {
			have:    spec.Component{Inputs: map[string]spec.Input{"a": {}}},
			want:    spec.Component{Inputs: map[string]spec.Input{"a": {}, "b": {}}},
			changes: []engine.Change{{Path: `inputs["b"]`, Op: engine.Set, New: spec.Input{}}},
		},
		"EntryDisappears": {
			have:    spec.Component{Inputs: map[string]spec.Input{"a": {}, "b": {Schema: "json"}}},
			want:    spec.Component{Inputs: map[string]spec.Input{"a": {}}},
			changes: []engine.Change{{Path: `inputs["b"]`, Op: engine.Clear, Old: spec.Input{Schema: "json"}}},
		},
		"LeafOfEntry": {
			have:    spec.Component{Inputs: map[string]spec.Input{"persistent://a/b/c": {Schema: "json"}}},
			want:    spec.Component{Inputs: map[string]spec.Input{"persistent://a/b/c": {Schema: "string"}}},
			changes: []engine.Change{{Path: `inputs["persistent://a/b/c"].schema`, Op: engine.Set, Old: "json", New: "string"}},
		},
		"SortedByKey": {
			want: spec.Topic{Properties: map[string]string{"c": "3", "a": "1", "b": "2"}},
			have: spec.Topic{},
			changes: []engine.Change{
				{Path: `properties["a"]`, Op: engine.Set, New: "1"},
				{Path: `properties["b"]`, Op: engine.Set, New: "2"},
				{Path: `properties["c"]`, Op: engine.Set, New: "3"},
			},
		},
		"WholeComponent": {
			have:    spec.Mesh{Functions: map[string]spec.Component{"a": {Builtin: "x"}}},
			want:    spec.Mesh{},
			changes: []engine.Change{{Path: `functions["a"]`, Op: engine.Clear, Old: spec.Component{Builtin: "x"}}},
		},
	})
}

func TestCompareRules(t *testing.T) {
	server := diff.Rules{"properties": diff.Server, "properties[*]": diff.Default, "partitions": diff.Server, "name": diff.Replace}
	runCompare(t, map[string]compareCase{
		"ServerUnset": {
			have: spec.Topic{Partitions: new(4), Properties: map[string]string{"a": "1"}}, want: spec.Topic{},
			opts: diff.Options{Rules: server},
		},
		"ServerOwned": {
			have: spec.Topic{Partitions: new(4), Properties: map[string]string{"a": "1"}}, want: spec.Topic{},
			opts: diff.Options{Rules: server, Owned: []string{"partitions", "properties"}},
			changes: []engine.Change{
				{Path: "partitions", Op: engine.Clear, Old: int64(4)},
				{Path: `properties["a"]`, Op: engine.Clear, Old: "1"},
			},
		},
		"ServerSet": {
			have:    spec.Topic{Partitions: new(4)},
			want:    spec.Topic{Partitions: new(5)},
			opts:    diff.Options{Rules: server},
			changes: []engine.Change{{Path: "partitions", Op: engine.Set, Old: int64(4), New: int64(5)}},
		},
		"WrittenMapIsOurs": {
			have:    spec.Topic{Properties: map[string]string{"a": "1", "b": "2"}},
			want:    spec.Topic{Properties: map[string]string{"a": "1"}},
			opts:    diff.Options{Rules: server},
			changes: []engine.Change{{Path: `properties["b"]`, Op: engine.Clear, Old: "2"}},
		},
		"InheritedByEntries": {
			have:    spec.Component{Extra: map[string]spec.JSON{"a": "1", "b": "2"}},
			want:    spec.Component{Extra: map[string]spec.JSON{"a": "3"}},
			opts:    diff.Options{Rules: diff.Rules{"extra": diff.Server}},
			changes: []engine.Change{{Path: `extra["a"]`, Op: engine.Set, Old: "1", New: "3"}},
		},
		"Replace": {
			have: spec.Topic{Name: "a"}, want: spec.Topic{Name: "b"},
			opts:    diff.Options{Rules: server},
			changes: []engine.Change{{Path: "name", Op: engine.Replace, Old: "a", New: "b"}},
		},
		"ClientOnlyBelowAPattern": {
			have: spec.Mesh{Sinks: map[string]spec.Component{"s": {Name: "a"}}},
			want: spec.Mesh{Sinks: map[string]spec.Component{"s": {Name: "b"}}},
			opts: diff.Options{Rules: diff.Rules{"sinks[*].name": diff.ClientOnly}},
		},
	})
}

func TestCompareHoles(t *testing.T) {
	in := func(schema string) spec.Component {
		return spec.Component{Builtin: schema, Inputs: map[string]spec.Input{"a": {Schema: schema, SerdeClass: schema}}}
	}
	beside := engine.Change{Path: "builtin", Op: engine.Set, Old: "x", New: "y"}
	runCompare(t, map[string]compareCase{
		"TheLeaf": {
			have: in("x"), want: in("y"), opts: diff.Options{Holes: []spec.Path{`inputs["a"].schema`}},
			changes: []engine.Change{beside, {Path: `inputs["a"].serde_class`, Op: engine.Set, Old: "x", New: "y"}},
		},
		"AboveTheLeaf": {
			have: in("x"), want: in("y"), opts: diff.Options{Holes: []spec.Path{"inputs"}},
			changes: []engine.Change{beside},
		},
		"BelowAnEntry": {
			have: spec.Component{}, want: spec.Component{Inputs: map[string]spec.Input{"a": {}}},
			opts: diff.Options{Holes: []spec.Path{`inputs["a"].schema`}},
		},
		"Everything": {have: in("x"), want: in("y"), opts: diff.Options{Holes: []spec.Path{""}}},
		"AnotherOfTheSamePrefix": {
			have: in("x"), want: spec.Component{Builtin: "y", Inputs: in("x").Inputs},
			opts: diff.Options{Holes: []spec.Path{"built"}}, changes: []engine.Change{beside},
		},
	})
}

func code(c spec.Code) spec.Component { return spec.Component{Runtime: &spec.Runtime{Python: &c}} }

func TestCompareCode(t *testing.T) {
	const path = "runtime.python"
	replace := diff.Rules{"runtime": diff.Replace}
	runCompare(t, map[string]compareCase{
		"SameDigest": {
			have: code(spec.Code{URL: "function://a/b/c@1", SHA256: "aa"}),
			want: code(spec.Code{File: "c.py", SHA256: "aa"}),
		},
		"OtherDigestInPlace": {
			have: code(spec.Code{SHA256: "aa"}), want: code(spec.Code{File: "c.py", SHA256: "bb"}),
			opts:    diff.Options{Rules: replace},
			changes: []engine.Change{{Path: path + ".sha256", Op: engine.Set, Old: "aa", New: "bb"}},
		},
		"NoDigestStored": {
			have: code(spec.Code{URL: "x"}), want: code(spec.Code{File: "c.py", SHA256: "bb"}),
			changes: []engine.Change{{Path: path + ".sha256", Op: engine.Set, New: "bb"}},
		},
		"FileIsNeverCompared": {
			have: code(spec.Code{File: "/other/c.py", SHA256: "aa"}), want: code(spec.Code{File: "c.py", SHA256: "aa"}),
		},
		"DigestOfTheFileUnknown": {
			have: code(spec.Code{SHA256: "aa"}), want: code(spec.Code{File: "c.py"}),
		},
		"OtherURL": {
			have: code(spec.Code{URL: "function://a/b/c@1", SHA256: "aa"}), want: code(spec.Code{URL: "function://a/b/c@2"}),
			changes: []engine.Change{{Path: path + ".url", Op: engine.Set, Old: "function://a/b/c@1", New: "function://a/b/c@2"}},
		},
		"OtherClass": {
			have: code(spec.Code{SHA256: "aa", Class: "a.A"}), want: code(spec.Code{File: "c.py", SHA256: "aa", Class: "a.B"}),
			changes: []engine.Change{{Path: path + ".class", Op: engine.Set, Old: "a.A", New: "a.B"}},
		},
		"DigestIsAHole": {
			have: code(spec.Code{SHA256: "aa"}), want: code(spec.Code{File: "c.py", SHA256: "bb"}),
			opts: diff.Options{Holes: []spec.Path{path + ".sha256"}},
		},
		"AnotherRuntime": {
			have: code(spec.Code{SHA256: "aa", Class: "a.A"}),
			want: spec.Component{Runtime: &spec.Runtime{WASM: &spec.Code{File: "c.wasm", SHA256: "aa"}}},
			opts: diff.Options{Rules: replace}, changes: []engine.Change{{Path: "runtime", Op: engine.Replace, Old: "python", New: "wasm"}},
		},
		"AnotherRuntimeWithAHole": {
			have: code(spec.Code{SHA256: "aa"}),
			want: spec.Component{Runtime: &spec.Runtime{WASM: &spec.Code{}}},
			opts: diff.Options{Holes: []spec.Path{"runtime.wasm.sha256"}}, changes: []engine.Change{{Path: "runtime", Op: engine.Set, Old: "python", New: "wasm"}},
		},
		"RuntimeIsAHole": {
			have: code(spec.Code{SHA256: "aa"}), want: spec.Component{},
			opts: diff.Options{Holes: []spec.Path{"runtime.wasm"}},
		},
	})
}
