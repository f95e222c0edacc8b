package wasm_test

import (
	"errors"
	"fmt"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/functionmesh/terraform-provider-functionmesh/runner/pipeline"
	"github.com/functionmesh/terraform-provider-functionmesh/runner/runtime/frame"
	"github.com/functionmesh/terraform-provider-functionmesh/runner/runtime/wasm"
)

// BenchmarkModule reports what a message costs in a module, with and without a limit.
func BenchmarkModule(b *testing.B) {
	echo := filepath.Join(b.TempDir(), "echo.wasm")
	build := exec.Command("go", "build", "-buildmode=c-shared", "-o", echo, "./internal/echo")
	build.Dir = filepath.Join("..", "..", "sdk", "go")
	build.Env = append(build.Environ(), "GOOS=wasip1", "GOARCH=wasm")
	if text, err := build.CombinedOutput(); err != nil {
		b.Fatalf("%v: %s", err, text)
	}
	for name, timeout := range map[string]time.Duration{"Free": 0, "Limited": time.Minute} {
		for _, n := range []int{100, 1000} {
			b.Run(fmt.Sprintf("%s/%d", name, n), func(b *testing.B) {
				o := wasm.Options{File: echo, CacheDir: b.TempDir(), Rerun: true, Timeout: timeout, Start: frame.Start{Inputs: []frame.Topic{}}}
				in := make([]pipeline.Message, n)
				for i := range in {
					in[i] = pipeline.Message{Topic: "persistent://a/b/c", Value: []byte(strings.Repeat("v", 100))}
				}
				measure(b, o, in)
			})
		}
	}
}

func measure(b *testing.B, o wasm.Options, in []pipeline.Message) {
	b.Helper()
	f, err := wasm.New(b.Context(), o)
	if err != nil {
		b.Fatal(err)
	}
	defer func() {
		if err := f.Close(b.Context()); err != nil {
			b.Error(err)
		}
	}()
	l, err := f.ForLane(b.Context(), 0)
	if err != nil {
		b.Fatal(err)
	}
	reuser, ok := l.(pipeline.Reuser)
	if !ok {
		b.Fatal(errors.New("the memory of results is not used again"))
	}
	b.ReportAllocs()
	b.ResetTimer()
	before := cpu(b)
	done := 0
	for ; done < b.N; done += len(in) {
		results, err := l.Invoke(b.Context(), in)
		if err != nil || len(results) != len(in) {
			b.Fatalf("%d results, %v", len(results), err)
		}
		reuser.Reuse(results)
	}
	b.ReportMetric(float64(cpu(b)-before)/float64(done), "cpu-ns/msg")
}

// cpu is the CPU time of this process in nanoseconds.
func cpu(b *testing.B) int64 {
	b.Helper()
	var t unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_PROCESS_CPUTIME_ID, &t); err != nil {
		b.Fatal(err)
	}
	return t.Nano()
}
