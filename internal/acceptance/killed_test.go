//go:build linux || darwin

package acceptance

import (
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"net/http/httputil"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
)

// wiretap stands between the clients of a platform and its socket. It sees every
// request, and can cut one off.
type wiretap struct {
	mu   sync.Mutex
	seen []string // the requests since reset
	at   int      // the request that is cut off, from 1; 0: none
	late bool     // after the platform has carried it out, instead of before
	cut  func()
	done bool // the cut has happened: nothing passes any more
}

// tap puts a wiretap where the platform's record points to.
func tap(t *testing.T, s *site) *wiretap {
	t.Helper()
	w := &wiretap{}
	text, err := os.ReadFile(s.recordFile())
	must(t, err)
	real := s.record().Socket
	dir, err := os.MkdirTemp("", "fmtap") //nolint:usetesting // short, for the limit of socket paths
	must(t, err)
	socket := filepath.Join(dir, "s")
	listener, err := net.Listen("unix", socket)
	must(t, err)
	proxy := httputil.NewSingleHostReverseProxy(&url.URL{Scheme: "http", Host: "platform"})
	proxy.Transport = overUnix(real)
	server := &http.Server{Handler: w.handler(proxy), ReadHeaderTimeout: within}
	var serving sync.WaitGroup
	serving.Go(func() { _ = server.Serve(listener) })
	var record map[string]any
	must(t, json.Unmarshal(text, &record))
	record["socket"] = socket
	changed, err := json.Marshal(record)
	must(t, err)
	must(t, os.WriteFile(s.recordFile(), changed, 0o600))
	t.Cleanup(func() {
		_ = os.WriteFile(s.recordFile(), text, 0o600)
		_ = server.Close()
		serving.Wait()
		_ = os.RemoveAll(dir)
	})
	return w
}

func (w *wiretap) handler(platform http.Handler) http.Handler {
	return http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/functionmesh/v1/handshake" { // looked at before anything is asked
			platform.ServeHTTP(rw, r)
			return
		}
		hit, late := w.count(r)
		switch {
		case hit && !late:
			w.cut()
			panic(http.ErrAbortHandler)
		case hit:
			platform.ServeHTTP(nowhere{http.Header{}}, r)
			w.cut()
			panic(http.ErrAbortHandler)
		default:
			platform.ServeHTTP(rw, r)
		}
	})
}

// nowhere loses an answer.
type nowhere struct{ header http.Header }

func (n nowhere) Header() http.Header       { return n.header }
func (nowhere) Write(p []byte) (int, error) { return len(p), nil }
func (nowhere) WriteHeader(int)             {}

func (w *wiretap) count(r *http.Request) (hit, late bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.done { // of the killed process: it had not sent this yet
		return true, false
	}
	w.seen = append(w.seen, r.Method+" "+r.URL.Path)
	hit = len(w.seen) == w.at
	w.done = hit
	return hit, w.late
}

func (w *wiretap) reset(at int, late bool, cut func()) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.seen, w.at, w.late, w.done, w.cut = nil, at, late, false, cut
}

func (w *wiretap) requests() []string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return slices.Clone(w.seen)
}

func writes(request string) bool { return !strings.HasPrefix(request, http.MethodGet+" ") }

// killedApply applies, and kills terraform with everything it started at a request.
func (p *project) killedApply(w *wiretap, at int, late bool) bool {
	p.t.Helper()
	cmd := p.s.command(p.dir, built.terraform, "apply", "-input=false", "-auto-approve", "-no-color")
	started := make(chan *exec.Cmd, 1)
	var killed atomic.Bool
	w.reset(at, late, func() {
		if killed.CompareAndSwap(false, true) {
			_ = syscall.Kill(-(<-started).Process.Pid, syscall.SIGKILL)
		}
	})
	o := finish(p.t, cmd, func() error {
		if err := cmd.Start(); err != nil {
			return err
		}
		started <- cmd
		return cmd.Wait()
	})
	w.reset(0, false, nil)
	if !killed.Load() && o.code != 0 {
		p.t.Fatalf("apply:\n%s", o.all)
	}
	return killed.Load()
}

// killPoints are the requests worth a kill: each one before it is sent, and each write
// also after it was carried out and before its answer came. After the last write
// nothing but waiting follows, so one more stands for the rest.
func killPoints(requests []string) (points []killPoint) {
	last := 0
	for i, r := range requests {
		if writes(r) {
			last = i + 1
		}
	}
	for i := range min(last+1, len(requests)) {
		points = append(points, killPoint{at: i + 1})
		if writes(requests[i]) {
			points = append(points, killPoint{at: i + 1, late: true})
		}
	}
	return points
}

type killPoint struct {
	at   int
	late bool
}

func smallMesh(name, wasm string) string {
	return fmt.Sprintf(`
resource "functionmesh_topic" "t" { name = "%[1]s-in" }
resource "functionmesh_mesh" "m" {
  name = %[1]q
  functions = {
    a = { runtime = { wasm = { file = %[2]q } }, inputs = { (functionmesh_topic.t.name) = {} }, output = { topic = "%[1]s-mid" } }
    b = { runtime = { wasm = { file = %[2]q } }, inputs = { "%[1]s-mid" = {} } }
  }
}`, name, wasm)
}

// Row: apply killed half-way at any request.
func TestApplyKilledAtEveryRequest(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.run("local", "up")
	w := tap(t, s)
	whole := s.project(smallMesh("whole", built.wasm))
	whole.apply()
	requests := w.requests()
	t.Logf("an apply is %q", requests)
	whole.destroy()
	killed, points := 0, killPoints(requests)
	for i, point := range points {
		name := fmt.Sprintf("k%d", i)
		p := s.project(smallMesh(name, built.wasm))
		if p.killedApply(w, point.at, point.late) {
			killed++
		}
		if o := p.tryApply(); o.code != 0 {
			t.Fatalf("the apply after one killed at request %+v of %q:\n%s", point, requests, o.all)
		}
		p.empty()
		want := []string{"function/" + name + "-a", "function/" + name + "-b"}
		if got := s.components(); !slices.Equal(got, want) {
			t.Errorf("killed at %+v: there is %v, want %v", point, got, want)
		}
		s.run("mesh", "delete", name)
	}
	mostKilled(t, killed, len(points))
}

// mostKilled fails a test that killed hardly anything. How often an apply asks varies,
// so that the last points need not come.
func mostKilled(t *testing.T, killed, points int) {
	t.Helper()
	if killed == 0 || killed < points-2 {
		t.Errorf("%d of %d applies were killed", killed, points)
	}
}

// The same for a change: of a runtime kind, which makes a component again in place, of
// a setting, and of what the mesh holds. No message is lost on the way.
func TestChangeKilledAtEveryWrite(t *testing.T) {
	t.Parallel()
	needPython(t)
	s := newSite(t)
	code := write(t, filepath.Join(t.TempDir(), "shout.py"), "def shout(message):\n    return str(message) + '!'\n")
	out := filepath.Join(t.TempDir(), "out.txt")
	mesh := func(runtime, b, more string) string {
		return fmt.Sprintf(`
resource "functionmesh_topic" "in" { name = "in" }
resource "functionmesh_mesh" "m" {
  name = "m"
  functions = {
    a = { runtime = { %s }, inputs = { (functionmesh_topic.in.name) = {} }, output = { topic = "out" } }
    b = { runtime = { wasm = { file = %q } }, inputs = { out = {} }, %s }
    %s
  }
  sinks = { store = { builtin = "file", inputs = { out = {} }, config = jsonencode({ path = %q }) } }
}`, runtime, built.wasm, b, more, out)
	}
	wasm := fmt.Sprintf("wasm = { file = %q }", built.wasm)
	configs := [2]string{
		mesh(wasm, "", ""),
		mesh(fmt.Sprintf(`python = { file = %q, class = "shout.shout" }`, code), "parallelism = 2", "c = { runtime = { "+wasm+" }, inputs = { out = {} } }"),
	}
	names := [2][]string{{"function/m-a", "function/m-b", "sink/m-store"}, {"function/m-a", "function/m-b", "function/m-c", "sink/m-store"}}
	p := s.project(configs[0])
	p.apply()
	w := tap(t, s)
	var points [2][]killPoint // of the change to each
	for _, to := range []int{1, 0} {
		w.reset(0, false, nil)
		p.use(configs[to])
		p.apply()
		requests := w.requests()
		// After one write is before the next.
		points[to] = slices.DeleteFunc(killPoints(requests), func(k killPoint) bool { return !k.late && k.at > 1 })
	}
	sent, to, killed, all := 0, 1, 0, len(points[0])+len(points[1])
	for ; len(points[to]) > 0; to = 1 - to {
		point := points[to][0]
		points[to] = points[to][1:]
		p.use(configs[to])
		s.produce("in", sent, sent+5)
		sent += 5
		if p.killedApply(w, point.at, point.late) {
			killed++
		}
		if o := p.tryApply(); o.code != 0 {
			t.Fatalf("the apply after a change to %d that was killed at %+v:\n%s", to, point, o.all)
		}
		p.empty()
		if got := s.components(); !slices.Equal(got, names[to]) {
			t.Errorf("killed at %+v: there is %v, want %v", point, got, names[to])
		}
	}
	mostKilled(t, killed, all)
	complete(t, sent, "!", func() []string { return linesOf(out) })
}
