//go:build linux || darwin

package acceptance

import (
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// everyKind declares one object of each kind.
func everyKind(wasm, dir string) string {
	return fmt.Sprintf(`
resource "functionmesh_tenant" "x" { name = "shop" }
resource "functionmesh_namespace" "x" {
  tenant = functionmesh_tenant.x.name
  name   = "eu"
}
resource "functionmesh_topic" "x" {
  tenant     = functionmesh_tenant.x.name
  namespace  = functionmesh_namespace.x.name
  name       = "orders"
  partitions = 2
  properties = { team = "a" }
}
resource "functionmesh_function" "x" {
  tenant      = functionmesh_tenant.x.name
  namespace   = functionmesh_namespace.x.name
  name        = "f"
  runtime     = { wasm = { file = %[1]q } }
  inputs      = { (functionmesh_topic.x.name) = {} }
  output      = { topic = "done" }
  parallelism = 2
  user_config = jsonencode({ a = 1 })
}
resource "functionmesh_source" "x" {
  tenant    = functionmesh_tenant.x.name
  namespace = functionmesh_namespace.x.name
  name      = "numbers"
  builtin   = "generator"
  config    = jsonencode({ count = 10 })
  output    = { topic = functionmesh_topic.x.name }
}
resource "functionmesh_sink" "x" {
  tenant    = functionmesh_tenant.x.name
  namespace = functionmesh_namespace.x.name
  name      = "store"
  builtin   = "file"
  config    = jsonencode({ path = "%[2]s/alone.txt" })
  inputs    = { done = {} }
}
resource "functionmesh_mesh" "x" {
  tenant    = functionmesh_tenant.x.name
  namespace = functionmesh_namespace.x.name
  name      = "m"
  functions = { f = { runtime = { wasm = { file = %[1]q } }, inputs = { (functionmesh_topic.x.name) = {} }, output = { topic = "more" } } }
  sinks     = { store = { builtin = "file", config = jsonencode({ path = "%[2]s/mesh.txt" }), inputs = { more = {} } } }
}`, wasm, dir)
}

// Import by id of every kind leaves nothing to plan.
func TestImportOfEveryKind(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	config := everyKind(built.wasm, t.TempDir())
	first := s.project(config)
	first.apply()
	first.empty()
	second := s.project(config)
	for _, imported := range [][2]string{
		{"tenant", "shop"},
		{"namespace", "shop/eu"},
		{"topic", "shop/eu/orders"},
		{"function", "shop/eu/f"},
		{"source", "shop/eu/numbers"},
		{"sink", "shop/eu/store"},
		{"mesh", "shop/eu/m"},
	} {
		if o := second.terraform("import", "-input=false", "functionmesh_"+imported[0]+".x", imported[1]); o.code != 0 {
			t.Fatalf("import of %s:\n%s", imported[0], o.all)
		}
	}
	// The platform does not know the path that code came from: that, and nothing
	// else, is new to the state, and learning it restarts nothing.
	running := s.processes()
	second.expect(map[string]string{
		"functionmesh_function.x": "update runtime.wasm.file", "functionmesh_mesh.x": "update functions.f.runtime.wasm.file",
	})
	second.repair()
	if now := s.processes(); !slices.Equal(now, running) {
		t.Errorf("processes were %v, and are %v", running, now)
	}
	second.destroy()
}

// `state = stopped` and back.
func TestStoppedAndBack(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	config := func(state string) string {
		return fmt.Sprintf(`
resource "functionmesh_function" "f" {
  name    = "f"
  runtime = { wasm = { file = %q } }
  inputs  = { in = {} }
  output  = { topic = "out" }
  state   = %q
}`, built.wasm, state)
	}
	p := s.project(config("running"))
	p.apply()
	s.produce("in", 0, 5)
	exactly(t, s.consume("out", 5), 5, "!")
	p.use(config("stopped"))
	p.expect(map[string]string{"functionmesh_function.f": "update state"})
	p.repair()
	if got := s.processes(); len(got) != 1 {
		t.Errorf("%v run beside a stopped function", got)
	}
	s.produce("in", 5, 10)
	p.use(config("running"))
	p.expect(map[string]string{"functionmesh_function.f": "update state"})
	p.repair()
	exactly(t, s.consume("out", 10), 10, "!")
	s.run("function", "stop", "f")
	p.expect(map[string]string{"functionmesh_function.f": "update state"})
	p.repair()
}

// What is created by somebody else is an error that names the import command.
func TestStrictCreateNamesTheImport(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	mesh := fmt.Sprintf("name: m\nfunctions:\n  f:\n    runtime: {wasm: {file: %s}}\n    inputs: {in: {}}\n", built.wasm)
	s.run("mesh", "create", "-f", write(t, filepath.Join(t.TempDir(), "mesh.yaml"), mesh))
	config := fmt.Sprintf(`
resource "functionmesh_mesh" "m" {
  name      = "m"
  functions = { f = { runtime = { wasm = { file = %q } }, inputs = { in = {} }, parallelism = 2 } }
  adopt     = false
}`, built.wasm)
	p := s.project(config)
	o := p.tryApply()
	if o.code != 1 {
		t.Errorf("apply ended with %d", o.code)
	}
	o.says(t, "exists already", "terraform import functionmesh_mesh", "public/default/m", "adopt = true")
	p.use(strings.Replace(config, "adopt     = false", "adopt     = true", 1))
	p.repair()
}
