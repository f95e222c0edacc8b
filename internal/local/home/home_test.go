//go:build linux || darwin

package home_test

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/functionmesh/terraform-provider-functionmesh/internal/engine"
	"github.com/functionmesh/terraform-provider-functionmesh/internal/local/home"
)

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func TestResolve(t *testing.T) {
	cases := map[string]struct {
		given string
		env   map[string]string
		want  string
	}{
		"Given":         {given: "/a/b", env: map[string]string{home.EnvDataDir: "/env"}, want: "/a/b"},
		"Environment":   {env: map[string]string{home.EnvDataDir: "/env", "XDG_STATE_HOME": "/state"}, want: "/env"},
		"State":         {env: map[string]string{"XDG_STATE_HOME": "/state"}, want: "/state/functionmesh"},
		"RelativeState": {env: map[string]string{"XDG_STATE_HOME": "state", "HOME": "/users/u"}, want: "/users/u/.local/state/functionmesh"},
		"Home":          {env: map[string]string{"HOME": "/users/u"}, want: "/users/u/.local/state/functionmesh"},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			for _, v := range []string{home.EnvDataDir, "XDG_STATE_HOME"} {
				t.Setenv(v, "")
			}
			for k, v := range tc.env {
				t.Setenv(k, v)
			}
			got, err := home.Resolve(tc.given)
			if got.String() != tc.want || err != nil {
				t.Errorf("%s, %v, want %s", got, err, tc.want)
			}
		})
	}
}

func dir(t *testing.T, path string) home.Dir {
	t.Helper()
	d, err := home.Resolve(path)
	must(t, err)
	return d
}

func TestMakeIsPrivate(t *testing.T) {
	path := filepath.Join(t.TempDir(), "data")
	must(t, os.Mkdir(path, 0o755))
	must(t, dir(t, path).Make())
	info, err := os.Stat(path)
	must(t, err)
	if info.Mode().Perm() != 0o700 {
		t.Errorf("mode %o", info.Mode().Perm())
	}
	file := filepath.Join(path, "file")
	must(t, os.WriteFile(file, nil, 0o600))
	if err := dir(t, file).Make(); !engine.Is(err, engine.Unavailable) {
		t.Errorf("a file as data directory: %v", err)
	}
}

func TestSocketPathsStayShort(t *testing.T) {
	long := filepath.Join(t.TempDir(), strings.Repeat("d", 200))
	d := dir(t, long)
	must(t, d.Make())
	t.Setenv("XDG_RUNTIME_DIR", t.TempDir()+strings.Repeat("/.", 40))
	one, err := d.Runtime()
	must(t, err)
	t.Cleanup(func() { must(t, os.RemoveAll(one)) })
	if len(one) > 90 {
		t.Errorf("%s has %d bytes", one, len(one))
	}
	other := dir(t, t.TempDir())
	two, err := other.Runtime()
	must(t, err)
	t.Cleanup(func() { must(t, os.RemoveAll(two)) })
	if one == two {
		t.Error("two data directories share a directory for sockets")
	}
}

func TestRuntimeRefusesWhatAStrangerMade(t *testing.T) {
	d := dir(t, t.TempDir())
	base, err := os.MkdirTemp("/tmp", "fmh") //nolint:usetesting // paths of sockets must be short
	must(t, err)
	t.Cleanup(func() { must(t, os.RemoveAll(base)) })
	t.Setenv("XDG_RUNTIME_DIR", base)
	sockets, err := d.Runtime()
	must(t, err)
	must(t, os.Remove(sockets))
	must(t, os.Symlink(t.TempDir(), sockets))
	if _, err := d.Runtime(); !engine.Is(err, engine.Forbidden) {
		t.Errorf("a link in its place: %v, want forbidden", err)
	}
}

func TestLockBelongsToOneDaemon(t *testing.T) {
	d := dir(t, filepath.Join(t.TempDir(), "data"))
	must(t, d.Make())
	if running, err := d.Running(); running || err != nil {
		t.Errorf("running %v, %v before the start", running, err)
	}
	lock, held, err := d.LockDaemon()
	if !held || err != nil {
		t.Fatal(err)
	}
	if _, again, err := d.LockDaemon(); again || err != nil {
		t.Errorf("second lock: held %v, %v", again, err)
	}
	if running, err := d.Running(); !running || err != nil {
		t.Errorf("running %v, %v", running, err)
	}
	must(t, lock.Release())
	must(t, d.WaitStopped(t.Context()))
}

func TestLockIsLostWithItsFile(t *testing.T) {
	cases := map[string]struct {
		change func(dir, file string) error
		want   bool
	}{
		"Untouched":        {change: func(string, string) error { return nil }},
		"DirectoryRemoved": {change: func(dir, _ string) error { return os.RemoveAll(dir) }, want: true},
		"FileRemoved":      {change: func(_, file string) error { return os.Remove(file) }, want: true},
		"FileReplaced": {change: func(_, file string) error {
			return errors.Join(os.Rename(file, file+".old"), os.WriteFile(file, nil, 0o600))
		}, want: true},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			d := dir(t, filepath.Join(t.TempDir(), "data"))
			must(t, d.Make())
			lock, held, err := d.LockDaemon()
			if !held || err != nil {
				t.Fatal(held, err)
			}
			must(t, tc.change(d.String(), d.Path("daemon.lock")))
			if got := lock.Lost(); got != tc.want {
				t.Errorf("lost %v, want %v", got, tc.want)
			}
			must(t, lock.Release())
		})
	}
}

func TestRecord(t *testing.T) {
	d := dir(t, t.TempDir())
	if _, ok, err := d.ReadRecord(); ok || err != nil {
		t.Errorf("%v, %v before it is written", ok, err)
	}
	want := home.Record{PID: 1, Socket: "/s", ID: "x"}
	must(t, d.WriteRecord(want))
	if got, ok, err := d.ReadRecord(); got != want || !ok || err != nil {
		t.Errorf("%+v, %v, %v", got, ok, err)
	}
	must(t, os.WriteFile(d.Path("daemon.json"), []byte(`{"pid":`), 0o600))
	if _, ok, err := d.ReadRecord(); ok || err != nil {
		t.Errorf("half a record: %v, %v", ok, err)
	}
	must(t, d.RemoveRecord())
	must(t, d.RemoveRecord())
}

func TestBinaryIsAskedOnceAndCopied(t *testing.T) {
	d := dir(t, t.TempDir())
	file := filepath.Join(t.TempDir(), "functionmesh")
	write := func(text string) {
		must(t, os.WriteFile(file, []byte("#!/bin/sh\necho asked >> "+d.Path("asked")+"\n"+text+"\n"), 0o700))
	}
	write(`echo '{"program":"functionmesh","version":"1.2.3"}'`)
	var found home.Binary
	for range 3 {
		b, err := d.Find(t.Context(), file)
		must(t, err)
		found = b
	}
	asked, err := os.ReadFile(d.Path("asked"))
	must(t, err)
	if n := strings.Count(string(asked), "asked"); n != 1 || found.Version != "1.2.3" || len(found.Digest) != 64 {
		t.Errorf("asked %d times: %+v", n, found)
	}
	copied, err := d.Adopt(found)
	must(t, err)
	must(t, os.Remove(file))
	if again, err := d.Adopt(copied); again.Path != copied.Path || err != nil {
		t.Errorf("%s, %v, want %s", again.Path, err, copied.Path)
	}
	if b, err := d.Find(t.Context(), copied.Path); b.Version != "1.2.3" || err != nil {
		t.Errorf("the copy: %+v, %v", b, err)
	}
	for name, text := range map[string]string{"Silent": "true", "Fails": "exit 1", "Stranger": `echo '{"program":"other"}'`, "Babble": "echo hello"} {
		t.Run(name, func(t *testing.T) {
			write(text)
			if _, err := d.Find(t.Context(), file); !engine.Is(err, engine.Invalid) {
				t.Errorf("%v, want invalid", err)
			}
		})
	}
	must(t, d.Forget(home.Binary{Digest: "other"}))
	if _, err := os.Stat(copied.Path); err != nil {
		t.Errorf("a young copy was removed: %v", err)
	}
}

func TestEmptyLeavesStrangersAlone(t *testing.T) {
	d := dir(t, t.TempDir())
	for _, name := range []string{"store.db", "token", "mine.txt"} {
		must(t, os.WriteFile(d.Path(name), nil, 0o600))
	}
	must(t, os.MkdirAll(d.Path("instances", "function"), 0o700))
	must(t, d.Empty())
	for name, want := range map[string]bool{"store.db": false, "token": false, "instances": false, "mine.txt": true} {
		if _, err := os.Stat(d.Path(name)); (err == nil) != want {
			t.Errorf("%s: %v, want kept %v", name, err, want)
		}
	}
}
