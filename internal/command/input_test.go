package command

import (
	"encoding/json"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/functionmesh/terraform-provider-functionmesh/internal/engine"
	"github.com/functionmesh/terraform-provider-functionmesh/internal/spec"
)

func TestComponentKind(t *testing.T) {
	cases := map[string]struct {
		doc  string
		want spec.Kind
		bad  bool
	}{
		"Function":       {`{"runtime":{},"inputs":{},"output":{}}`, spec.KindFunction, false},
		"Source":         {`{"builtin":"file","output":{}}`, spec.KindSource, false},
		"Sink":           {`{"builtin":"file","inputs":{}}`, spec.KindSink, false},
		"Written":        {`{"kind":"sink"}`, spec.KindSink, false},
		"CustomResource": {`{"kind":"FunctionMesh"}`, "", true},
		"Mesh":           {`{"kind":"mesh"}`, "", true},
		"NoKind":         {`{"kind":7}`, "", true},
		"Nothing":        {`{"name":"a"}`, "", true},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			var fields map[string]json.RawMessage
			if err := json.Unmarshal([]byte(c.doc), &fields); err != nil {
				t.Fatal(err)
			}
			got, err := componentKind(fields)
			if got != c.want || (err != nil) != c.bad {
				t.Errorf("got %q, %v", got, err)
			}
		})
	}
}

func TestResolveCode(t *testing.T) {
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "a.wasm"), []byte("code"), 0o600); err != nil {
		t.Fatal(err)
	}
	const sum = "5694d08a2e53ffcae0c3103e5ad6f6076abd960eb1f8a56577040bc1028f702b"
	file := func(f string) *spec.Runtime { return &spec.Runtime{WASM: &spec.Code{File: f}} }
	cases := map[string]struct {
		runtime *spec.Runtime
		want    *spec.Runtime
	}{
		"Relative":  {file("a.wasm"), &spec.Runtime{WASM: &spec.Code{File: filepath.Join(dir, "a.wasm"), SHA256: sum}}},
		"Absolute":  {file(filepath.Join(dir, "a.wasm")), &spec.Runtime{WASM: &spec.Code{File: filepath.Join(dir, "a.wasm"), SHA256: sum}}},
		"Elsewhere": {&spec.Runtime{Go: &spec.Code{URL: "https://example.com/f"}}, &spec.Runtime{Go: &spec.Code{URL: "https://example.com/f"}}},
		"Connector": {nil, nil},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			got := spec.Component{Runtime: c.runtime}
			if err := resolveCode(&got, dir); err != nil {
				t.Fatal(err)
			}
			if d := cmp.Diff(c.want, got.Runtime); d != "" {
				t.Error(d)
			}
		})
	}
	missing := spec.Component{Runtime: file("b.wasm")}
	if err := resolveCode(&missing, dir); !isNotExist(err) {
		t.Errorf("a missing file gave %v", err)
	}
}

func isNotExist(err error) bool {
	var path *fs.PathError
	return err != nil && errors.As(err, &path)
}

func TestReportTellsEveryProblem(t *testing.T) {
	var warnings strings.Builder
	a := &app{Options: Options{Stderr: &warnings}}
	err := a.report("mesh.yaml", []spec.Problem{
		{Path: "name", Severity: spec.SeverityError, Message: "it is missing", Hint: "Give one."},
		{Path: `functions["a"].inputs["b"]`, Severity: spec.SeverityWarning, Message: "nobody feeds it"},
		{Path: "sinks", Severity: spec.SeverityError, Message: "wrong"},
	})
	if !engine.Is(err, engine.Invalid) {
		t.Fatalf("got %v", err)
	}
	for _, part := range []string{"mesh.yaml: name: it is missing. Give one.", "mesh.yaml: sinks: wrong"} {
		if !strings.Contains(err.Error(), part) {
			t.Errorf("%q is not in %q", part, err)
		}
	}
	if strings.Contains(err.Error(), "nobody feeds it") || !strings.Contains(warnings.String(), "nobody feeds it") {
		t.Errorf("a warning belongs to standard error only: %v, %q", err, warnings.String())
	}
	if err := a.report("mesh.yaml", nil); err != nil {
		t.Errorf("no problem gave %v", err)
	}
}

func TestSecretFromPipe(t *testing.T) {
	cases := map[string]struct {
		in, want string
		bad      bool
	}{
		"Plain":     {"value", "value", false},
		"Newline":   {"value\n", "value", false},
		"Windows":   {"value\r\n", "value", false},
		"Multiline": {"a\nb\n", "a\nb", false},
		"Spaces":    {" value \n", " value ", false},
		"Empty":     {"\n", "", true},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			a := &app{Options: Options{Stdin: strings.NewReader(c.in)}}
			got, err := a.readSecret("shop/key")
			if (err != nil) != c.bad || got.Reveal() != c.want {
				t.Errorf("got %q, %v", got.Reveal(), err)
			}
		})
	}
}

func FuzzDecodeComponent(f *testing.F) {
	f.Add([]byte("builtin: file\noutput: {topic: a}\nconfig: {path: b}\n"))
	f.Add([]byte("kind: function\nruntime: {wasm: {file: a}}\ninputs: {a: {}}\n"))
	f.Add([]byte("[1, 2]"))
	f.Fuzz(func(t *testing.T, raw []byte) {
		c, _, _, err := decodeComponent(raw)
		if err == nil && c.Kind == "" {
			t.Error("a component without a kind")
		}
	})
}

func TestComponentFileThatCannotBeMeant(t *testing.T) {
	for name, text := range map[string]string{
		"KeyTwice":     "name: a\nname: b\nruntime: {wasm: {file: a.wasm}}\n",
		"KeyTwiceJSON": `{"name": "a", "inputs": ["x"], "py": "a.py", "inputs": ["y"]}`,
		"NoObject":     "- a\n- b\n",
	} {
		t.Run(name, func(t *testing.T) {
			if c, _, _, err := decodeComponent([]byte(text)); err == nil {
				t.Errorf("taken as %+v", c)
			}
		})
	}
}
