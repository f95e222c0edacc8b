package command

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/functionmesh/terraform-provider-functionmesh/internal/catalog"
	"github.com/functionmesh/terraform-provider-functionmesh/internal/engine"
	"github.com/functionmesh/terraform-provider-functionmesh/internal/engine/enginetest"
	"github.com/functionmesh/terraform-provider-functionmesh/internal/spec"
)

// platform is a platform in memory with its function client at hand.
type platform struct {
	clients   catalog.Clients
	functions *enginetest.Memory[spec.Component]
}

func newPlatform() platform {
	topics := catalog.Topic()
	p := platform{clients: catalog.Clients{
		Topics:     enginetest.NewMemory(topics.Key),
		Components: map[spec.Kind]engine.Client[spec.Component]{},
	}}
	for _, kind := range spec.ComponentKinds() {
		memory := enginetest.NewMemory(catalog.Component(kind).Key)
		p.clients.Components[kind] = memory
		if kind == spec.KindFunction {
			p.functions = memory
		}
	}
	return p
}

const meshYAML = `
name: exclaim
functions:
  loud:
    runtime: { wasm: { file: exclaim.wasm } }
    inputs: { lines: {} }
    output: { topic: excited }
  louder:
    runtime: { wasm: { file: exclaim.wasm } }
    inputs: { excited: {} }
    output: { topic: shouted }
`

func meshFile(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	for name, text := range map[string]string{"mesh.yaml": meshYAML, "exclaim.wasm": "code"} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return filepath.Join(dir, "mesh.yaml")
}

func TestMeshLife(t *testing.T) {
	p, file := newPlatform(), meshFile(t)
	steps := []struct {
		line []string
		code int
		out  string
		has  []string
	}{
		{line: []string{"mesh", "list"}, out: "NAME  STATUS  READY  SOURCES  FUNCTIONS  SINKS  MESSAGE\n"},
		{line: []string{"mesh", "create", "-f", file}, has: []string{"mesh exclaim created\n", "2/2 instances ready"}},
		{line: []string{"mesh", "create", "-f", file}, has: []string{"mesh exclaim taken over\n"}},
		{line: []string{"mesh", "update", "-f", file}, has: []string{"mesh exclaim unchanged\n"}},
		{line: []string{"mesh", "list"}, has: []string{"exclaim", "ready", "2/2"}},
		{line: []string{"function", "list"}, has: []string{"exclaim-loud", "exclaim-louder", "wasm", "lines", "excited", "shouted"}},
		{line: []string{"function", "list", "--namespace", "elsewhere"}, out: "NAME  STATUS  READY  CODE  INPUTS  OUTPUT  MESH\n"},
		{line: []string{"function", "scale", "exclaim-loud", "3"}, has: []string{"function exclaim-loud updated\n", "instances ready"}},
		{line: []string{"mesh", "create", "-f", file}, code: ExitFailure},
		{line: []string{"mesh", "update", "-f", file}, has: []string{"mesh exclaim updated\n"}},
		{line: []string{"mesh", "get", "exclaim", "-o", "yaml"}, has: []string{"functions:", "loud:", "name: exclaim"}},
		{line: []string{"mesh", "get", "nobody"}, code: ExitFailure},
		{line: []string{"mesh", "graph", "exclaim", "-o", "dot"}, has: []string{"digraph", "loud"}},
		{line: []string{"mesh", "graph", "exclaim", "-o", "mermaid"}, has: []string{"loud"}},
		{line: []string{"mesh", "graph", "exclaim", "-o", "png"}, code: ExitUsage},
		{line: []string{"mesh", "status", "exclaim"}, has: []string{"mesh exclaim: 2/2 instances ready"}},
		{line: []string{"function", "stats", "exclaim-loud", "-o", "json"}, has: []string{`"phase": "ready"`}},
		{line: []string{"function", "restart", "exclaim-loud"}, has: []string{"function exclaim-loud restarted\n"}},
		{line: []string{"function", "stop", "nobody"}, code: ExitFailure},
		{line: []string{"function", "delete", "nobody"}, code: ExitFailure},
		{line: []string{"mesh", "delete", "exclaim"}, out: "mesh exclaim deleted\n"},
		{line: []string{"function", "list", "-o", "json"}, out: "[]\n"},
	}
	for _, s := range steps {
		got := runLine(t, &p.clients, "", s.line...)
		if got.code != s.code {
			t.Fatalf("%v: exit code %d, want %d: %v\n%s", s.line, got.code, s.code, got.err, got.out)
		}
		if s.out != "" {
			if d := cmp.Diff(s.out, got.out); d != "" {
				t.Errorf("%v: %s", s.line, d)
			}
		}
		for _, part := range s.has {
			if !strings.Contains(got.out, part) {
				t.Errorf("%v: %q is not in\n%s", s.line, part, got.out)
			}
		}
	}
}

// What is odd about a mesh is told once, however many look at it.
func TestMeshWarnsOnce(t *testing.T) {
	p, file := newPlatform(), meshFile(t)
	got := runLine(t, &p.clients, "", "mesh", "create", "-f", file)
	if got.code != ExitOK {
		t.Fatal(got.err)
	}
	lines := strings.Split(strings.TrimSpace(got.errs), "\n")
	slices.Sort(lines)
	if d := cmp.Diff(slices.Compact(slices.Clone(lines)), lines); d != "" || strings.Count(got.errs, `inputs["`) != 1 {
		t.Errorf("told on standard error:\n%s", got.errs)
	}
}

// What get prints is what -f reads: a mesh that is read back changes nothing.
func TestGetIsWhatUpdateReads(t *testing.T) {
	p, file := newPlatform(), meshFile(t)
	if got := runLine(t, &p.clients, "", "mesh", "create", "-f", file); got.err != nil {
		t.Fatal(got.err)
	}
	for _, format := range []string{"yaml", "json"} {
		text := runLine(t, &p.clients, "", "mesh", "get", "exclaim", "-o", format)
		before := p.functions.Writes()
		if got := runLine(t, &p.clients, text.out, "mesh", "update", "-f", "-"); got.err != nil || p.functions.Writes() != before {
			t.Errorf("%s: %v, %d writes\n%s", format, got.err, p.functions.Writes()-before, text.out)
		}
	}
}

func TestEachProblemHasItsLine(t *testing.T) {
	const text = "name: m\nsinks:\n  a: { parallelism: -1 }\n  b: { parallelism: -1 }\n"
	got := runLine(t, nil, text, "mesh", "create", "-f", "-")
	if got.code != ExitFailure || !engine.Is(got.err, engine.Invalid) {
		t.Fatalf("exit code %d: %v", got.code, got.err)
	}
	for _, path := range []string{`sinks["a"].parallelism: `, `sinks["b"].parallelism: `} {
		on := 0
		for line := range strings.Lines(got.err.Error()) {
			if strings.HasPrefix(strings.TrimSpace(line), "-: "+path) {
				on++
			}
		}
		if on != 1 {
			t.Errorf("%s begins %d lines of\n%v", path, on, got.err)
		}
	}
}

func TestGraphOfFileAsksNoPlatform(t *testing.T) {
	got := runLine(t, nil, "", "mesh", "graph", "-f", meshFile(t), "-o", "json")
	if got.err != nil || !strings.Contains(got.out, `"nodes"`) {
		t.Errorf("%v\n%s", got.err, got.out)
	}
}

func TestMeshIsRefused(t *testing.T) {
	cases := map[string]string{
		"CustomResource": "apiVersion: compute.functionmesh.io/v1alpha1\nkind: FunctionMesh\nmetadata: { name: a }\n",
		"UnknownField":   "name: a\nfunctionz: {}\n",
		"NoYAML":         "{{{",
		"MissingCode":    "name: a\nfunctions:\n  f:\n    runtime: { wasm: { file: nowhere.wasm } }\n    inputs: { x: {} }\n",
		"NoInput":        "name: a\nfunctions:\n  f:\n    runtime: { wasm: { url: 'https://example.com/f.wasm' } }\n",
	}
	for name, text := range cases {
		t.Run(name, func(t *testing.T) {
			p := newPlatform()
			got := runLine(t, &p.clients, text, "mesh", "create", "-f", "-")
			if got.code != ExitFailure {
				t.Errorf("exit code %d: %v", got.code, got.err)
			}
			if p.functions.Writes() != 0 {
				t.Error("something was written")
			}
		})
	}
}

func TestPlatformFailureReachesTheUser(t *testing.T) {
	p := newPlatform()
	p.functions.FailNext(enginetest.List, 1, engine.Forbidden)
	got := runLine(t, &p.clients, "", "function", "list")
	if got.code != ExitFailure || !engine.Is(got.err, engine.Forbidden) {
		t.Errorf("exit code %d: %v", got.code, got.err)
	}
}
