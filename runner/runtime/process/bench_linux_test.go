package process_test

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/functionmesh/terraform-provider-functionmesh/runner/pipeline"
	"github.com/functionmesh/terraform-provider-functionmesh/runner/runtime/frame"
	"github.com/functionmesh/terraform-provider-functionmesh/runner/runtime/process"
)

// BenchmarkWorker reports what a message costs both processes together: CPU time of
// this one, and of the worker by its process clock.
func BenchmarkWorker(b *testing.B) {
	echo := filepath.Join(b.TempDir(), "echo")
	build := exec.Command("go", "build", "-o", echo, "./internal/echo")
	build.Dir = filepath.Join("..", "..", "sdk", "go")
	if text, err := build.CombinedOutput(); err != nil {
		b.Fatalf("%v: %s", err, text)
	}
	script := filepath.Join("testdata", "echo.py")
	cases := []struct{ name, runtime, file, class, form string }{
		{"GoBytes", process.Go, echo, "", "bytes"},
		{"GoMessage", process.Go, echo, "", "message"},
		{"GoBatch", process.Go, echo, "", "batch"},
		{"PythonBytes", process.Python, script, "echo.plain", ""},
		{"PythonContext", process.Python, script, "echo.with_context", ""},
		{"PythonProperties", process.Python, script, "echo.properties", ""},
	}
	for _, c := range cases {
		for _, n := range []int{100, 1000} {
			b.Run(fmt.Sprintf("%s/%d", c.name, n), func(b *testing.B) {
				b.Setenv("FORM", c.form)
				o := process.Options{Runtime: c.runtime, File: c.file, WorkDir: b.TempDir(), Rerun: true, Log: os.Stderr, Start: frame.Start{
					Protocol: frame.MaxProtocol, Class: c.class, Inputs: []frame.Topic{{Topic: "persistent://a/b/c", Schema: "bytes"}},
				}}
				measure(b, o, payloads(n))
			})
		}
	}
}

func payloads(n int) []pipeline.Message {
	in := make([]pipeline.Message, n)
	for i := range in {
		in[i] = pipeline.Message{
			Topic: "persistent://a/b/c", Value: []byte(strings.Repeat("v", 100)), EventTime: 1, PublishTime: 2,
			Position: pipeline.Position{Ledger: 7, Entry: 9, Index: int32(i), Count: int32(n)}, Properties: map[string]string{"a": "b"},
		}
	}
	return in
}

// measure runs whole batches for about b.N messages.
func measure(b *testing.B, o process.Options, in []pipeline.Message) {
	b.Helper()
	f, err := process.New(b.Context(), o)
	if err != nil {
		b.Fatal(err)
	}
	defer func() { _ = f.Close(context.WithoutCancel(b.Context())) }()
	lane, err := f.ForLane(b.Context(), 0)
	if err != nil {
		b.Fatal(err)
	}
	reuser, ok := lane.(pipeline.Reuser)
	if !ok {
		b.Fatal("the memory of results is not used again")
	}
	call := func() {
		results, err := lane.Invoke(b.Context(), in)
		if err != nil || len(results) != len(in) {
			b.Fatalf("%d results, %v", len(results), err)
		}
		reuser.Reuse(results)
	}
	for range 100 {
		call()
	}
	pid := childPid(b)
	own, theirs := cpu(b, os.Getpid()), cpu(b, pid)
	messages := 0
	b.ReportAllocs()
	b.ResetTimer()
	for messages < b.N {
		call()
		messages += len(in)
	}
	b.StopTimer()
	own, theirs = cpu(b, os.Getpid())-own, cpu(b, pid)-theirs
	b.ReportMetric(float64(own+theirs)/float64(messages), "cpu-ns/msg")
	b.ReportMetric(float64(theirs)/float64(messages), "worker-ns/msg")
}

// childPid is the only child of this process.
func childPid(b *testing.B) int {
	b.Helper()
	pids := 0
	found := 0
	tasks, err := filepath.Glob("/proc/self/task/*/children")
	if err != nil {
		b.Fatal(err)
	}
	for _, t := range tasks {
		text, err := os.ReadFile(t)
		if err != nil {
			continue
		}
		if n, _ := fmt.Sscan(string(text), &found); n == 1 {
			pids++
		}
	}
	if pids != 1 {
		b.Skip("which process is the worker is not known")
	}
	return found
}

// cpu is the CPU time of a process in nanoseconds.
func cpu(b *testing.B, pid int) int64 {
	b.Helper()
	var t unix.Timespec
	if err := unix.ClockGettime(int32(^pid<<3|2), &t); err != nil {
		b.Fatal(err)
	}
	return t.Nano()
}
