//go:build linux || darwin

package local_test

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/functionmesh/terraform-provider-functionmesh/internal/engine"
	"github.com/functionmesh/terraform-provider-functionmesh/internal/local"
	"github.com/functionmesh/terraform-provider-functionmesh/internal/local/store"
	"github.com/functionmesh/terraform-provider-functionmesh/internal/spec"
)

func TestConcurrentEnsureStartsOneDaemon(t *testing.T) {
	o := options(t)
	found := make([]local.Handshake, 8)
	var all sync.WaitGroup
	for i := range found {
		all.Go(func() {
			c, err := local.Ensure(t.Context(), o)
			if err != nil {
				t.Error(err)
				return
			}
			found[i] = c.Handshake()
		})
	}
	all.Wait()
	for _, h := range found {
		if h.PID != found[0].PID || h.ID != found[0].ID || h.PID == 0 {
			t.Errorf("daemon %d with id %s, want %d with %s", h.PID, h.ID, found[0].PID, found[0].ID)
		}
	}
	if got := processes(t, o.DataDir); len(got) > 1 {
		t.Errorf("processes %v, want one daemon", got)
	}
}

func TestKilledDaemonIsBroughtBack(t *testing.T) {
	const count, kills = 4000, 3
	o := options(t)
	c := ensure(t, o)
	first := c.Handshake()
	out := pipeline(t, c, count, `,"rate":2000`)
	for range kills {
		at := numbersIn(out)
		eventually(t, "messages", func() bool { return numbersIn(out) > at || at == count })
		before := processes(t, o.DataDir)
		must(t, syscall.Kill(c.Handshake().PID, syscall.SIGKILL))
		c = ensure(t, o)
		for _, pid := range before {
			for _, now := range processes(t, o.DataDir) {
				if pid == now {
					t.Errorf("process %d outlived its daemon", pid)
				}
			}
		}
		if c.Handshake().ID != first.ID {
			t.Errorf("platform %s, want %s as before", c.Handshake().ID, first.ID)
		}
	}
	eventually(t, "all messages", func() bool { return numbersIn(out) == count })
	eventually(t, "readiness", func() bool { return status(t, c, spec.KindSink, "store").Phase == engine.Ready })
	b, err := c.Broker(t.Context())
	must(t, err)
	if b.Password == "" || !strings.HasPrefix(b.URL, "nats://127.0.0.1:") {
		t.Errorf("broker at %s", b.URL)
	}
}

func TestInstancesEndWithTheDaemon(t *testing.T) {
	o := options(t)
	c := ensure(t, o)
	pipeline(t, c, 0, `,"rate":10`)
	eventually(t, "readiness", func() bool { return status(t, c, spec.KindSource, "numbers").Phase == engine.Ready })
	must(t, syscall.Kill(c.Handshake().PID, syscall.SIGKILL))
	eventually(t, "the end of every process", func() bool { return len(processes(t, o.DataDir)) == 0 })
}

func TestFrozenDaemon(t *testing.T) {
	o := options(t)
	c := ensure(t, o)
	pid := c.Handshake().PID
	must(t, syscall.Kill(pid, syscall.SIGSTOP))
	t.Cleanup(func() { _ = syscall.Kill(pid, syscall.SIGCONT) })
	// A thread on another processor stops a moment after the signal.
	eventually(t, "a call of the frozen daemon ends as unavailable", func() bool {
		ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
		defer cancel()
		_, err := c.Secrets(ctx)
		return engine.Is(err, engine.Unavailable)
	})
	o.StartTimeout = 200 * time.Millisecond
	_, err := local.Ensure(t.Context(), o)
	if !engine.Is(err, engine.Unavailable) {
		t.Fatalf("ensure beside a frozen daemon: %v, want unavailable", err)
	}
	for _, word := range []string{strings.TrimPrefix(c.AdminURL(), "unix://"), "has not answered since", fmt.Sprintf("kill -CONT %d", pid)} {
		if !strings.Contains(err.Error(), word) {
			t.Errorf("the error lacks %q: %v", word, err)
		}
	}
	must(t, syscall.Kill(pid, syscall.SIGCONT))
	eventually(t, "an answer after the thaw", func() bool { _, err := c.Secrets(t.Context()); return err == nil })
	if got := ensure(t, o).Handshake().PID; got != pid {
		t.Errorf("daemon %d, want the thawed %d", got, pid)
	}
}

func TestUpgrade(t *testing.T) {
	cases := map[string]struct {
		have, want string
		replaced   bool
	}{
		"NewerReplaces":             {have: "1.0.0", want: "1.1.0", replaced: true},
		"OlderNever":                {have: "1.1.0", want: "1.0.0"},
		"SameReleaseOtherBuild":     {have: "1.1.0", want: "1.1.0"},
		"DevelopmentReplacesItself": {have: "dev", want: "dev", replaced: true},
		"DevelopmentReplaces":       {have: "1.0.0", want: "dev", replaced: true},
		"ReleaseKeepsDevelopment":   {have: "dev", want: "1.0.0"},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			o := options(t)
			o.Binary = script(t, tc.have, "one")
			before := ensure(t, o)
			must(t, before.PutSecret(t.Context(), "a", "b", spec.NewSecret("value")))
			o.Binary = script(t, tc.want, "another")
			after := ensure(t, o)
			if got := after.Handshake().PID != before.Handshake().PID; got != tc.replaced {
				t.Errorf("replaced: %v, want %v", got, tc.replaced)
			}
			want := tc.have
			if tc.replaced {
				want = tc.want
			}
			if h := after.Handshake(); h.Version != want || h.ID != before.Handshake().ID {
				t.Errorf("version %s of platform %s, want %s of %s", h.Version, h.ID, want, before.Handshake().ID)
			}
			names, err := after.Secrets(t.Context())
			if diff := cmp.Diff(map[string][]string{"a": {"b"}}, names); diff != "" || err != nil {
				t.Errorf("%v %s", err, diff)
			}
		})
	}
}

func TestUpgradeRestartsInstances(t *testing.T) {
	o := options(t)
	o.Binary = script(t, "1.0.0", "old")
	c := ensure(t, o)
	out := pipeline(t, c, 3000, `,"rate":1500`)
	eventually(t, "messages", func() bool { return numbersIn(out) > 0 })
	must(t, os.Remove(o.Binary)) // .terraform is disposable
	o.Binary = script(t, "2.0.0", "new")
	c = ensure(t, o)
	if got := c.Handshake().Declared; got != 2 {
		t.Errorf("%d components declared, want 2", got)
	}
	eventually(t, "all messages", func() bool { return numbersIn(out) == 3000 })
}

func TestStartFailures(t *testing.T) {
	file := filepath.Join(t.TempDir(), "file")
	must(t, os.WriteFile(file, nil, 0o600))
	busy, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	t.Cleanup(func() { must(t, busy.Close()) })
	cases := map[string]struct {
		change func(*local.Options)
		class  engine.Class
		says   string
	}{
		"DirectoryInAFile": {change: func(o *local.Options) { o.DataDir = filepath.Join(file, "data") }, class: engine.Unavailable, says: "data_dir"},
		"NotOurBinary":     {change: func(o *local.Options) { o.Binary = "/bin/true" }, class: engine.Invalid, says: local.EnvBinary},
		"NoBinary":         {change: func(o *local.Options) { o.Binary = "/nonexistent" }, class: engine.Invalid, says: local.EnvBinary},
		"PortInUse":        {change: func(o *local.Options) { o.Listen = busy.Addr().String() }, class: engine.Unavailable, says: "address already in use"},
		"OpenToAll":        {change: func(o *local.Options) { o.Listen = "0.0.0.0:0" }, class: engine.Unavailable, says: "other machines"},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			o := local.Options{DataDir: filepath.Join(t.TempDir(), "data")}
			tc.change(&o)
			_, err := local.Ensure(t.Context(), o)
			if !engine.Is(err, tc.class) || !strings.Contains(err.Error(), tc.says) {
				t.Errorf("%v: want class %q and a word of %q", err, tc.class, tc.says)
			}
			if left := processes(t, o.DataDir); len(left) > 0 {
				t.Errorf("processes %v are left over", left)
			}
		})
	}
}

func TestUnwritableDirectory(t *testing.T) {
	if os.Getuid() == 0 {
		t.Skip("root may write anywhere")
	}
	dir := filepath.Join(t.TempDir(), "data")
	must(t, os.Mkdir(dir, 0o500))
	if _, err := local.Ensure(t.Context(), local.Options{DataDir: dir}); !engine.Is(err, engine.Unavailable) {
		t.Errorf("%v, want unavailable", err)
	}
}

func TestDamagedStore(t *testing.T) {
	o := options(t)
	must(t, ensure(t, o).Shutdown(t.Context()))
	file := filepath.Join(o.DataDir, store.FileName)
	must(t, os.WriteFile(file, []byte(strings.Repeat("not a store ", 4096)), 0o600))
	_, err := local.Ensure(t.Context(), o)
	if err == nil || !strings.Contains(err.Error(), store.BackupName) || !strings.Contains(err.Error(), "local reset") {
		t.Errorf("%v: want the backup and the reset named", err)
	}
	must(t, os.Rename(filepath.Join(o.DataDir, store.BackupName), file))
	ensure(t, o)
}

func TestShutdownAndDial(t *testing.T) {
	o := options(t)
	if _, err := local.Dial(t.Context(), o); !engine.Is(err, engine.Unavailable) {
		t.Errorf("dial before the start: %v", err)
	}
	c := ensure(t, o)
	if d, err := local.Dial(t.Context(), o); err != nil || d.Handshake().PID != c.Handshake().PID {
		t.Errorf("dial: %v", err)
	}
	if err := local.Reset(t.Context(), o); !engine.Is(err, engine.Conflict) {
		t.Errorf("reset while it runs: %v, want conflict", err)
	}
	must(t, c.Shutdown(t.Context()))
	if _, err := local.Dial(t.Context(), o); !engine.Is(err, engine.Unavailable) {
		t.Errorf("dial after the end: %v", err)
	}
	must(t, local.Reset(t.Context(), o))
	if again := ensure(t, o).Handshake(); again.ID == c.Handshake().ID {
		t.Error("the platform is the same after a reset")
	}
}

func TestIdleDaemonEnds(t *testing.T) {
	o := options(t)
	o.IdleTimeout = 2 * time.Second // enough for its starter to find it
	ensure(t, o)
	eventually(t, "the end of an idle daemon", func() bool { return len(processes(t, o.DataDir)) == 0 })
	o.IdleTimeout = time.Hour
	c := ensure(t, o)
	pipeline(t, c, 0, `,"rate":1`)
	o.IdleTimeout = 50 * time.Millisecond
	ensure(t, o)
	time.Sleep(20 * o.IdleTimeout) // time to do wrong
	if got := ensure(t, o).Handshake().PID; got != c.Handshake().PID {
		t.Error("a daemon with something declared ended")
	}
}

func TestDaemonEndsWithItsDirectory(t *testing.T) {
	cases := map[string]func(dir string) error{
		"DirectoryRemoved": os.RemoveAll,
		"LockRemoved":      func(dir string) error { return os.Remove(filepath.Join(dir, "daemon.lock")) },
	}
	for name, change := range cases {
		t.Run(name, func(t *testing.T) {
			o := options(t)
			c := ensure(t, o)
			pipeline(t, c, 0, `,"rate":10`)
			eventually(t, "readiness", func() bool { return status(t, c, spec.KindSource, "numbers").Phase == engine.Ready })
			must(t, change(o.DataDir))
			eventually(t, "the end of every process", func() bool { return len(processes(t, o.DataDir)) == 0 })
		})
	}
}

func TestNextDaemonIsLeftAloneByTheLostOne(t *testing.T) {
	o := options(t)
	lost := ensure(t, o).Handshake().PID
	must(t, os.RemoveAll(o.DataDir))
	next := ensure(t, o).Handshake().PID
	if next == lost {
		t.Fatal("the lost daemon answers")
	}
	eventually(t, "the end of the lost daemon", func() bool {
		left := processes(t, o.DataDir)
		return len(left) == 1 && left[0] == next
	})
	if got := ensure(t, o).Handshake().PID; got != next {
		t.Errorf("daemon %d, want %d", got, next)
	}
}

func TestDaemonInheritsNoDescriptor(t *testing.T) {
	var p [2]int
	must(t, syscall.Pipe(p[:])) // unlike os.Pipe: handed down on exec
	r := os.NewFile(uintptr(p[0]), "pipe")
	t.Cleanup(func() { must(t, r.Close()) })
	ensure(t, options(t))
	must(t, syscall.Close(p[1]))
	if n, err := r.Read(make([]byte, 1)); err != io.EOF {
		t.Errorf("read %d, %v: the daemon holds the pipe open", n, err)
	}
}

func TestListen(t *testing.T) {
	o := options(t)
	o.Listen = "127.0.0.1:0"
	c := ensure(t, o)
	info, err := os.Stat(c.TokenFile())
	must(t, err)
	if info.Mode().Perm() != 0o600 {
		t.Errorf("token file has mode %o", info.Mode().Perm())
	}
	token, err := os.ReadFile(c.TokenFile())
	must(t, err)
	cases := map[string]struct {
		path, token string
		want        int
	}{
		"NoToken":     {path: "/admin/v2/tenants", want: http.StatusUnauthorized},
		"WrongToken":  {path: "/admin/v2/tenants", token: "x", want: http.StatusUnauthorized},
		"Token":       {path: "/admin/v2/tenants", token: string(token), want: http.StatusOK},
		"SideChannel": {path: "/functionmesh/v1/broker", token: string(token), want: http.StatusNotFound},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://"+c.Handshake().Listen+tc.path, http.NoBody)
			must(t, err)
			if tc.token != "" {
				req.Header.Set("Authorization", "Bearer "+tc.token)
			}
			res, err := http.DefaultClient.Do(req)
			must(t, err)
			must(t, res.Body.Close())
			if res.StatusCode != tc.want {
				t.Errorf("status %d, want %d", res.StatusCode, tc.want)
			}
		})
	}
}

func TestPrivateFiles(t *testing.T) {
	o := options(t)
	c := ensure(t, o)
	must(t, c.PutSecret(t.Context(), "shop", "api-key", spec.NewSecret("sesame-open")))
	pipeline(t, c, 1, "")
	must(t, filepath.WalkDir(o.DataDir, func(path string, d os.DirEntry, err error) error {
		if err != nil {
			return nil //nolint:nilerr // it went while we looked
		}
		info, err := d.Info()
		if err == nil && d.IsDir() && path == o.DataDir && info.Mode().Perm() != 0o700 {
			t.Errorf("%s has mode %o", path, info.Mode().Perm())
		}
		if name := d.Name(); err == nil && (name == store.FileName || name == store.BackupName || name == "wire.json") && info.Mode().Perm() != 0o600 {
			t.Errorf("%s has mode %o", path, info.Mode().Perm())
		}
		return nil
	}))
	socket := strings.TrimPrefix(c.AdminURL(), "unix://")
	info, err := os.Stat(socket)
	must(t, err)
	if info.Mode().Perm() != 0o600 || len(socket) > 100 {
		t.Errorf("socket %s has mode %o", socket, info.Mode().Perm())
	}
	for _, pid := range processes(t, o.DataDir) {
		for _, of := range []string{"cmdline", "environ"} {
			text, err := os.ReadFile(filepath.Join("/proc", itoa(pid), of))
			if err == nil && strings.Contains(string(text), "sesame") {
				t.Errorf("%s of process %d shows the secret", of, pid)
			}
		}
	}
}
