//go:build linux || darwin

package supervisor_test

import (
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/functionmesh/terraform-provider-functionmesh/internal/wire"
)

// TestMain makes the test binary its own runner: started as `run --config FILE
// --lifeline` it behaves as the class of the function says.
func TestMain(m *testing.M) {
	if len(os.Args) > 3 && os.Args[1] == "run" {
		os.Exit(fake(os.Args[3]))
	}
	if len(os.Args) > 1 && os.Args[1] == "sit" {
		_, _ = io.Copy(io.Discard, os.Stdin)
		select {}
	}
	os.Exit(m.Run())
}

func fake(config string) int {
	text, err := os.ReadFile(config)
	if err != nil {
		return 2
	}
	f, err := wire.Decode(text)
	if err != nil {
		fmt.Println(err)
		return 2
	}
	for _, v := range f.Secrets {
		fmt.Println("the secret is", v)
	}
	appendPID(f)
	switch behaviour, _, _ := strings.Cut(f.Function.Class, ":"); behaviour {
	case "crash":
		fmt.Fprintln(os.Stderr, "cannot go on")
		return 1
	case "finish":
		return 0
	case "terminal":
		reason, _ := json.Marshal(wire.Termination{Reason: "ClassNotFound", Message: "no class X"})
		_ = os.WriteFile(filepath.Join(f.WorkDir, wire.TerminationFile), reason, 0o600)
		return wire.ExitTerminal
	case "unlucky":
		reason, _ := json.Marshal(wire.Termination{Message: "no broker answers"})
		_ = os.WriteFile(filepath.Join(f.WorkDir, wire.TerminationFile), reason, 0o600)
		fmt.Fprintln(os.Stderr, "cannot go on")
		return 1
	case "stubborn":
		signal.Ignore(syscall.SIGTERM)
		serve(f)
		select {}
	case "child":
		c := exec.Command(os.Args[0], "sit") // a worker that outlives its instance
		c.Stdin, _ = os.Open("/dev/zero")
		_ = c.Start()
		note(f, c.Process.Pid)
	}
	serve(f)
	term := make(chan os.Signal, 1)
	signal.Notify(term, syscall.SIGTERM)
	gone := make(chan struct{})
	go func() {
		_, _ = io.Copy(io.Discard, os.Stdin)
		close(gone)
	}()
	select {
	case <-term:
		fmt.Println("drained")
	case <-gone:
	}
	return 0
}

func serve(f wire.File) {
	l, err := net.Listen("unix", strings.TrimPrefix(f.Probe, "unix:"))
	if err != nil {
		panic(err)
	}
	go http.Serve(l, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		_ = json.NewEncoder(w).Encode(wire.Status{Ready: true, Received: 7, Processed: 5, UserExceptions: 2})
	}))
}

func appendPID(f wire.File) { note(f, os.Getpid()) }

func note(f wire.File, pid int) {
	file, err := os.OpenFile(f.BaseDir+"/pids", os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
	if err != nil {
		return
	}
	defer file.Close()
	fmt.Fprintf(file, "%d %d\n", f.Instance.ID, pid)
}
