//go:build linux || darwin

package supervisor_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/functionmesh/terraform-provider-functionmesh/internal/engine"
	"github.com/functionmesh/terraform-provider-functionmesh/internal/local/process"
	"github.com/functionmesh/terraform-provider-functionmesh/internal/local/supervisor"
	"github.com/functionmesh/terraform-provider-functionmesh/internal/wire"
)

var key = engine.Key{Kind: "function", Tenant: "public", Namespace: "default", Name: "f"}

const patience = 3 * time.Minute

type bed struct {
	*supervisor.Supervisor
	dir string // instances
	out string // where fakes note their pids
}

func newBed(t *testing.T, secrets ...string) bed {
	t.Helper()
	exe, err := os.Executable()
	must(t, err)
	sockets, err := os.MkdirTemp("/tmp", "fms") //nolint:usetesting // paths of sockets must be short
	must(t, err)
	b := bed{dir: t.TempDir(), out: t.TempDir()}
	b.Supervisor = supervisor.New(supervisor.Options{
		Binary: exe, Dir: b.dir, Sockets: sockets, Secrets: func() []string { return secrets }, Log: slog.New(slog.DiscardHandler),
		Timing: supervisor.Timing{FirstBackoff: 5 * time.Millisecond, MaxBackoff: 20 * time.Millisecond, KillAfter: 50 * time.Millisecond},
	})
	t.Cleanup(func() {
		b.Close()
		must(t, os.RemoveAll(sockets))
		for _, pid := range b.pids(t, -1) {
			if _, ok := process.Identity(pid); ok {
				t.Errorf("process %d is left over", pid)
			}
		}
	})
	return b
}

func (b bed) files(n int, class string, mode wire.Mode) []wire.File {
	files := make([]wire.File, n)
	for id := range files {
		files[id] = wire.File{
			Version: wire.Version, Component: wire.Component{Kind: "function", Tenant: "public", Namespace: "default", Name: "f"},
			Instance: wire.Instance{ID: id, Parallelism: n, Platform: "p"},
			Brokers:  map[string]wire.Broker{"": {Kind: "nats", URL: "nats://127.0.0.1:1"}},
			Source: wire.Source{
				Inputs:       []wire.Input{{Topic: "persistent://public/default/in"}},
				Subscription: wire.Subscription{Name: "s", Mode: mode, Position: "latest"},
			},
			Function: &wire.Function{Runtime: "wasm", File: "/dev/null", SHA256: strings.Repeat("0", 64), Class: class},
			Sink:     wire.Sink{Output: &wire.Output{Topic: "persistent://public/default/out"}},
			Delivery: wire.DefaultDelivery(), Limits: wire.DefaultLimits(),
			WorkDir: "/", BaseDir: b.out,
		}
		files[id].Limits.GraceMs = 20_000
	}
	return files
}

// pids are the processes that were started for an instance, or with -1 for all.
func (b bed) pids(t *testing.T, id int) []int {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(b.out, "pids"))
	if os.IsNotExist(err) {
		return nil
	}
	must(t, err)
	var pids []int
	for line := range strings.Lines(string(text)) {
		var of, pid int
		if _, err := fmt.Sscan(line, &of, &pid); err == nil && (id < 0 || id == of) {
			pids = append(pids, pid)
		}
	}
	return pids
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func eventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for end := time.Now().Add(patience); time.Now().Before(end); time.Sleep(5 * time.Millisecond) {
		if ok() {
			return
		}
	}
	t.Fatalf("waited in vain for: %s", what)
}

func (b bed) await(t *testing.T, phase engine.Phase) engine.Status {
	t.Helper()
	eventually(t, string(phase), func() bool { return b.Status(key).Phase == phase })
	return b.Status(key)
}

func TestPhases(t *testing.T) {
	cases := map[string]struct {
		class  string
		phase  engine.Phase
		reason string
	}{
		"Ready":     {class: "ok", phase: engine.Ready},
		"Finished":  {class: "finish", phase: engine.Ready},
		"Terminal":  {class: "terminal", phase: engine.Failed, reason: "ClassNotFound"},
		"CrashLoop": {class: "crash", phase: engine.Failed, reason: supervisor.ReasonCrashLoop},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			b := newBed(t)
			must(t, b.Set(key, b.files(2, tc.class, wire.Shared)))
			st := b.await(t, tc.phase)
			if st.Reason != tc.reason {
				t.Errorf("reason %q, want %q", st.Reason, tc.reason)
			}
			if tc.class == "terminal" {
				// The phase may be the other instance's while this one still starts.
				eventually(t, "the first instance has started", func() bool { return len(b.pids(t, 0)) > 0 })
				if len(b.pids(t, 0)) > 1 {
					t.Error("restarted although that cannot help")
				}
			}
			if tc.class == "crash" {
				eventually(t, "log lines in the status", func() bool {
					return strings.Contains(strings.Join(b.Status(key).Instances[0].LogTail, "\n"), "cannot go on")
				})
			}
		})
	}
}

func TestStartingInstanceSaysWhatKeepsIt(t *testing.T) {
	b := newBed(t)
	must(t, b.Set(key, b.files(1, "unlucky", wire.Shared)))
	eventually(t, "the reason in the status", func() bool {
		return strings.Contains(b.Status(key).Message, "instance 0: no broker answers")
	})
	eventually(t, "log lines in the status", func() bool {
		return strings.Contains(strings.Join(b.Status(key).Instances[0].LogTail, "\n"), "cannot go on")
	})
}

func TestCountersComeFromTheProbe(t *testing.T) {
	b := newBed(t)
	must(t, b.Set(key, b.files(1, "ok", wire.Shared)))
	b.await(t, engine.Ready)
	b.Refresh(t.Context(), key)
	want := []engine.Instance{{Running: true, Ready: true, Received: 7, Processed: 5, Failures: 2, Exceptions: map[string]engine.Exceptions{"user": {Total: 2}}}}
	if diff := cmp.Diff(want, b.Status(key).Instances); diff != "" {
		t.Error(diff)
	}
}

func TestScaleTouchesOnlyWhatItMust(t *testing.T) {
	cases := map[string]struct {
		mode     wire.Mode
		from, to int
		starts   int // of instance 0
	}{
		"SharedUp":     {mode: wire.Shared, from: 1, to: 3, starts: 1},
		"SharedDown":   {mode: wire.Shared, from: 3, to: 1, starts: 1},
		"FailoverUp":   {mode: wire.Failover, from: 1, to: 2, starts: 2},
		"FailoverDown": {mode: wire.Failover, from: 2, to: 1, starts: 2},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			b := newBed(t)
			must(t, b.Set(key, b.files(tc.from, "ok", tc.mode)))
			b.await(t, engine.Ready)
			must(t, b.Set(key, b.files(tc.to, "ok", tc.mode)))
			must(t, b.Settle(t.Context(), key))
			if st := b.await(t, engine.Ready); st.Ready != tc.to || len(st.Instances) != tc.to || b.Running() != tc.to {
				t.Errorf("status %+v, %d running, want %d instances", st, b.Running(), tc.to)
			}
			if got := len(b.pids(t, 0)); got != tc.starts {
				t.Errorf("instance 0 was started %d times, want %d", got, tc.starts)
			}
		})
	}
}

func TestStopStartRestart(t *testing.T) {
	b := newBed(t)
	files := b.files(2, "ok", wire.Shared)
	must(t, b.Set(key, files))
	b.await(t, engine.Ready)
	must(t, b.Restart(key, 1))
	must(t, b.Settle(t.Context(), key))
	b.await(t, engine.Ready)
	if zero, one := len(b.pids(t, 0)), len(b.pids(t, 1)); zero != 1 || one != 2 {
		t.Errorf("instance 0 started %d times, 1 %d times; want 1 and 2", zero, one)
	}
	if err := b.Restart(key, 5); !engine.Is(err, engine.NotFound) {
		t.Errorf("restart of an instance that is not there: %v", err)
	}
	must(t, b.Set(key, nil))
	must(t, b.Settle(t.Context(), key))
	if st := b.Status(key); st.Phase != engine.Stopped || b.Running() != 0 {
		t.Errorf("stopped: %+v, %d running", st, b.Running())
	}
	must(t, b.Set(key, files))
	b.await(t, engine.Ready)
	must(t, b.Remove(t.Context(), key))
	if _, err := os.Stat(filepath.Join(b.dir, "function/public/default/f")); !os.IsNotExist(err) {
		t.Errorf("directory after removal: %v", err)
	}
}

func TestKilledInstanceComesBack(t *testing.T) {
	b := newBed(t)
	must(t, b.Set(key, b.files(1, "ok", wire.Shared)))
	b.await(t, engine.Ready)
	for n := 1; n <= 6; n++ {
		must(t, syscall.Kill(b.pids(t, 0)[n-1], syscall.SIGKILL))
		eventually(t, "another process", func() bool { return len(b.pids(t, 0)) == n+1 })
		if st := b.await(t, engine.Ready); st.Reason != "" {
			t.Errorf("after kill %d: %+v", n, st)
		}
	}
	if got := b.Status(key).Instances[0].Restarts; got != 6 {
		t.Errorf("%d restarts counted, want 6", got)
	}
}

func TestStubbornInstanceIsKilled(t *testing.T) {
	b := newBed(t)
	files := b.files(1, "stubborn", wire.Shared)
	files[0].Limits.GraceMs = 1
	must(t, b.Set(key, files))
	b.await(t, engine.Ready)
	must(t, b.Remove(t.Context(), key))
	if _, ok := process.Identity(b.pids(t, 0)[0]); ok {
		t.Error("it still runs")
	}
}

func TestWorkersDieWithTheirInstance(t *testing.T) {
	b := newBed(t)
	must(t, b.Set(key, b.files(1, "child", wire.Shared)))
	b.await(t, engine.Ready)
	pids := b.pids(t, 0)
	if len(pids) != 2 {
		t.Fatalf("processes %v, want the instance and its worker", pids)
	}
	must(t, b.Remove(t.Context(), key))
	eventually(t, "the worker's end", func() bool { _, ok := process.Identity(pids[1]); return !ok })
}

func TestLogs(t *testing.T) {
	b := newBed(t, "sesame-open", "two\nlines")
	files := b.files(2, "ok", wire.Shared)
	files[0].Secrets, files[1].Secrets = map[string]string{"A": "sesame-open"}, map[string]string{"B": "two\nlines"}
	must(t, b.Set(key, files))
	b.await(t, engine.Ready)
	ctx, cancel := context.WithCancel(t.Context())
	var followed sync.WaitGroup
	r, w := io.Pipe()
	followed.Go(func() {
		_ = w.CloseWithError(b.Logs(ctx, key, supervisor.LogQuery{Instance: -1, Tail: -1, Follow: true}, w))
	})
	buf := make([]byte, 1)
	_, err := io.ReadFull(r, buf)
	must(t, err)
	must(t, b.Set(key, nil))
	must(t, b.Settle(t.Context(), key))
	seen := string(buf)
	for chunk := make([]byte, 4096); strings.Count(seen, "drained") < 2; {
		n, err := r.Read(chunk)
		must(t, err)
		seen += string(chunk[:n])
	}
	cancel()
	must(t, r.Close())
	followed.Wait()
	if strings.Contains(seen, "sesame") || strings.Contains(seen, "lines") {
		t.Errorf("a secret is in the log: %s", seen)
	}
	if !strings.Contains(seen, "[0] the secret is ***") {
		t.Errorf("log %q", seen)
	}
	var last bytes.Buffer
	must(t, b.Logs(t.Context(), key, supervisor.LogQuery{Tail: 1}, &last))
	if got := last.String(); got != "drained\n" {
		t.Errorf("last line %q", got)
	}
	if err := b.Logs(t.Context(), key, supervisor.LogQuery{Instance: 7}, &last); !engine.Is(err, engine.NotFound) {
		t.Errorf("log of an instance that never was: %v", err)
	}
}

func TestSecretsStayInPrivateFiles(t *testing.T) {
	b := newBed(t, "sesame-open")
	files := b.files(1, "ok", wire.Shared)
	files[0].Secrets = map[string]string{"A": "sesame-open"}
	must(t, b.Set(key, files))
	b.await(t, engine.Ready)
	info, err := os.Stat(filepath.Join(b.dir, "function/public/default/f/0/wire.json"))
	must(t, err)
	if got := info.Mode().Perm(); got != 0o600 {
		t.Errorf("wire file has mode %o", got)
	}
	for _, of := range []string{"cmdline", "environ"} {
		text, err := os.ReadFile(fmt.Sprintf("/proc/%d/%s", b.pids(t, 0)[0], of))
		if os.IsNotExist(err) {
			t.Skip("no /proc here")
		}
		must(t, err)
		if bytes.Contains(text, []byte("sesame")) {
			t.Errorf("%s shows the secret", of)
		}
	}
}

func TestSweepEndsOnlyWhatWasNoted(t *testing.T) {
	b := newBed(t)
	exe, err := os.Executable()
	must(t, err)
	child := func() *exec.Cmd {
		c := exec.CommandContext(t.Context(), exe, "sit")
		in, err := c.StdinPipe()
		must(t, err)
		c.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
		must(t, c.Start())
		t.Cleanup(func() { _ = in.Close(); _ = c.Process.Kill(); _ = c.Wait() })
		return c
	}
	mine, other := child(), child()
	leave := func(id string, pid int, identity string) {
		dir := filepath.Join(b.dir, "function/public/default/f", id)
		must(t, os.MkdirAll(dir, 0o700))
		text, err := json.Marshal(map[string]any{"pid": pid, "identity": identity})
		must(t, err)
		must(t, os.WriteFile(filepath.Join(dir, "process.json"), text, 0o600))
	}
	identity, _ := process.Identity(mine.Process.Pid)
	leave("0", mine.Process.Pid, identity)
	leave("1", other.Process.Pid, "another:process with this pid")
	leave("2", os.Getpid(), "")
	must(t, b.Sweep(t.Context()))
	eventually(t, "the end of the noted process", func() bool { _, ok := process.Identity(mine.Process.Pid); return !ok })
	if _, ok := process.Identity(other.Process.Pid); !ok {
		t.Error("a process that only shares the pid was ended")
	}
}

func TestCloseRefusesMore(t *testing.T) {
	b := newBed(t)
	must(t, b.Set(key, b.files(3, "ok", wire.Shared)))
	b.await(t, engine.Ready)
	b.Close()
	if n := b.Running(); n != 0 {
		t.Errorf("%d instances after close", n)
	}
	if err := b.Set(key, b.files(1, "ok", wire.Shared)); !engine.Is(err, engine.Unavailable) {
		t.Errorf("set after close: %v", err)
	}
}
