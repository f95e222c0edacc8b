package process_test

import (
	"errors"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"

	"github.com/functionmesh/terraform-provider-functionmesh/runner/pipeline"
	"github.com/functionmesh/terraform-provider-functionmesh/runner/runtime/process"
)

// counter is a log that keeps no more than its first and last bytes.
type counter struct {
	mu    sync.Mutex
	bytes int64
	told  bool
}

func (c *counter) Write(p []byte) (int, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.bytes += int64(len(p))
	c.told = c.told || strings.Contains(string(p), "were dropped here")
	return len(p), nil
}

// reasonOf is the text of the one failure among the results.
func reasonOf(t *testing.T, results []pipeline.Result) string {
	t.Helper()
	for _, r := range results {
		if r.Err != nil {
			return r.Err.Error()
		}
	}
	t.Fatalf("nothing failed: %v", results)
	return ""
}

// TestR5LeakIsOne: code that takes memory without end is ended before the machine
// suffers, for the message that made it so, and the lane goes on.
func TestR5LeakIsOne(t *testing.T) {
	for language, make := range languages() {
		t.Run(language, func(t *testing.T) {
			o := make(t)
			o.Memory = 256 << 20
			f := start(t, o)
			results := invoke(t, f, batch("a", "memory", "b"))
			if got := shape(results); got != "a ! b" {
				t.Errorf("got %q", got)
			}
			if reason := reasonOf(t, results); !strings.Contains(reason, "more than its limit of 256 MiB") {
				t.Errorf("the reason is %q", reason)
			}
			if got := shape(invoke(t, f, batch("c"))); got != "c" {
				t.Errorf("afterwards %q", got)
			}
		})
	}
}

// TestR5ForksAreOne: so is code that starts processes without end, with all of them.
func TestR5ForksAreOne(t *testing.T) {
	o := languages()["Python"](t)
	o.Processes = 20
	file := filepath.Join(t.TempDir(), "pid")
	f := start(t, o)
	results := invoke(t, f, batch("a", "fork:"+file, "b"))
	if got := shape(results); got != "a ! b" {
		t.Errorf("got %q", got)
	}
	if reason := reasonOf(t, results); !strings.Contains(reason, "more than 20 processes") {
		t.Errorf("the reason is %q", reason)
	}
	eventually(t, "none of its processes is left", func() bool {
		return errors.Is(syscall.Kill(-pidIn(t, file), 0), syscall.ESRCH)
	})
}

// TestFloodOfLog: code that prints much is not stopped, and neither memory nor the disk
// sees all of it. FUNCTIONMESH_TEST_FLOOD is how many bytes it prints, 1 GB for the
// whole case.
func TestFloodOfLog(t *testing.T) {
	flood := 64 << 20
	if text := os.Getenv("FUNCTIONMESH_TEST_FLOOD"); text != "" {
		var err error
		if flood, err = strconv.Atoi(text); err != nil {
			t.Fatal(err)
		}
	}
	log := &counter{}
	o := languages()["Python"](t)
	o.Log = log
	f, err := process.New(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	l, err := f.ForLane(t.Context(), 0)
	if err != nil {
		t.Fatal(err)
	}
	if got := shape(invoke(t, l, batch("a", "flood:"+strconv.Itoa(flood), "b"))); got != "a printed b" {
		t.Errorf("got %q", got)
	}
	if err := f.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	if !log.told || log.bytes >= int64(flood) {
		t.Errorf("%d of %d bytes reached the log, told: %t", log.bytes, flood, log.told)
	}
}
