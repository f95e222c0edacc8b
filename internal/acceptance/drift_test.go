//go:build linux || darwin

package acceptance

import (
	"fmt"
	"net/http"
	"path/filepath"
	"testing"
)

// twoFunctions is a topic, a stand-alone function and a mesh of two, all on WASM.
func twoFunctions(wasm string) string {
	return fmt.Sprintf(`
resource "functionmesh_topic" "in" {
  name       = "in"
  properties = { team = "a" }
}
resource "functionmesh_function" "alone" {
  name        = "alone"
  runtime     = { wasm = { file = %[1]q } }
  inputs      = { (functionmesh_topic.in.name) = {} }
  output      = { topic = "out" }
  user_config = jsonencode({ region = "eu" })
  state       = "running"
}
resource "functionmesh_mesh" "m" {
  name = "m"
  functions = {
    first  = { runtime = { wasm = { file = %[1]q } }, inputs = { (functionmesh_topic.in.name) = {} }, output = { topic = "middle" } }
    second = { runtime = { wasm = { file = %[1]q } }, inputs = { middle = {} }, output = { topic = "end" } }
  }
}`, wasm)
}

const (
	topicIn = "functionmesh_topic.in"
	alone   = "functionmesh_function.alone"
	meshM   = "functionmesh_mesh.m"
)

// Row: object changed or deleted behind Terraform.
func TestChangedOrDeletedBehindTerraform(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	p := s.project(twoFunctions(built.wasm))
	p.apply()
	p.empty()
	cases := []struct {
		name   string
		behind func()
		want   map[string]string
	}{
		{"EachAttribute", func() {
			if status, answer := s.rest(http.MethodPut, "/admin/v2/persistent/public/default/in/properties", map[string]string{"team": "b"}); status >= 300 {
				t.Fatalf("properties: %d %s", status, answer)
			}
			s.edit("alone", `{"userConfig":{"region":"us"}}`)
			s.run("function", "scale", "m-second", "2")
		}, map[string]string{
			topicIn: "update properties.team", alone: "update user_config", meshM: "update functions.second.parallelism",
		}},
		{"State", func() { s.run("function", "stop", "alone") }, map[string]string{alone: "update state"}},
		{"MoreAttributes", func() {
			s.edit("alone", `{"timeoutMs":700,"maxMessageRetries":1}`)
			s.edit("m-first", `{"processingGuarantees":"ATMOST_ONCE"}`)
		}, map[string]string{
			alone: "update max_message_retries timeout_ms", meshM: "update functions.first.processing_guarantees",
		}},
		{"Deleted", func() {
			s.run("function", "delete", "m-second")
			s.run("function", "delete", "alone")
		}, map[string]string{alone: "create", meshM: "update functions.second"}},
		{"MeshDeleted", func() { s.run("mesh", "delete", "m") }, map[string]string{meshM: "create"}},
	}
	for _, tc := range cases {
		t.Run(tc.name, func(t *testing.T) {
			tc.behind()
			p.t, s.t = t, t
			p.expect(tc.want)
			p.repair()
		})
		p.t, s.t = t, t
	}
	s.produce("in", 0, 20)
	if got := s.consume("end", 20); len(got) != 20 || got[0] != "0!!" {
		t.Errorf("the repaired mesh made %q", got)
	}
	p.destroy()
	if left := s.components(); len(left) > 0 {
		t.Errorf("%v is left", left)
	}
}

// Row: an edited function file is a diff of its digest alone.
func TestEditedFileIsADiff(t *testing.T) {
	t.Parallel()
	needPython(t)
	s := newSite(t)
	file := filepath.Join(t.TempDir(), "shout.py")
	write(t, file, "def shout(message):\n    return str(message) + '?'\n")
	p := s.project(pythonFunction(file, ""))
	p.apply()
	s.produce("in", 0, 1)
	if got := s.consume("out", 1); got[0] != "0?" {
		t.Errorf("the first code made %q", got)
	}
	write(t, file, "def shout(message):\n    return str(message) + '!'\n")
	p.expect(map[string]string{"functionmesh_function.f": "update runtime.python.sha256"})
	p.repair()
	s.produce("in", 1, 2)
	if got := s.consume("out", 2); got[1] != "1!" {
		t.Errorf("the second code made %q", got)
	}
	write(t, file, "def shout(message):\n    return str(message) + '?'\n")
	p.expect(map[string]string{"functionmesh_function.f": "update runtime.python.sha256"})
}
