//go:build linux || darwin

package acceptance

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"
)

// Row: bad HCL is said at plan, at the attribute; and the platform is not even started.
func TestBadConfiguration(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	wasm := fmt.Sprintf("wasm = { file = %q }", built.wasm)
	function := func(body string) string {
		return "resource \"functionmesh_function\" \"f\" {\n  name = \"f\"\n" + body + "\n}\n"
	}
	cases := map[string]struct {
		hcl   string
		words []string // of the message
		line  string   // of main.tf, as the message quotes it
		warns bool
	}{
		"TopicSyntax": {
			hcl: function("runtime = { " + wasm + " }\n  inputs = { \"a/b\" = {} }"), words: []string{`inputs["a/b"]`}, line: `inputs = { "a/b" = {} }`,
		},
		"BothRuntimes": {
			hcl:   function("runtime = { " + wasm + ", python = { file = \"f.py\", class = \"f.f\" } }\n  inputs = { in = {} }"),
			words: []string{"runtime"}, line: "runtime = {",
		},
		"MissingClass": {
			hcl: function("runtime = { python = { file = \"f.py\" } }\n  inputs = { in = {} }"), words: []string{"runtime.python.class"}, line: "runtime = { python",
		},
		"ParallelismZero": {
			hcl:   function("runtime = { " + wasm + " }\n  inputs = { in = {} }\n  parallelism = 0"),
			words: []string{"parallelism"}, line: "parallelism = 0",
		},
		"MeshDuplicate": {
			hcl: fmt.Sprintf(`resource "functionmesh_mesh" "m" {
  name = "m"
  functions = { x = { runtime = { %s }, inputs = { in = {} } } }
  sinks = { x = { builtin = "file", config = jsonencode({ path = "x" }), inputs = { in = {} } } }
}`, wasm), words: []string{`sinks["x"]`}, line: "sinks = {",
		},
		"MeshDangling": {
			hcl: fmt.Sprintf(`resource "functionmesh_mesh" "m" {
  name = "m"
  functions = { x = { runtime = { %s }, inputs = { nobody = {} } } }
}`, wasm), words: []string{`functions["x"].inputs["nobody"]`, "Warning"}, line: "functions = {", warns: true,
		},
		"NestedSetting": {
			hcl:   function("runtime = { " + wasm + " }\n  inputs = { in = {\n serde_class = \"x.Y\" } }"),
			words: []string{`inputs["in"].serde_class`}, line: `serde_class = "x.Y"`,
		},
		"NotOnThisPlatform": {
			hcl:   function("runtime = { " + wasm + " }\n  inputs = { in = {} }\n  processing_guarantees = \"effectively_once\""),
			words: []string{"processing_guarantees"}, line: `processing_guarantees = "effectively_once"`,
		},
	}
	p := s.project("")
	write(t, filepath.Join(p.dir, "f.py"), "def f(m): return m\n")
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			p.t = t
			p.use(tc.hcl)
			o := p.tryPlan()
			o.says(t, append(tc.words, "on main.tf line", tc.line)...)
			if want := map[bool]int{true: 2, false: 1}[tc.warns]; o.code != want {
				t.Errorf("exit code %d, want %d:\n%s", o.code, want, o.all)
			}
		})
	}
	if _, err := os.Stat(s.recordFile()); err == nil {
		t.Error("the platform was started for a plan of nothing that exists")
	}
}
