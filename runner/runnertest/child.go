package runnertest

import (
	"bufio"
	"fmt"
	"io"
	"os/exec"
	"testing"
)

// listening is what a child says once it handles signals.
const listening = "listening"

// Listening is called by a process that StartChild started, once it handles signals.
func Listening(stdout io.Writer) {
	_, _ = fmt.Fprintln(stdout, listening) // the test is gone when nobody reads
}

// StartChild starts a process that calls Listening on its standard output, and waits
// until it has: a signal sent earlier would end it before it could drain.
func StartChild(t testing.TB, cmd *exec.Cmd) {
	t.Helper()
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	if line, err := bufio.NewReader(out).ReadString('\n'); err != nil || line != listening+"\n" {
		_ = cmd.Process.Kill()
		t.Fatalf("the process said %q: %v, %v", line, err, cmd.Wait())
	}
}
