//go:build linux || darwin

package acceptance

import (
	"fmt"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// Row: rename, move between namespaces, runtime kind change; what stands alone.
func TestStandAloneIsReplaced(t *testing.T) {
	t.Parallel()
	needPython(t)
	s := newSite(t)
	file := write(t, filepath.Join(t.TempDir(), "shout.py"), "def shout(message):\n    return message\n")
	config := func(name, namespace, runtime string) string {
		return fmt.Sprintf(`
resource "functionmesh_namespace" "eu" { name = "eu" }
resource "functionmesh_function" "f" {
  name      = %q
  namespace = %s
  runtime   = { %s }
  inputs    = { "persistent://public/default/in" = {} }
}`, name, namespace, runtime)
	}
	wasm := fmt.Sprintf("wasm = { file = %q }", built.wasm)
	p := s.project(config("f", `"default"`, wasm))
	p.apply()
	cases := map[string]struct {
		config  string
		replace string
	}{
		"Rename":      {config("g", `"default"`, wasm), "name"},
		"Move":        {config("f", "functionmesh_namespace.eu.name", wasm), "namespace"},
		"RuntimeKind": {config("f", `"default"`, fmt.Sprintf(`python = { file = %q, class = "shout.shout" }`, file)), "runtime"},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			p.t = t
			p.use(tc.config)
			got, o := p.plan()
			c := got["functionmesh_function.f"]
			if !slices.Equal(c.Actions, []string{"delete", "create"}) || !slices.Contains(c.Replace, tc.replace) {
				t.Errorf("%v because of %v:\n%s", c, c.Replace, o.all)
			}
		})
		p.t = t
	}
	p.use(cases["Move"].config)
	p.repair()
	if got := s.components(); len(got) != 0 {
		t.Errorf("%v is left in the namespace it moved out of", got)
	}
}

// meshOf is a mesh with one function between topics in and out.
func meshOf(mesh, component, runtime string) string {
	return fmt.Sprintf(`
resource "functionmesh_topic" "in" { name = "in" }
resource "functionmesh_topic" "out" { name = "out" }
resource "functionmesh_mesh" "m" {
  name      = %q
  functions = {
    %s = { runtime = { %s }, inputs = { (functionmesh_topic.in.name) = {} }, output = { topic = functionmesh_topic.out.name } }
  }
}`, mesh, component, runtime)
}

// Row: a mesh's name replaces it; a component's runtime kind changes in place and
// keeps its subscription; a renamed component is remove and add.
func TestMeshChangesInPlace(t *testing.T) {
	t.Parallel()
	needPython(t)
	const half, all = 3000, 6000
	s := newSite(t)
	file := write(t, filepath.Join(t.TempDir(), "shout.py"), "def shout(message):\n    return str(message) + '!'\n")
	wasm := fmt.Sprintf("wasm = { file = %q }", built.wasm)
	python := fmt.Sprintf(`python = { file = %q, class = "shout.shout" }`, file)
	p := s.project(meshOf("m", "f", wasm))
	p.apply()

	p.use(meshOf("other", "f", wasm))
	if got, o := p.plan(); !slices.Equal(got[meshM].Actions, []string{"delete", "create"}) || !slices.Contains(got[meshM].Replace, "name") {
		t.Errorf("renamed mesh: %v\n%s", got[meshM], o.all)
	}

	p.use(meshOf("m", "f", python))
	got, o := p.plan()
	if !slices.Equal(got[meshM].Actions, []string{"update"}) {
		t.Errorf("runtime kind: %v", got[meshM])
	}
	o.says(t, "created again in place", `"public/default/m-f" is kept`)
	s.produce("in", 0, half)
	producing := s.background("topic", "produce", "in", "--file", numbers(t, half, all))
	p.apply() // while messages come
	if o := producing(); o.code != 0 {
		t.Errorf("produce: %s", o.all)
	}
	p.empty()
	exactly(t, s.consume("out", all), all, "!")

	p.use(meshOf("m", "g", python))
	o = p.expect(map[string]string{meshM: "update functions.f functions.g"})
	o.says(t, `"public/default/m-f" stays`)
	p.repair()
	if got := s.components(); !slices.Equal(got, []string{"function/m-g"}) {
		t.Errorf("there is %v", got)
	}
	s.produce("in", all, all+10)
	exactly(t, s.consume("out", all+10), all+10, "!")
	p.use(meshOf("m", "f", python))
	p.apply()
	// The subscription that stayed has what came meanwhile, and nothing else.
	lost, again := missing(s.consume("out", all+20), all+10, "!")
	if len(lost) > 0 || again != 10 {
		t.Errorf("under its old name the function lost %v and made %d messages again, want the last 10", lost, again)
	}
}

// numbers is a file of from..to-1, one a line.
func numbers(t *testing.T, from, to int) string {
	t.Helper()
	var text strings.Builder
	for i := from; i < to; i++ {
		fmt.Fprintln(&text, i)
	}
	return write(t, filepath.Join(t.TempDir(), "numbers"), text.String())
}

// missing returns the numbers below n that do not occur, and how many came again.
// What follows the number is removed first.
func missing(lines []string, n int, suffix string) (lost []int, again int) {
	seen := make([]int, n)
	for _, l := range lines {
		if i, err := strconv.Atoi(strings.TrimSuffix(l, suffix)); err == nil && i >= 0 && i < n {
			if seen[i]++; seen[i] > 1 {
				again++
			}
		}
	}
	for i, times := range seen {
		if times == 0 {
			lost = append(lost, i)
		}
	}
	return lost, again
}

func exactly(t *testing.T, lines []string, n int, suffix string) {
	t.Helper()
	if lost, again := missing(lines, n, suffix); len(lost) > 0 || again > 0 {
		t.Errorf("%d of %d messages are lost, the first %v; %d came again", len(lost), n, lost[:min(10, len(lost))], again)
	}
}
