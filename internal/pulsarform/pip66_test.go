package pulsarform

import (
	"errors"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/functionmesh/terraform-provider-functionmesh/internal/spec"
)

const pip66Text = `
name: words
namespace: default
tenant: public
jarFile: /jars/words.jar
functions:
  - name: split
    classname: org.example.Split
    replicas: 2
    inputs: [persistent://public/default/in]
    output: mid
  - name: count
    classname: org.example.Count
    inputs:
      - mid
`

func TestParsePIP66(t *testing.T) {
	java := func(class string) *spec.Runtime {
		return &spec.Runtime{Java: &spec.Code{File: "/jars/words.jar", Class: class}}
	}
	want := spec.Mesh{Name: "words", Tenant: "public", Namespace: "default", Functions: map[string]spec.Component{
		"split": {
			Kind: spec.KindFunction, Runtime: java("org.example.Split"), Parallelism: opt(2),
			Inputs: map[string]spec.Input{"persistent://public/default/in": {}}, Output: &spec.Output{Topic: "mid"},
		},
		"count": {Kind: spec.KindFunction, Runtime: java("org.example.Count"), Inputs: map[string]spec.Input{"mid": {}}},
	}}
	got, problems, err := ParsePIP66([]byte(pip66Text))
	if err != nil || problems != nil {
		t.Fatalf("got %v, %v", problems, err)
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Error(d)
	}
	text, problems, err := FormatPIP66(got)
	if err != nil || problems != nil {
		t.Fatalf("format: %v, %v", problems, err)
	}
	again, _, err := ParseMeshYAML(text)
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(want, again); d != "" {
		t.Errorf("after a round trip:\n%s", d)
	}
}

func TestPIP66Problems(t *testing.T) {
	for name, tc := range map[string]struct {
		text string
		want []spec.Path
	}{
		"Empty":   {"name: m", []spec.Path{"jarFile", "functions"}},
		"Unknown": {"{jarFile: j, sinks: [], functions: [{name: f, classname: C, inputs: [a], cpu: 1}]}", []spec.Path{"sinks", `functions["f"].cpu`}},
		"Missing": {"{jarFile: j, functions: [{}]}", []spec.Path{"functions[0].name", "functions[0].runtime.java.class", "functions[0].inputs"}},
		"Twice":   {"{jarFile: j, functions: [{name: f, classname: C, inputs: [a]}, {name: f}]}", []spec.Path{`functions["f"]`}},
	} {
		t.Run(name, func(t *testing.T) {
			_, problems, err := ParsePIP66([]byte(tc.text))
			if err != nil {
				t.Fatal(err)
			}
			var got []spec.Path
			for _, p := range problems {
				got = append(got, p.Path)
			}
			if d := cmp.Diff(tc.want, got); d != "" {
				t.Error(d)
			}
		})
	}
}

func TestFormatPIP66SaysWhatItCannot(t *testing.T) {
	m := spec.Mesh{
		Sinks: map[string]spec.Component{"s": {}},
		Functions: map[string]spec.Component{
			"a": {Runtime: &spec.Runtime{Java: &spec.Code{File: "a.jar"}}},
			"b": {Runtime: &spec.Runtime{Java: &spec.Code{File: "b.jar"}}, LogTopic: "l"},
			"c": {Runtime: &spec.Runtime{Python: &spec.Code{File: "c.py"}}},
		},
	}
	_, problems, err := FormatPIP66(m)
	if err != nil {
		t.Fatal(err)
	}
	got := map[spec.Path]bool{}
	for _, p := range problems {
		got[p.Path] = true
	}
	want := map[spec.Path]bool{
		"sinks": true, `functions["b"].runtime`: true, `functions["b"].log_topic`: true, `functions["c"].runtime`: true,
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Error(d)
	}
}

func TestParseMeshYAMLRefuses(t *testing.T) {
	for name, tc := range map[string]struct {
		text string
		want error
	}{
		"CustomResource": {"apiVersion: compute.functionmesh.io/v1alpha1\nkind: FunctionMesh\nspec: {}", ErrCustomResource},
		"TwoDocuments":   {"name: a\n---\nname: b\n", nil},
		"DuplicateKey":   {"name: a\nname: b\n", nil},
		"NoMapping":      {"- a\n", nil},
		"NoYAML":         {"a: [", nil},
		"ComponentList":  {"name: m\nsinks: [a]", nil},
	} {
		t.Run(name, func(t *testing.T) {
			_, _, err := ParseMeshYAML([]byte(tc.text))
			if err == nil || tc.want != nil && !errors.Is(err, tc.want) {
				t.Fatalf("got %v, want %v", err, tc.want)
			}
		})
	}
}

func TestParseMeshYAMLInOurWords(t *testing.T) {
	got, problems, err := ParseMeshYAML([]byte(`
# a comment first
---
name: lines
sources:
  intake: { builtin: file, config: { path: in.txt }, output: { topic: lines } }
functions:
  shout: { runtime: { wasm: { file: shout.wasm } }, inputs: { lines: {} }, user_config: '{"a":1}' }
`))
	if err != nil || problems != nil {
		t.Fatalf("got %v, %v", problems, err)
	}
	want := spec.Mesh{
		Name: "lines",
		Sources: map[string]spec.Component{"intake": {
			Kind: spec.KindSource, Builtin: "file", Config: `{"path":"in.txt"}`, Output: &spec.Output{Topic: "lines"},
		}},
		Functions: map[string]spec.Component{"shout": {
			Kind: spec.KindFunction, Runtime: &spec.Runtime{WASM: &spec.Code{File: "shout.wasm"}},
			Inputs: map[string]spec.Input{"lines": {}}, UserConfig: `{"a":1}`,
		}},
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Error(d)
	}
}

func FuzzParseMeshYAML(f *testing.F) {
	f.Add([]byte(pip66Text))
	f.Add([]byte("name: m\nfunctions: {a: {user_config: {x: 1}}}\n"))
	f.Add([]byte("apiVersion: v1\nkind: {}\n"))
	f.Add([]byte("---\n--- \nfunctions: [~, 1]\n"))
	f.Fuzz(func(t *testing.T, text []byte) {
		if mesh, _, err := ParseMeshYAML(text); err == nil {
			if _, _, err := FormatPIP66(mesh); err != nil {
				t.Fatalf("format: %v", err)
			}
		}
		if mesh, problems, err := ParsePIP66(text); err == nil && len(problems) == 0 {
			if again, _, err := FormatPIP66(mesh); err != nil || len(again) == 0 {
				t.Fatalf("format: %v", err)
			}
		}
	})
}
