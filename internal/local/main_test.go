//go:build linux || darwin

package local_test

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"log/slog"
	"os"
	"os/signal"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/functionmesh/terraform-provider-functionmesh/internal/admin"
	"github.com/functionmesh/terraform-provider-functionmesh/internal/catalog"
	"github.com/functionmesh/terraform-provider-functionmesh/internal/engine"
	"github.com/functionmesh/terraform-provider-functionmesh/internal/local"
	"github.com/functionmesh/terraform-provider-functionmesh/internal/local/process"
	"github.com/functionmesh/terraform-provider-functionmesh/internal/spec"
	"github.com/functionmesh/terraform-provider-functionmesh/internal/wire"
	"github.com/functionmesh/terraform-provider-functionmesh/runner/instance"
)

// envVersion is what the test binary answers when it is asked for its version.
const envVersion = "FUNCTIONMESH_TEST_VERSION"

// TestMain makes the test binary the program that the platform is run from: daemon
// and instances are real processes of the real code.
func TestMain(m *testing.M) {
	if len(os.Args) > 1 {
		if code, ours := program(os.Args[1:]); ours {
			os.Exit(code)
		}
	}
	os.Exit(m.Run())
}

// program is what the platform starts; ours is false for the arguments of a test.
func program(args []string) (code int, ours bool) {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM) //nolint:forbidigo // there is no test yet
	defer stop()
	var err error
	switch args[0] {
	case "version":
		fmt.Printf("{\"program\":\"functionmesh\",\"version\":%q}\n", version())
		return 0, true
	case "local":
		err = daemon(ctx, args[2:])
	case "run":
		err = instance.Run(ctx, instance.Options{ConfigFile: args[2], Lifeline: os.Stdin, Stderr: os.Stderr})
	default:
		return 0, false
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "Error:", err)
	}
	return instance.ExitCode(err), true
}

func version() string {
	if v := os.Getenv(envVersion); v != "" {
		return v
	}
	return local.DevVersion
}

func daemon(ctx context.Context, args []string) error {
	o := local.Options{Version: version(), Clusters: func(wire.Broker) (local.Cluster, error) { return everything{}, nil }}
	flags := flag.NewFlagSet("up", flag.ContinueOnError)
	flags.Bool("foreground", false, "")
	flags.StringVar(&o.DataDir, "data-dir", "", "")
	flags.StringVar(&o.Listen, "listen", "", "")
	flags.BoolVar(&o.ListenAnywhere, "listen-anywhere", false, "")
	flags.DurationVar(&o.IdleTimeout, "idle-timeout", 0, "")
	if err := flags.Parse(args); err != nil {
		return err
	}
	return local.Serve(ctx, o, slog.New(slog.NewTextHandler(os.Stderr, nil)))
}

// everything is a Pulsar that has every stream.
type everything struct{}

func (everything) EnsureTopic(context.Context, string) (int, error)      { return 0, nil }
func (everything) Subscribe(context.Context, string, string, bool) error { return nil }
func (everything) Unsubscribe(context.Context, string, string) error     { return nil }
func (everything) Seek(context.Context, string, string, string) error    { return nil }
func (everything) Deduplicates(context.Context, string) (on, known bool, _ error) {
	return true, true, nil
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// patience bounds a wait; nothing is measured against it.
const patience = 3 * time.Minute

func eventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for end := time.Now().Add(patience); time.Now().Before(end); time.Sleep(10 * time.Millisecond) {
		if ok() {
			return
		}
	}
	t.Fatalf("waited in vain for: %s", what)
}

// options name a data directory of the test's own. When the test ends its daemon is
// stopped and no process of it may be left.
func options(t *testing.T) local.Options {
	t.Helper()
	o := local.Options{DataDir: filepath.Join(t.TempDir(), "data")}
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(t.Context()), patience)
		defer cancel()
		o := o
		o.Force = true
		if t.Failed() {
			if text, err := os.ReadFile(filepath.Join(o.DataDir, "daemon.log")); err == nil {
				t.Logf("daemon's log:\n%s", text)
			}
		}
		if err := local.Reset(ctx, o); err != nil {
			t.Errorf("reset: %v", err)
		}
		// A process that has let go of the directory takes its time to end.
		left := processes(t, o.DataDir)
		for end := time.Now().Add(patience); len(left) > 0 && time.Now().Before(end); left = processes(t, o.DataDir) {
			time.Sleep(10 * time.Millisecond)
		}
		if len(left) > 0 {
			t.Errorf("processes %v are left over", left)
			for _, pid := range left {
				_ = syscall.Kill(pid, syscall.SIGKILL)
			}
		}
	})
	return o
}

// processes finds every process that was started for a data directory, by its
// environment; none where the system does not show it.
func processes(t *testing.T, dataDir string) []int {
	t.Helper()
	all, err := filepath.Glob("/proc/[0-9]*/environ")
	must(t, err)
	var pids []int
	for _, file := range all {
		text, err := os.ReadFile(file)
		if err != nil || !strings.Contains(string(text), local.EnvDataDir+"="+dataDir+"\x00") {
			continue
		}
		pid, err := strconv.Atoi(filepath.Base(filepath.Dir(file)))
		must(t, err)
		if _, alive := process.Identity(pid); alive {
			pids = append(pids, pid)
		}
	}
	return pids
}

func ensure(t *testing.T, o local.Options) *local.Client {
	t.Helper()
	c, err := local.Ensure(t.Context(), o)
	must(t, err)
	return c
}

func clients(t *testing.T, c *local.Client) catalog.Clients {
	t.Helper()
	all, err := admin.New(admin.Options{URL: c.AdminURL()})
	must(t, err)
	return all
}

// script is a program that is the test binary with another version, and so another
// digest.
func script(t *testing.T, version, remark string) string {
	t.Helper()
	exe, err := os.Executable()
	must(t, err)
	file := filepath.Join(t.TempDir(), "functionmesh")
	text := fmt.Sprintf("#!/bin/sh\n# %s\n%s=%s exec %s \"$@\"\n", remark, envVersion, version, exe)
	must(t, os.WriteFile(file, []byte(text), 0o700))
	return file
}

// pipeline declares generator -> topic -> file and returns the file.
func pipeline(t *testing.T, c *local.Client, count int, config string) (out string) {
	t.Helper()
	out = filepath.Join(t.TempDir(), "out.txt")
	all := clients(t, c)
	declare(t, all, spec.Component{
		Kind: spec.KindSink, Name: "store", Builtin: "file", Config: spec.JSON(fmt.Sprintf(`{"path":%q}`, out)),
		Inputs: map[string]spec.Input{"numbers": {}}, Subscription: &spec.Subscription{Position: spec.Earliest},
	})
	declare(t, all, spec.Component{
		Kind: spec.KindSource, Name: "numbers", Builtin: "generator", Output: &spec.Output{Topic: "numbers"},
		Config: spec.JSON(fmt.Sprintf(`{"count":%d%s}`, count, config)),
	})
	return out
}

func declare(t *testing.T, all catalog.Clients, c spec.Component) {
	t.Helper()
	e := catalog.Component(c.Kind).Engine(all.Components[c.Kind])
	_, err := e.Create(t.Context(), engine.Object[spec.Component]{Spec: c, Marks: engine.Marks{Owner: "test"}}, engine.CreateOptions{})
	must(t, err)
}

func status(t *testing.T, c *local.Client, kind spec.Kind, name string) engine.Status {
	t.Helper()
	have, err := clients(t, c).Components[kind].Observe(t.Context(), engine.Key{Kind: string(kind), Tenant: "public", Namespace: "default", Name: name})
	must(t, err)
	if !have.Found {
		t.Fatalf("%s %s is not found", kind, name)
	}
	return have.Status
}

// numbersIn counts the different lines of a file.
func numbersIn(file string) int {
	text, err := os.ReadFile(file)
	if errors.Is(err, os.ErrNotExist) {
		return 0
	}
	seen := map[string]bool{}
	for line := range strings.Lines(string(text)) {
		if n, ok := strings.CutSuffix(line, "\n"); ok {
			seen[n] = true
		}
	}
	return len(seen)
}

func itoa(n int) string { return strconv.Itoa(n) }
