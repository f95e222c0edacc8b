//go:build unix

package process_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/functionmesh/terraform-provider-functionmesh/runner/pipeline"
	"github.com/functionmesh/terraform-provider-functionmesh/runner/runtime/frame"
	"github.com/functionmesh/terraform-provider-functionmesh/runner/runtime/process"
)

// childEnv makes the test binary an instance: runtime|file|class|work dir|pid file.
const childEnv = "FUNCTIONMESH_PROCESS_TEST_CHILD"

// child calls user code that never returns, as an instance that will be killed.
func child() int {
	args := strings.Split(os.Getenv(childEnv), "|")
	o := process.Options{
		Runtime: args[0], File: args[1], WorkDir: args[3], Rerun: true, Log: os.Stderr,
		Start: frame.Start{Protocol: 1, Class: args[2], Inputs: []frame.Topic{{Topic: "t", Schema: "bytes"}}},
	}
	ctx := context.Background() //nolint:forbidigo // this process is not under test: it is the instance
	f, err := process.New(ctx, o)
	if err == nil {
		var l pipeline.Function
		if l, err = f.ForLane(ctx, 0); err == nil {
			_, err = l.Invoke(ctx, []pipeline.Message{{Value: []byte("pid:" + args[4])}})
		}
	}
	fmt.Fprintln(os.Stderr, err)
	return 1
}

func eventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for deadline := time.Now().Add(60 * time.Second); !ok(); time.Sleep(10 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("never: %s", what)
		}
	}
}

// pidIn waits for the worker to say who it is.
func pidIn(t *testing.T, file string) int {
	t.Helper()
	pid := 0
	eventually(t, "the worker says its pid", func() bool {
		data, err := os.ReadFile(file)
		if err == nil {
			pid, err = strconv.Atoi(string(data))
		}
		return err == nil
	})
	return pid
}

// gone says whether a process has ended; a zombie that nobody waits for has, too.
func gone(pid int) bool {
	if syscall.Kill(pid, 0) != nil {
		return true
	}
	stat, err := os.ReadFile(filepath.Join("/proc", strconv.Itoa(pid), "stat"))
	if err != nil {
		return false
	}
	_, after, _ := strings.Cut(string(stat), ") ")
	return strings.HasPrefix(after, "Z")
}

// An instance that is killed leaves no worker behind, even one whose user code never
// returns.
func TestR7WorkersEndWithTheInstance(t *testing.T) {
	for language, make := range languages() {
		t.Run(language, func(t *testing.T) {
			o := make(t)
			file, err := filepath.Abs(o.File)
			if err != nil {
				t.Fatal(err)
			}
			pidFile := filepath.Join(t.TempDir(), "pid")
			instance := exec.CommandContext(t.Context(), os.Args[0])
			instance.Env = append(os.Environ(), childEnv+"="+strings.Join([]string{o.Runtime, file, o.Start.Class, o.WorkDir, pidFile}, "|"))
			var log strings.Builder
			instance.Stderr = &log
			instance.WaitDelay = time.Second
			if err := instance.Start(); err != nil {
				t.Fatal(err)
			}
			worker := pidIn(t, pidFile)
			if err := instance.Process.Kill(); err != nil {
				t.Fatal(err)
			}
			_ = instance.Wait()
			eventually(t, "the worker ends", func() bool { return gone(worker) })
		})
	}
}

// kill -9 of the worker in the middle of a batch is the runtime's failure, not a
// message's: the next call finds a new worker and loses nothing.
func TestR1WorkerKilledMidCall(t *testing.T) {
	for language, make := range languages() {
		t.Run(language, func(t *testing.T) {
			f := start(t, make(t))
			pidFile := filepath.Join(t.TempDir(), "pid")
			done := goDo(func() error {
				_, err := f.Invoke(t.Context(), batch("a", "pid:"+pidFile))
				return err
			})
			if err := syscall.Kill(pidIn(t, pidFile), syscall.SIGKILL); err != nil {
				t.Fatal(err)
			}
			err := <-done
			var terminal *pipeline.TerminalError
			if err == nil || errors.As(err, &terminal) {
				t.Fatalf("got %v, want a failure of the runtime", err)
			}
			if results := invoke(t, f, batch("a", "b")); shape(results) != "a b" {
				t.Errorf("after the kill: %q", shape(results))
			}
		})
	}
}

func goDo(f func() error) <-chan error {
	done := make(chan error, 1)
	go func() { done <- f() }()
	return done
}

// Several lanes call at once; batches and results are larger than what pipes hold.
func TestR4LanesShareOneWorker(t *testing.T) {
	for language, make := range languages() {
		t.Run(language, func(t *testing.T) {
			f, err := process.New(t.Context(), make(t))
			if err != nil {
				t.Fatal(err)
			}
			var group sync.WaitGroup
			for i := range 4 {
				group.Go(func() {
					l, err := f.ForLane(t.Context(), i)
					if err != nil {
						t.Error(err)
						return
					}
					var values []string
					for n := range 50 {
						values = append(values, fmt.Sprintf("%d-%d-%s", i, n, strings.Repeat("x", 20_000)))
					}
					for range 5 {
						results, err := l.Invoke(t.Context(), batch(values...))
						if err != nil || shape(results) != strings.Join(values, " ") {
							t.Errorf("lane %d: results differ (%v)", i, err)
						}
					}
				})
			}
			group.Wait()
			for range 2 {
				if err := f.Close(t.Context()); err != nil {
					t.Error(err)
				}
			}
			l, err := f.ForLane(t.Context(), 0)
			if err == nil {
				_, err = l.Invoke(t.Context(), batch("a"))
			}
			if err == nil {
				t.Error("a closed runtime still answers")
			}
		})
	}
}

func TestCodeThatCannotRunIsTerminal(t *testing.T) {
	write := func(text string, mode os.FileMode) func(t *testing.T) string {
		return func(t *testing.T) string {
			file := filepath.Join(t.TempDir(), "code")
			if err := os.WriteFile(file, []byte(text), mode); err != nil {
				t.Fatal(err)
			}
			return file
		}
	}
	cases := map[string]struct {
		runtime string
		file    func(t *testing.T) string
		class   string
		reason  string
		says    string
	}{
		"NoSuchClass":     {process.Python, write("def f(i): pass\n", 0o600), "code.Missing", "ClassNotFound", "Missing"},
		"SyntaxError":     {process.Python, write("def f(:\n", 0o600), "f", "InvalidCode", "SyntaxError"},
		"ImportExits":     {process.Python, write("import os\nos.write(2, b'last words')\nos._exit(9)\n", 0o600), "f", "InvalidCode", "exit status 9\nlast words"},
		"ImportEndsWell":  {process.Python, write("import os\nos._exit(0)\n", 0o600), "f", "InvalidCode", "exit status 0"},
		"MissingModule":   {process.Python, write("import no_such_package_here\n", 0o600), "f", "InvalidCode", "no_such_package_here"},
		"NotAProgram":     {process.Go, write("plain text", 0o600), "", "InvalidCode", "started"},
		"AnotherProgram":  {process.Go, write("#!/bin/sh\necho some words >&2\n", 0o700), "", "InvalidCode", "some words"},
		"SpeaksNonsense":  {process.Go, write("#!/bin/sh\nprintf 'GET / HTTP/1.1' >&4\nread x\n", 0o700), "", "InvalidCode", ""},
		"UnknownProtocol": {process.Go, write("#!/bin/sh\nprintf '\\000\\000\\000\\024\\001{\"min\":8,\"max\":9}  ' >&4\nread x <&3\n", 0o700), "", "InvalidCode", "protocol 8 to 9"},
		"NoFile":          {process.Go, func(t *testing.T) string { return filepath.Join(t.TempDir(), "none") }, "", "InvalidCode", "read"},
		"UnknownRuntime":  {"java", write("", 0o600), "", "InvalidConfig", "java"},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			if c.runtime == process.Python {
				need(t, "python3")
			}
			_, err := process.New(t.Context(), options(t, c.runtime, c.file(t), c.class))
			var terminal *pipeline.TerminalError
			if !errors.As(err, &terminal) || terminal.Reason != c.reason {
				t.Fatalf("got %v, want reason %s", err, c.reason)
			}
			if !strings.Contains(err.Error(), c.says) {
				t.Errorf("%q does not say %q", err, c.says)
			}
		})
	}
}

func TestMissingInterpreter(t *testing.T) {
	t.Setenv("PATH", t.TempDir())
	_, err := process.New(t.Context(), options(t, process.Python, filepath.Join("testdata", "behave.py"), "behave.Behave"))
	var terminal *pipeline.TerminalError
	if !errors.As(err, &terminal) || terminal.Reason != "MissingInterpreter" {
		t.Errorf("got %v", err)
	}
}

// A stored package has no permission to execute: a copy gets it.
func TestProgramWithoutPermission(t *testing.T) {
	file, err := buildBehave()
	if err != nil {
		t.Fatal(err)
	}
	code, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	stored := filepath.Join(t.TempDir(), "stored")
	if err := os.WriteFile(stored, code, 0o600); err != nil {
		t.Fatal(err)
	}
	if results := invoke(t, start(t, options(t, process.Go, stored, "")), batch("a")); shape(results) != "a" {
		t.Errorf("got %q", shape(results))
	}
}

func TestUserOutputGoesToTheLog(t *testing.T) {
	need(t, "python3")
	o := options(t, process.Python, filepath.Join("testdata", "behave.py"), "behave.Behave")
	var log lockedLog
	o.Log = &log
	if results := invoke(t, start(t, o), batch("log", "state")); shape(results) != "- !" {
		t.Errorf("got %q", shape(results))
	}
	for _, want := range []string{"a line for the log", "WARNING enrich: a word for the log"} {
		eventually(t, want, func() bool { return strings.Contains(log.String(), want) })
	}
}

type lockedLog struct {
	mu sync.Mutex
	b  strings.Builder
}

func (l *lockedLog) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *lockedLog) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

// TestOlderWorker: a worker that was built before this runner goes on working.
func TestOlderWorker(t *testing.T) {
	need(t, "python3")
	file := filepath.Join(t.TempDir(), "old")
	code, err := os.ReadFile(filepath.Join("testdata", "old_worker.py"))
	if err == nil {
		err = os.WriteFile(file, code, 0o700)
	}
	if err != nil {
		t.Fatal(err)
	}
	f := start(t, options(t, process.Go, file, ""))
	for range 2 {
		if got := shape(invoke(t, f, batch("a", "", "c"))); got != "a  c" {
			t.Errorf("got %q", got)
		}
	}
}
