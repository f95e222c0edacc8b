//go:build unix

package process_test

import (
	"bytes"
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
	"github.com/functionmesh/terraform-provider-functionmesh/runner/runtime/process"
)

// need skips a test that this machine cannot run, and fails it where everything must
// run.
func need(t *testing.T, program string) {
	t.Helper()
	if _, err := exec.LookPath(program); err == nil {
		return
	}
	if os.Getenv("FUNCTIONMESH_REQUIRE_ALL") == "1" {
		t.Fatalf("%s is not in PATH and FUNCTIONMESH_REQUIRE_ALL is set", program)
	}
	t.Skipf("%s is not in PATH", program)
}

var buildBehave = sync.OnceValues(func() (string, error) {
	dir, err := os.MkdirTemp("", "behave")
	if err != nil {
		return "", err
	}
	out := filepath.Join(dir, "behave")
	cmd := exec.Command("go", "build", "-o", out, "./internal/behave")
	cmd.Dir = filepath.Join("..", "..", "sdk", "go")
	text, err := cmd.CombinedOutput()
	if err != nil {
		return "", errors.New(string(text))
	}
	return out, nil
})

func TestMain(m *testing.M) {
	if os.Getenv(childEnv) != "" {
		os.Exit(child())
	}
	code := m.Run()
	if file, err := buildBehave(); err == nil {
		_ = os.RemoveAll(filepath.Dir(file))
	}
	os.Exit(code)
}

// languages are the workers that every test below runs on.
func languages() map[string]func(t *testing.T) process.Options {
	return map[string]func(t *testing.T) process.Options{
		"Python": func(t *testing.T) process.Options {
			need(t, "python3")
			return options(t, process.Python, filepath.Join("testdata", "behave.py"), "behave.Behave")
		},
		"Go": func(t *testing.T) process.Options {
			file, err := buildBehave()
			if err != nil {
				t.Fatal(err)
			}
			return options(t, process.Go, file, "")
		},
	}
}

func options(t *testing.T, runtime, file, class string) process.Options {
	t.Helper()
	return process.Options{
		Runtime: runtime, File: file, WorkDir: t.TempDir(), Rerun: true,
		Start: frame.Start{
			Protocol: 1, Class: class, Tenant: "acme", Namespace: "shop", Name: "enrich", InstanceID: 1, Parallelism: 3,
			Inputs: []frame.Topic{{Topic: "persistent://acme/shop/orders", Schema: "bytes"}},
			Output: &frame.Topic{Topic: "persistent://acme/shop/enriched"}, UserConfig: []byte(`{"region":"eu"}`),
			Secrets: map[string]string{"token": "s3cret"},
		},
	}
}

func start(t *testing.T, o process.Options) pipeline.Function {
	t.Helper()
	f, err := process.New(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := f.Close(context.WithoutCancel(t.Context())); err != nil {
			t.Error(err)
		}
	})
	lane, err := f.ForLane(t.Context(), 0)
	if err != nil {
		t.Fatal(err)
	}
	return lane
}

func batch(values ...string) []pipeline.Message {
	in := make([]pipeline.Message, len(values))
	for i, v := range values {
		in[i] = pipeline.Message{Topic: "persistent://acme/shop/orders", Partition: 2, Position: pipeline.Position{Ledger: 7, Entry: 1}, Value: []byte(v), Key: []byte("k"), EventTime: 42, Redelivery: 1}
	}
	return in
}

// shape renders results so that a table can state them: values joined by +, "!" for
// a failure, "-" for nothing.
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
		"Echo":             {[]string{"a", "b", ""}, "a b "},
		"NoOutput":         {[]string{"none", "a"}, "- a"},
		"TwoOutputs":       {[]string{"two"}, "two-1+two-2"},
		"FailureIsOne":     {[]string{"a", "fail", "b"}, "a ! b"},
		"DeathIsOne":       {[]string{"a", "exit", "b"}, "a ! b"},
		"LoopIsOne":        {[]string{"a", "loop", "b"}, "a ! b"},
		"SleepIsOne":       {[]string{"sleep", "b"}, "! b"},
		"HugeResultIsOne":  {[]string{"a", "huge", "b"}, "a ! b"},
		"PublishElsewhere": {[]string{"publish"}, "there+here"},
		"Empty":            {nil, ""},
	}
	for language, make := range languages() {
		t.Run(language, func(t *testing.T) {
			t.Parallel()
			o := make(t)
			o.Timeout = limit
			f := start(t, o)
			for name, c := range cases {
				t.Run(name, func(t *testing.T) {
					results := invoke(t, f, batch(c.in...))
					got := shape(results)
					if language == "Go" && name == "PublishElsewhere" {
						c.want = "here+there"
					}
					if got != c.want {
						t.Errorf("got %q, want %q: %v", got, c.want, results)
					}
				})
			}
		})
	}
}

// invoke calls again after a runtime failure, as the pipeline does.
func invoke(t *testing.T, f pipeline.Function, in []pipeline.Message) []pipeline.Result {
	t.Helper()
	for range 5 {
		results, err := f.Invoke(t.Context(), in)
		if err == nil {
			return results
		}
		if _, ok := errors.AsType[*pipeline.TerminalError](err); ok {
			t.Fatalf("a failure of one message ended the instance: %v", err)
		}
	}
	t.Fatal("the runtime failed five times in a row")
	return nil
}

func TestR2NothingIsShownTwice(t *testing.T) {
	for language, make := range languages() {
		t.Run(language, func(t *testing.T) {
			t.Parallel()
			o := make(t)
			o.Rerun, o.Timeout = false, limit
			f := start(t, o)
			for _, guilty := range []string{"exit", "loop"} {
				results, err := f.Invoke(t.Context(), batch("a", guilty, "b"))
				if err != nil || shape(results) != "! ! !" {
					t.Errorf("%s: got %q, %v; want every message of the batch to fail", guilty, shape(results), err)
				}
			}
			if results, err := f.Invoke(t.Context(), batch("a")); err != nil || shape(results) != "a" {
				t.Errorf("the worker was not replaced: %q, %v", shape(results), err)
			}
		})
	}
}

func TestContext(t *testing.T) {
	want := map[string]string{
		"Python": "acme/shop/enrich 1/3 persistent://acme/shop/orders persistent://acme/shop/enriched eu s3cret (7,1,2,-1) 1",
		"Go":     "acme/shop/enrich 1/3 persistent://acme/shop/orders persistent://acme/shop/enriched eu s3cret 7:1:2 2 1",
	}
	for language, make := range languages() {
		t.Run(language, func(t *testing.T) {
			o := make(t)
			seen := map[string]float64{}
			o.Metric = func(name string, value float64) { seen[name] += value }
			results := invoke(t, start(t, o), batch("context", "context"))
			for _, r := range results {
				if len(r.Outputs) != 1 {
					t.Fatalf("got %+v", r)
				}
				got := r.Outputs[0]
				if string(got.Value) != want[language] || string(got.Key) != "k" || got.EventTime != 42 {
					t.Errorf("got %q key %q time %d", got.Value, got.Key, got.EventTime)
				}
			}
			if d := cmp.Diff(map[string]float64{"seen": 5}, seen); d != "" {
				t.Error(d)
			}
		})
	}
}

func TestDestinationAndProperties(t *testing.T) {
	for language, make := range languages() {
		t.Run(language, func(t *testing.T) {
			results := invoke(t, start(t, make(t)), batch("publish"))
			var there, here pipeline.Message
			for _, m := range results[0].Outputs {
				if m.Topic == "" {
					here = m
				} else {
					there = m
				}
			}
			wantThere := pipeline.Message{Topic: "elsewhere", Value: []byte("there"), Properties: map[string]string{"a": "b"}}
			wantHere := pipeline.Message{Value: []byte("here"), Key: []byte("k"), EventTime: 42}
			if d := cmp.Diff([]pipeline.Message{wantThere, wantHere}, []pipeline.Message{there, here}); d != "" {
				t.Error(d)
			}
		})
	}
}

func TestR9SecretsTravelInTheStartFrameOnly(t *testing.T) {
	for language, make := range languages() {
		t.Run(language, func(t *testing.T) {
			o := make(t)
			var log bytes.Buffer
			o.Log = &log
			f, err := process.New(t.Context(), o)
			if err != nil {
				t.Fatal(err)
			}
			err = filepath.WalkDir(o.WorkDir, func(path string, d os.DirEntry, err error) error {
				if err != nil || d.IsDir() {
					return err
				}
				data, err := os.ReadFile(path)
				if bytes.Contains(data, []byte("s3cret")) {
					t.Errorf("%s holds a secret", path)
				}
				return err
			})
			if err != nil {
				t.Error(err)
			}
			if err := f.Close(t.Context()); err != nil {
				t.Error(err)
			}
			if !strings.Contains(log.String(), "behave was loaded") || strings.Contains(log.String(), "s3cret") {
				t.Errorf("log: %q", log.String())
			}
		})
	}
}

func TestFunctionSuite(t *testing.T) {
	for language, make := range languages() {
		t.Run(language, func(t *testing.T) {
			t.Parallel()
			runnertest.FunctionSuite(t, runnertest.FunctionHarness{CallTimeout: limit, Properties: language == "Go", New: func(t *testing.T) pipeline.Functions {
				o := make(t)
				o.Timeout = limit
				f, err := process.New(t.Context(), o)
				if err != nil {
					t.Fatal(err)
				}
				t.Cleanup(func() { _ = f.Close(context.WithoutCancel(t.Context())) })
				return f
			}})
		})
	}
}

// The stand-in for the client library is the last resort: who installs the library gets
// it, with all that it has beyond the interface of functions.
func TestInstalledPulsarClientWins(t *testing.T) {
	need(t, "python3")
	const code = "import pulsar\n\nclass F(pulsar.Function):\n    def process(self, input, context):\n        return getattr(pulsar, 'ORIGIN', 'stand-in')\n"
	cases := map[string]struct {
		installed string
		want      string
	}{
		"Installed":    {"ORIGIN = 'installed'\n\nclass Function(object):\n    pass\n", "installed"},
		"NotInstalled": {"", "stand-in"},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			place, file := t.TempDir(), filepath.Join(t.TempDir(), "f.py")
			if c.installed != "" {
				write(t, filepath.Join(place, "pulsar", "__init__.py"), c.installed)
			}
			write(t, file, code)
			t.Setenv("PYTHONPATH", place)
			results, err := start(t, options(t, process.Python, file, "f.F")).Invoke(t.Context(), []pipeline.Message{{Topic: "persistent://acme/shop/orders", Value: []byte("x")}})
			if err != nil || len(results) != 1 || len(results[0].Outputs) != 1 {
				t.Fatalf("got %+v, %v", results, err)
			}
			if got := string(results[0].Outputs[0].Value); got != c.want {
				t.Errorf("user code sees the %s package, want the %s one", got, c.want)
			}
		})
	}
}

func write(t *testing.T, file, text string) {
	t.Helper()
	err := os.MkdirAll(filepath.Dir(file), 0o700)
	if err == nil {
		err = os.WriteFile(file, []byte(text), 0o600)
	}
	if err != nil {
		t.Fatal(err)
	}
}
