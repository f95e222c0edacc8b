//go:build linux || darwin

package acceptance

import (
	"path/filepath"
	"strings"
	"testing"
)

// Row: wait_for_ready fails fast, says why, and keeps what was made.
func TestUnreadyFailsFast(t *testing.T) {
	t.Parallel()
	needPython(t)
	s := newSite(t)
	const good = "def shout(message):\n    return str(message) + '!'\n"
	cases := []struct {
		name  string
		code  string
		class string
		words []string
	}{
		{"ClassNotFound", good, "shout.nope", []string{"ClassNotFound", "nope"}},
		{"ModuleFails", "raise RuntimeError('the cupboard is bare')\n", "shout.shout", []string{"the cupboard is bare"}},
		{"CrashLoop", "import os, sys\nprint('about to leave', file=sys.stderr, flush=True)\nos._exit(3)\n", "shout.shout", []string{"about to leave"}},
	}
	for _, tc := range cases {
		t.Run(tc.name, func(t *testing.T) {
			s.t = t
			file := write(t, filepath.Join(t.TempDir(), "shout.py"), tc.code)
			p := s.project(strings.Replace(pythonFunction(file, ""), "shout.shout", tc.class, 1))
			o := p.tryApply()
			if o.code != 1 {
				t.Fatalf("apply ended with %d:\n%s", o.code, o.all)
			}
			o.says(t, append(tc.words, "Function is not ready", "terraform untaint functionmesh_function")...)
			if got := p.terraform("state", "list"); !strings.Contains(got.out, "functionmesh_function.f") {
				t.Errorf("the state is %q", got.out)
			}
			write(t, file, good)
			p.use(pythonFunction(file, ""))
			p.repair()
			p.destroy()
		})
		s.t = t
	}
}

// A change that breaks a running function is not tainted: it is mended in place.
func TestUnreadyUpdateIsMendedInPlace(t *testing.T) {
	t.Parallel()
	needPython(t)
	s := newSite(t)
	file := write(t, filepath.Join(t.TempDir(), "shout.py"), "def shout(message):\n    return str(message) + '!'\n")
	good := pythonFunction(file, "")
	p := s.project(good)
	p.apply()
	p.use(strings.Replace(good, "shout.shout", "shout.nope", 1))
	o := p.tryApply()
	if o.code != 1 {
		t.Errorf("apply ended with %d:\n%s", o.code, o.all)
	}
	o.says(t, "Function is not ready", "nope")
	s.produce("in", 0, 3)
	p.use(good)
	p.expect(map[string]string{"functionmesh_function.f": "update runtime.python.class"})
	p.repair()
	exactly(t, s.consume("out", 3), 3, "!")
}
