//go:build linux || darwin

package acceptance

import (
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// through is a mesh in -> f -> out that writes to a file.
func through(wasm, out string) string {
	return fmt.Sprintf(`
resource "functionmesh_topic" "in" { name = "in" }
resource "functionmesh_mesh" "m" {
  name      = "m"
  functions = { f = { runtime = { wasm = { file = %q } }, inputs = { (functionmesh_topic.in.name) = {} }, output = { topic = "out" } } }
  sinks     = { store = { builtin = "file", inputs = { out = {} }, config = jsonencode({ path = %q }) } }
}`, wasm, out)
}

// Row: kill -9 the daemon under load.
func TestDaemonKilledUnderLoad(t *testing.T) {
	t.Parallel()
	const count, chunk, kills = 20000, 1000, 3
	s := newSite(t)
	out := filepath.Join(t.TempDir(), "out.txt")
	p := s.project(through(built.wasm, out))
	p.apply()
	id := s.record().ID
	killed := 0
	for from := 0; from < count; from += chunk {
		file := numbers(t, from, from+chunk)
		wait := s.background("topic", "produce", "in", "--file", file)
		if from >= (killed+1)*count/(kills+1) {
			before := s.processes()
			must(t, syscall.Kill(s.record().PID, syscall.SIGKILL))
			killed++
			for _, b := range before {
				if strings.Contains(b.command, " topic produce ") {
					continue
				}
				eventually(t, "the end of "+b.command, func() bool { return !s.runs(b.pid) })
			}
		}
		o := wait()
		for try := 0; o.code != 0 && try < 5; try++ { // what was not confirmed is sent again
			o = s.try("topic", "produce", "in", "--file", file)
		}
		if o.code != 0 {
			t.Fatalf("produce: %s", o.all)
		}
	}
	if killed != kills {
		t.Errorf("%d kills", killed)
	}
	complete(t, count, "!", func() []string { return linesOf(out) })
	if s.record().ID != id {
		t.Errorf("platform %s, want %s", s.record().ID, id)
	}
	if _, err := os.Stat(filepath.Join(s.data, "store.backup.db")); err == nil {
		t.Log("a backup of the store was made")
	}
	p.empty()
	if got := len(s.processes()); got != 3 {
		t.Errorf("%d processes run, want the daemon and two instances: %v", got, s.processes())
	}
}

// runs reports whether a process of the platform is still there.
func (s *site) runs(pid int) bool {
	for _, p := range s.processes() {
		if p.pid == pid {
			return true
		}
	}
	return false
}

// Row: port in use.
func TestPortInUse(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	busy, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	defer busy.Close()
	o := s.try("local", "up", "--listen", busy.Addr().String())
	if o.code != 1 {
		t.Errorf("exit code %d", o.code)
	}
	o.says(t, busy.Addr().String(), "address already in use")
	eventually(t, "the end of the daemon", func() bool { return len(s.processes()) == 0 })
	s.run("local", "up")
}

// Row: corrupt wire file.
func TestCorruptWireFile(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	for name, text := range map[string]string{
		"Empty": "", "Half": `{"version":2,"component":{"na`, "NoJSON": "\x00\x01\x02", "OtherVersion": `{"version":99}`, "WrongTypes": `{"version":2,"component":[]}`,
	} {
		t.Run(name, func(t *testing.T) {
			file := write(t, filepath.Join(t.TempDir(), "wire.json"), text)
			s.t = t
			o := s.try("run", "--config", file)
			if o.code <= 0 || strings.Contains(o.all, "goroutine ") || !strings.Contains(o.all, "wire") {
				t.Errorf("exit code %d:\n%s", o.code, o.all)
			}
		})
		s.t = t
	}
}

// Row: daemon under SIGSTOP.
func TestFrozenDaemon(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	p := s.project(`resource "functionmesh_topic" "t" { name = "orders" }`)
	p.apply()
	pid := s.record().PID
	must(t, syscall.Kill(pid, syscall.SIGSTOP))
	thaw := time.AfterFunc(30*time.Second, func() { _ = syscall.Kill(pid, syscall.SIGCONT) })
	t.Cleanup(func() {
		thaw.Stop()
		_ = syscall.Kill(pid, syscall.SIGCONT)
	})
	o := p.tryPlan() // ends: its time is bounded
	switch o.code {
	case 0:
	case 1:
		o.says(t, strconv.Itoa(pid))
	default:
		t.Errorf("plan ended with %d:\n%s", o.code, o.all)
	}
	t.Logf("plan beside a frozen daemon ended with %d", o.code)
	must(t, syscall.Kill(pid, syscall.SIGCONT))
	p.empty()
	if s.record().PID != pid {
		t.Errorf("daemon %d, want the thawed %d", s.record().PID, pid)
	}
}

// Row: disk full.
func TestDiskFull(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	info, err := os.Stat(built.binary)
	must(t, err)
	size := info.Size()>>20 + 64
	must(t, os.MkdirAll(s.data, 0o700))
	if out, err := exec.CommandContext(t.Context(), "mount", "-t", "tmpfs", "-o", fmt.Sprintf("size=%dm,mode=0700", size), "tmpfs", s.data).CombinedOutput(); err != nil {
		t.Skipf("no file system can be mounted here: %s", out) // even where nothing else may be skipped
	}
	t.Cleanup(func() {
		_ = os.Remove(filepath.Join(s.data, "filler")) // a full platform cannot end well
		s.end()
		eventually(t, "the file system to be free", func() bool { // processes that are ending hold it
			return exec.Command("umount", s.data).Run() == nil
		})
	})
	const first, second = 2000, 4000
	out := filepath.Join(t.TempDir(), "out.txt")
	p := s.project(through(built.wasm, out))
	p.apply()
	s.produce("in", 0, first)
	complete(t, first, "!", func() []string { return linesOf(out) })

	filler := filepath.Join(s.data, "filler")
	fill(t, filler)
	file := numbers(t, first, second)
	o := s.try("topic", "produce", "in", "--file", file)
	t.Logf("produce on a full disk ended with %d: %s", o.code, lastWords(o))
	p.use(through(built.wasm, out) + "\nresource \"functionmesh_topic\" \"more\" { name = \"more\" }")
	full := p.tryApply()
	t.Logf("apply on a full disk ended with %d: %s", full.code, lastWords(full))
	if full.code != 1 || !strings.Contains(strings.ToLower(full.flat()), "space") {
		t.Errorf("the apply does not say that there is no space:\n%s", full.all)
	}
	if plan := p.tryPlan(); plan.code == 0 {
		t.Errorf("the plan says No changes:\n%s", plan.all)
	}
	must(t, os.Remove(filler))
	eventually(t, "what was not confirmed to be taken", func() bool {
		return s.try("topic", "produce", "in", "--file", file).code == 0
	})
	complete(t, second, "!", func() []string { return linesOf(out) })
	p.repair()
}

// fill writes until nothing more fits.
func fill(t *testing.T, file string) {
	t.Helper()
	f, err := os.Create(file)
	must(t, err)
	defer f.Close()
	for size := 1 << 20; size >= 1; {
		if _, err := f.Write(make([]byte, size)); err != nil {
			size /= 2
		}
	}
}
