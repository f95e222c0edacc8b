//go:build linux || darwin

package acceptance

import (
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
)

// project is a folder with HCL and a state.
type project struct {
	t   *testing.T
	s   *site
	dir string
}

const onLocal = "provider \"functionmesh\" {\n  local = {}\n}\n"

// project makes an initialised folder with this HCL, on the site's platform.
func (s *site) project(hcl string) *project {
	s.t.Helper()
	p := &project{t: s.t, s: s, dir: s.t.TempDir()}
	must(s.t, os.CopyFS(p.dir, os.DirFS(built.project)))
	p.hcl(onLocal + hcl)
	return p
}

// hcl replaces the configuration.
func (p *project) hcl(text string) {
	p.t.Helper()
	write(p.t, filepath.Join(p.dir, "main.tf"), text)
}

// use replaces the configuration behind the usual provider block.
func (p *project) use(text string) { p.t.Helper(); p.hcl(onLocal + text) }

func (p *project) terraform(args ...string) outcome {
	p.t.Helper()
	cmd := p.s.command(p.dir, built.terraform, append(args, "-no-color")...)
	return finish(p.t, cmd, cmd.Run)
}

func (p *project) tryApply(more ...string) outcome {
	p.t.Helper()
	return p.terraform(append([]string{"apply", "-input=false", "-auto-approve"}, more...)...)
}

func (p *project) apply(more ...string) outcome {
	p.t.Helper()
	o := p.tryApply(more...)
	if o.code != 0 {
		p.t.Fatalf("apply:\n%s", o.all)
	}
	return o
}

func (p *project) destroy() {
	p.t.Helper()
	if o := p.terraform("destroy", "-input=false", "-auto-approve"); o.code != 0 {
		p.t.Fatalf("destroy:\n%s", o.all)
	}
}

func (p *project) tryPlan(more ...string) outcome {
	p.t.Helper()
	return p.terraform(append([]string{"plan", "-input=false", "-detailed-exitcode"}, more...)...)
}

// empty fails the test unless there is nothing to do.
func (p *project) empty() {
	p.t.Helper()
	if o := p.tryPlan(); o.code != 0 {
		p.t.Fatalf("the plan is not empty (exit code %d):\n%s", o.code, o.all)
	}
}

// planned is what a plan would do to one resource.
type planned struct {
	Actions []string
	Paths   []string // that differ, sorted
	Replace []string // what makes it a replacement
}

func (c planned) String() string {
	return strings.TrimSpace(strings.Join(c.Actions, "+") + " " + strings.Join(c.Paths, " "))
}

// plan is what would be done, by address, without what stays as it is.
func (p *project) plan() (map[string]planned, outcome) {
	p.t.Helper()
	o := p.tryPlan("-out=saved")
	if o.code == 1 {
		p.t.Fatalf("plan:\n%s", o.all)
	}
	shown := p.terraform("show", "-json", "saved")
	var doc struct {
		ResourceChanges []struct {
			Address string `json:"address"`
			Change  struct {
				Actions      []string `json:"actions"`
				Before       any      `json:"before"`
				After        any      `json:"after"`
				AfterUnknown any      `json:"after_unknown"`
				ReplacePaths [][]any  `json:"replace_paths"`
			} `json:"change"`
		} `json:"resource_changes"`
	}
	if err := json.Unmarshal([]byte(shown.out), &doc); err != nil {
		p.t.Fatalf("show -json: %v\n%s", err, shown.all)
	}
	out := map[string]planned{}
	for _, r := range doc.ResourceChanges {
		if slices.Equal(r.Change.Actions, []string{"no-op"}) {
			continue
		}
		c := planned{Actions: r.Change.Actions}
		if r.Change.Before != nil && r.Change.After != nil {
			c.Paths = differences("", r.Change.Before, r.Change.After)
		}
		for _, path := range r.Change.ReplacePaths {
			c.Replace = append(c.Replace, fmt.Sprint(path[0]))
		}
		out[r.Address] = c
	}
	return out, o
}

// differences are the paths at which two JSON values differ; an object that is there
// on one side only is one path.
func differences(at string, a, b any) []string {
	before, ok := a.(map[string]any)
	after, both := b.(map[string]any)
	if !ok || !both {
		if reflect.DeepEqual(a, b) {
			return nil
		}
		return []string{at}
	}
	keys := maps.Clone(before)
	maps.Copy(keys, after)
	var out []string
	for _, k := range slices.Sorted(maps.Keys(keys)) {
		out = append(out, differences(strings.TrimPrefix(at+"."+k, "."), before[k], after[k])...)
	}
	return out
}

// expect fails the test unless the plan does exactly this: address -> actions and
// paths, as planned prints them.
func (p *project) expect(want map[string]string) outcome {
	p.t.Helper()
	got, o := p.plan()
	said := map[string]string{}
	for address, c := range got {
		said[address] = c.String()
	}
	if !maps.Equal(said, want) {
		p.t.Errorf("the plan is %q, want %q\n%s", said, want, o.all)
	}
	return o
}

// repair applies, and nothing is left to do.
func (p *project) repair() {
	p.t.Helper()
	p.apply()
	p.empty()
}

// pythonFunction is a function f from in to out with the code of a file.
func pythonFunction(file, more string) string {
	return fmt.Sprintf(`
resource "functionmesh_function" "f" {
  name    = "f"
  runtime = { python = { file = %q, class = "shout.shout" } }
  inputs  = { in = {} }
  output  = { topic = "out" }
  %s
}`, file, more)
}

func needPython(t *testing.T) {
	t.Helper()
	if _, err := exec.LookPath("python3"); err != nil {
		refuseToRun(t, "there is no python3 on PATH")
	}
}
