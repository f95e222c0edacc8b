//go:build unix

package natstest

import (
	"bufio"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strconv"
	"syscall"
	"testing"

	"github.com/functionmesh/terraform-provider-functionmesh/internal/wire"
)

// Environment that turns a test binary into a server.
const (
	envDir  = "FM_NATSTEST_DIR"
	envPort = "FM_NATSTEST_PORT"
)

const readyLine = "ready"

// Main runs a server and returns true when this process is one that Run started. A
// TestMain calls it first.
func Main() bool {
	dir := os.Getenv(envDir)
	if dir == "" {
		return false
	}
	port, err := strconv.Atoi(os.Getenv(envPort))
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return true
	}
	s, err := start(dir, port)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return true
	}
	fmt.Fprintln(os.Stdout, readyLine)
	_, _ = io.Copy(io.Discard, os.Stdin) // until the test that started it is gone
	s.Shutdown()
	return true
}

// Process is a server in a process of its own. Its port and its store stay the same
// over restarts.
type Process struct {
	dir  string
	port int
	cmd  *exec.Cmd
	in   io.WriteCloser
}

// Run starts a server process; it ends with the test.
func Run(t testing.TB) *Process {
	t.Helper()
	port, err := freePort()
	if err != nil {
		t.Fatal(err)
	}
	p := &Process{dir: t.TempDir(), port: port}
	p.Start(t)
	t.Cleanup(func() { p.Kill(t) })
	return p
}

// Broker is how to reach it.
func (p *Process) Broker() wire.Broker { return broker(localURL(p.port)) }

// Start starts it, again after Kill, and returns when it accepts connections.
func (p *Process) Start(t testing.TB) {
	t.Helper()
	cmd := exec.Command(os.Args[0], "-test.run=^$") //nolint:noctx,gosec // lives until Kill; the program is this very test
	cmd.Env = append(os.Environ(), envDir+"="+p.dir, envPort+"="+strconv.Itoa(p.port))
	cmd.Stderr = os.Stderr
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	p.cmd, p.in = cmd, in
	line, err := bufio.NewReader(out).ReadString('\n')
	if err != nil || line != readyLine+"\n" {
		p.Kill(t)
		t.Fatalf("server process answered %q: %v", line, err)
	}
}

// Kill ends it as kill -9 does.
func (p *Process) Kill(t testing.TB) {
	t.Helper()
	if p.cmd == nil {
		return
	}
	_ = p.cmd.Process.Kill()
	_ = p.cmd.Wait()
	_ = p.in.Close()
	p.cmd = nil
}

// Stop freezes it: connections stay open and nothing is answered.
func (p *Process) Stop(t testing.TB) { p.signal(t, syscall.SIGSTOP) }

// Continue ends Stop.
func (p *Process) Continue(t testing.TB) { p.signal(t, syscall.SIGCONT) }

func (p *Process) signal(t testing.TB, s syscall.Signal) {
	t.Helper()
	if err := p.cmd.Process.Signal(s); err != nil {
		t.Fatal(err)
	}
}
