//go:build linux || darwin

package local_test

import (
	"context"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/functionmesh/terraform-provider-functionmesh/internal/engine"
	"github.com/functionmesh/terraform-provider-functionmesh/internal/local"
	"github.com/functionmesh/terraform-provider-functionmesh/internal/spec"
)

// shout declares a Python function and waits until it is ready.
func shout(t *testing.T, c *local.Client, text string) {
	t.Helper()
	if _, err := exec.LookPath("python3"); err != nil {
		t.Skip("no python3 here")
	}
	file := filepath.Join(t.TempDir(), "shout.py")
	must(t, os.WriteFile(file, []byte(text), 0o600))
	must(t, c.PutSecret(t.Context(), "shop", "api-key", spec.NewSecret("sesame-open")))
	declare(t, clients(t, c), spec.Component{
		Kind: spec.KindFunction, Name: "shout", Runtime: &spec.Runtime{Python: &spec.Code{File: file, Class: "shout.Shout"}},
		Inputs: map[string]spec.Input{"lines": {}}, Output: &spec.Output{Topic: "shouted"},
		Secrets: map[string]spec.SecretRef{"KEY": {Name: "shop", Key: "api-key"}},
	})
}

const shouting = `
from pulsar import Function

class Shout(Function):
    def process(self, item, context):
        print("the secret is", context.get_secret("KEY"))
        return item.upper() + "!"
`

func TestFunctionIsTriggered(t *testing.T) {
	o := options(t)
	c := ensure(t, o)
	shout(t, c, shouting)
	eventually(t, "readiness", func() bool { return status(t, c, spec.KindFunction, "shout").Phase == engine.Ready })
	actor, ok := clients(t, c).Components[spec.KindFunction].(engine.Actor)
	if !ok {
		t.Fatal("the client has no verbs")
	}
	key := engine.Key{Kind: "function", Tenant: "public", Namespace: "default", Name: "shout"}
	answer, err := actor.Act(t.Context(), key, "trigger", map[string]string{"topic": "lines", "data": "hello"})
	if answer != "HELLO!" || err != nil {
		t.Errorf("answer %q, %v", answer, err)
	}
	logs, err := c.Logs(t.Context(), local.LogQuery{Kind: spec.KindFunction, Tenant: "public", Namespace: "default", Name: "shout", Instance: -1, Tail: -1})
	must(t, err)
	text, err := io.ReadAll(logs)
	must(t, errors.Join(err, logs.Close()))
	if got := string(text); !strings.Contains(got, "the secret is ***") || strings.Contains(got, "sesame") {
		t.Errorf("log %q", got)
	}
	if _, err := c.Logs(t.Context(), local.LogQuery{Kind: spec.KindFunction, Tenant: "public", Namespace: "default", Name: "nobody"}); !engine.Is(err, engine.NotFound) {
		t.Errorf("log of nobody: %v", err)
	}
	must(t, c.Drain(t.Context()))
	if h, err := c.Refresh(t.Context()); h.Instances != 0 || h.Declared != 1 || err != nil {
		t.Errorf("after a drain: %+v, %v", h, err)
	}
}

func TestFailureIsTerminal(t *testing.T) {
	c := ensure(t, options(t))
	shout(t, c, "class Other: pass\n")
	eventually(t, "failure", func() bool { return status(t, c, spec.KindFunction, "shout").Phase == engine.Failed })
	if st := status(t, c, spec.KindFunction, "shout"); st.Reason != "ClassNotFound" || len(st.Instances) != 1 || st.Instances[0].Restarts != 0 {
		t.Errorf("status %+v", st)
	}
}

func TestWireRunsOutside(t *testing.T) {
	c := ensure(t, options(t))
	f, err := c.Wire(t.Context(), spec.Component{
		Kind: spec.KindSource, Name: "numbers", Builtin: "generator", Config: `{"count":3}`, Output: &spec.Output{Topic: "numbers"},
	})
	must(t, err)
	if f.Sink.Output == nil || f.Sink.Output.Topic != "persistent://public/default/numbers" || f.Brokers[""].Password == "" {
		t.Errorf("wire file %+v", f.Sink)
	}
	_, err = c.Wire(t.Context(), spec.Component{Kind: spec.KindSource, Name: "numbers", Builtin: "nothing"})
	var e *engine.Error
	if !errors.As(err, &e) || e.Class != engine.Invalid || e.Path == "" {
		t.Errorf("%v, want invalid with a path", err)
	}
}

// TestFullDisk needs a file system of its own, which only root can make.
func TestFullDisk(t *testing.T) {
	mount := filepath.Join(t.TempDir(), "small")
	must(t, os.Mkdir(mount, 0o700))
	if err := exec.CommandContext(t.Context(), "mount", "-t", "tmpfs", "-o", "size=6m", "tmpfs", mount).Run(); err != nil {
		t.Skipf("no file system of a few megabytes can be mounted here: %v", err)
	}
	t.Cleanup(func() {
		eventually(t, "the end of everybody who is there", func() bool {
			return exec.CommandContext(context.WithoutCancel(t.Context()), "umount", mount).Run() == nil
		})
	})
	// The program is larger than the disk, so what is copied is a script.
	o := local.Options{DataDir: filepath.Join(mount, "data"), Binary: script(t, "dev", "small"), Force: true}
	t.Cleanup(func() { must(t, local.Reset(context.WithoutCancel(t.Context()), o)) })
	c := ensure(t, o)
	ballast := filepath.Join(mount, "ballast")
	fill(t, ballast)
	var err error
	value := spec.NewSecret(strings.Repeat("x", 200_000))
	for i := 0; i < 30 && err == nil; i++ {
		err = c.PutSecret(t.Context(), "big", "key"+itoa(i), value)
	}
	if !engine.Is(err, engine.Unavailable) || !strings.Contains(err.Error(), "ull") && !strings.Contains(err.Error(), "space") {
		t.Errorf("%v, want unavailable and the reason", err)
	}
	sink := spec.DefaultComponent(spec.Component{
		Kind: spec.KindSink, Name: "s", Builtin: "file", Config: `{"path":"x"}`, Inputs: map[string]spec.Input{"in": {}},
	})
	if _, err := clients(t, c).Components[spec.KindSink].Create(t.Context(), engine.Object[spec.Component]{Spec: sink}); !engine.Is(err, engine.Unavailable) {
		t.Errorf("a component on a full disk: %v, want unavailable", err)
	}
	must(t, os.Remove(ballast))
	eventually(t, "life after the disk was full", func() bool { return c.PutSecret(t.Context(), "a", "b", spec.NewSecret("value")) == nil })
	eventually(t, "a component", func() bool {
		_, err := clients(t, c).Components[spec.KindSink].Create(t.Context(), engine.Object[spec.Component]{Spec: sink})
		return err == nil || engine.Is(err, engine.Exists)
	})
}

func fill(t *testing.T, file string) {
	t.Helper()
	f, err := os.Create(file)
	must(t, err)
	chunk := make([]byte, 4096)
	for err == nil {
		_, err = f.Write(chunk)
	}
	if !errors.Is(err, syscall.ENOSPC) {
		t.Fatal(err)
	}
	must(t, f.Close())
}

func TestSlowCallerDoesNotBlockOthers(t *testing.T) {
	c := ensure(t, options(t))
	pipeline(t, c, 0, `,"rate":1`)
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	logs, err := c.Logs(ctx, local.LogQuery{Kind: spec.KindSource, Tenant: "public", Namespace: "default", Name: "numbers", Instance: 0, Follow: true})
	if engine.Is(err, engine.NotFound) {
		t.Skip("the instance has not begun")
	}
	must(t, err)
	defer logs.Close()
	if _, err := c.Secrets(t.Context()); err != nil {
		t.Error(err)
	}
	must(t, c.Shutdown(ctx)) // while somebody follows a log
}
