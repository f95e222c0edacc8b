package wasm_test

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/functionmesh/terraform-provider-functionmesh/runner/pipeline"
	"github.com/functionmesh/terraform-provider-functionmesh/runner/runnertest"
	"github.com/functionmesh/terraform-provider-functionmesh/runner/runtime/frame"
	"github.com/functionmesh/terraform-provider-functionmesh/runner/runtime/wasm"
)

var tempDir = sync.OnceValues(func() (string, error) { return os.MkdirTemp("", "wasm-test") })

func TestMain(m *testing.M) {
	code := m.Run()
	if dir, err := tempDir(); err == nil {
		_ = os.RemoveAll(dir)
	}
	os.Exit(code)
}

var behave = sync.OnceValues(func() (string, error) {
	return build("behave.wasm", filepath.Join("..", "..", "sdk", "go"), "-buildmode=c-shared", "./internal/behave")
})

// build builds a package of a module's folder for WebAssembly.
func build(name, module string, args ...string) (string, error) {
	dir, err := tempDir()
	if err != nil {
		return "", err
	}
	out := filepath.Join(dir, name)
	cmd := exec.Command("go", append([]string{"build", "-o", out}, args...)...)
	cmd.Dir = module
	cmd.Env = append(os.Environ(), "GOOS=wasip1", "GOARCH=wasm")
	if text, err := cmd.CombinedOutput(); err != nil {
		return "", errors.New(string(text))
	}
	return out, nil
}

// options share one cache of compiled code: compiling takes most of the time.
func options(t *testing.T) wasm.Options {
	t.Helper()
	file, err := behave()
	if err != nil {
		t.Fatal(err)
	}
	return wasm.Options{
		File: file, Rerun: true, CacheDir: filepath.Join(filepath.Dir(file), "cache"), Memory: 64 << 20,
		Start: frame.Start{
			Protocol: 1, Tenant: "acme", Namespace: "shop", Name: "enrich", InstanceID: 1, Parallelism: 3,
			Inputs: []frame.Topic{{Topic: "persistent://acme/shop/orders"}},
			Output: &frame.Topic{Topic: "persistent://acme/shop/enriched"}, UserConfig: []byte(`{"region":"eu"}`),
			Secrets: map[string]string{"token": "s3cret"},
			Limits:  frame.Limits{MaxFrameBytes: 16 << 20},
		},
	}
}

func functions(t *testing.T, o wasm.Options) *wasm.Functions {
	t.Helper()
	f, err := wasm.New(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := f.Close(context.WithoutCancel(t.Context())); err != nil {
			t.Error(err)
		}
	})
	return f
}

func lane(t *testing.T, o wasm.Options) pipeline.Function {
	t.Helper()
	l, err := functions(t, o).ForLane(t.Context(), 0)
	if err != nil {
		t.Fatal(err)
	}
	return l
}

func batch(values ...string) []pipeline.Message {
	in := make([]pipeline.Message, len(values))
	for i, v := range values {
		in[i] = pipeline.Message{Topic: "persistent://acme/shop/orders", Partition: 2, Position: pipeline.Position{Ledger: 7, Entry: 1}, Value: []byte(v), Key: []byte("k"), EventTime: 42, Redelivery: 1}
	}
	return in
}

func shape(results []pipeline.Result) string {
	var out []string
	for _, r := range results {
		switch {
		case r.Err != nil:
			out = append(out, "!")
		case len(r.Outputs) == 0:
			out = append(out, "-")
		default:
			var values []string
			for _, m := range r.Outputs {
				values = append(values, string(m.Value))
			}
			out = append(out, strings.Join(values, "+"))
		}
	}
	return strings.Join(out, " ")
}

// limit is that of calls of which some never return. What returns at once may still take
// its time on a busy machine.
const limit = 2 * time.Second

func TestR5Outcomes(t *testing.T) {
	cases := map[string]struct {
		in   []string
		want string
	}{
		"Echo":         {[]string{"a", "b", ""}, "a b "},
		"NoOutput":     {[]string{"none", "a"}, "- a"},
		"TwoOutputs":   {[]string{"two"}, "two-1+two-2"},
		"FailureIsOne": {[]string{"a", "fail", "b"}, "a ! b"},
		"PanicIsOne":   {[]string{"a", "panic", "b"}, "a ! b"},
		"ExitIsOne":    {[]string{"a", "exit", "b"}, "a ! b"},
		"LoopIsOne":    {[]string{"a", "loop", "b"}, "a ! b"},
		"SleepIsOne":   {[]string{"sleep", "b"}, "! b"},
		"MemoryIsOne":  {[]string{"a", "memory", "b"}, "a ! b"},
		"Empty":        {nil, ""},
	}
	o := options(t)
	o.Timeout = limit
	f := lane(t, o)
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			results, err := f.Invoke(t.Context(), batch(c.in...))
			if err != nil {
				t.Fatal(err)
			}
			if got := shape(results); got != c.want {
				t.Errorf("got %q, want %q: %v", got, c.want, results)
			}
		})
	}
}

func TestR2NothingIsShownTwice(t *testing.T) {
	o := options(t)
	o.Rerun = false
	f := lane(t, o)
	results, err := f.Invoke(t.Context(), batch("a", "exit", "b"))
	if err != nil || shape(results) != "! ! !" {
		t.Errorf("got %q, %v; want every message of the batch to fail", shape(results), err)
	}
	if results, err := f.Invoke(t.Context(), batch("a")); err != nil || shape(results) != "a" {
		t.Errorf("the guest was not replaced: %q, %v", shape(results), err)
	}
}

func TestCancelledCallIsNobodysFailure(t *testing.T) {
	for name, c := range map[string]struct {
		value string
		limit time.Duration
	}{"WithLimit": {"loop", time.Minute}, "WithoutLimit": {"sleep", 0}} {
		t.Run(name, func(t *testing.T) {
			o := options(t)
			o.Timeout = c.limit
			f := lane(t, o)
			ctx, cancel := context.WithCancel(t.Context())
			time.AfterFunc(50*time.Millisecond, cancel)
			if _, err := f.Invoke(ctx, batch(c.value)); !errors.Is(err, context.Canceled) {
				t.Errorf("got %v, want the context's error", err)
			}
			if results, err := f.Invoke(t.Context(), batch("a")); err != nil || shape(results) != "a" {
				t.Errorf("the next call: %q, %v", shape(results), err)
			}
		})
	}
}

func TestContext(t *testing.T) {
	o := options(t)
	seen := map[string]float64{}
	o.Metric = func(name string, value float64) { seen[name] += value }
	results, err := lane(t, o).Invoke(t.Context(), batch("context", "publish"))
	if err != nil {
		t.Fatal(err)
	}
	want := []pipeline.Result{
		{Outputs: []pipeline.Message{{
			Key: []byte("k"), EventTime: 42,
			Value: []byte("acme/shop/enrich 1/3 persistent://acme/shop/orders persistent://acme/shop/enriched eu s3cret 7:1:2 2 1"),
		}}},
		{Outputs: []pipeline.Message{
			{Key: []byte("k"), EventTime: 42, Value: []byte("here")},
			{Topic: "elsewhere", Value: []byte("there"), Properties: map[string]string{"a": "b"}},
		}},
	}
	if d := cmp.Diff(want, results); d != "" {
		t.Error(d)
	}
	if d := cmp.Diff(map[string]float64{"seen": 2.5}, seen); d != "" {
		t.Error(d)
	}
}

func TestLanesShareNothing(t *testing.T) {
	f := functions(t, options(t))
	var group sync.WaitGroup
	for i := range 4 {
		group.Go(func() {
			l, err := f.ForLane(t.Context(), i)
			if err != nil {
				t.Error(err)
				return
			}
			for range 20 {
				if results, err := l.Invoke(t.Context(), batch("a", "b")); err != nil || shape(results) != "a b" {
					t.Errorf("lane %d: %q, %v", i, shape(results), err)
				}
			}
			if err := l.Close(t.Context()); err != nil {
				t.Error(err)
			}
		})
	}
	group.Wait()
}

func TestCodeThatCannotRunIsTerminal(t *testing.T) {
	header := "\x00asm\x01\x00\x00\x00"
	// (module (import "env" "f" (func)))
	foreign := header + "\x01\x04\x01\x60\x00\x00" + "\x02\x09\x01\x03env\x01f\x00\x00"
	cases := map[string]struct{ code, says string }{
		"Empty":         {"", "not a WebAssembly module"},
		"Text":          {"#!/usr/bin/env python3\n", "not a WebAssembly module"},
		"Component":     {"\x00asm\x0d\x00\x01\x00", "component"},
		"Truncated":     {header + "\x01\x04", "does not compile"},
		"NoExports":     {header, "does not export"},
		"ForeignImport": {foreign, "env.f"},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			file := filepath.Join(t.TempDir(), "module.wasm")
			if err := os.WriteFile(file, []byte(c.code), 0o600); err != nil {
				t.Fatal(err)
			}
			wantInvalid(t, wasm.Options{File: file}, c.says)
		})
	}
	t.Run("Missing", func(t *testing.T) {
		wantInvalid(t, wasm.Options{File: filepath.Join(t.TempDir(), "none.wasm")}, "cannot be read")
	})
	t.Run("BuiltAsProgram", func(t *testing.T) {
		dir := t.TempDir() // a small one, which compiles soon
		for name, text := range map[string]string{"go.mod": "module small\n", "main.go": "package main\n\nfunc main() {}\n"} {
			if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		file, err := build("program.wasm", dir, ".")
		if err != nil {
			t.Fatal(err)
		}
		wantInvalid(t, wasm.Options{File: file}, "c-shared")
	})
	t.Run("MemoryBelowItsNeed", func(t *testing.T) {
		o := options(t)
		o.Memory, o.CacheDir = 1<<16, ""
		wantInvalid(t, o, "")
	})
}

func wantInvalid(t *testing.T, o wasm.Options, says string) {
	t.Helper()
	_, err := wasm.New(t.Context(), o)
	var terminal *pipeline.TerminalError
	if !errors.As(err, &terminal) || terminal.Reason != "InvalidCode" {
		t.Fatalf("got %v, want InvalidCode", err)
	}
	if !strings.Contains(err.Error(), says) {
		t.Errorf("%q does not say %q", err, says)
	}
}

func TestFunctionSuite(t *testing.T) {
	runnertest.FunctionSuite(t, runnertest.FunctionHarness{CallTimeout: limit, Properties: true, New: func(t *testing.T) pipeline.Functions {
		o := options(t)
		o.Timeout = limit
		return functions(t, o)
	}})
}
