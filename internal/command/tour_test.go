//go:build unix

package command_test

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// built is the real binary and a real function, made once for all tests.
var built = sync.OnceValues(func() (map[string]string, error) {
	dir, err := os.MkdirTemp("", "fmtour")
	if err != nil {
		return nil, err
	}
	made := map[string]string{"dir": dir, "binary": filepath.Join(dir, "functionmesh"), "wasm": filepath.Join(dir, "exclaim.wasm")}
	provider := exec.Command("go", "build", "-o", made["binary"], "../..")
	function := exec.Command("go", "build", "-buildmode=c-shared", "-o", made["wasm"], "./exclaim")
	function.Dir = filepath.Join("..", "..", "examples", "functions", "go")
	function.Env = append(os.Environ(), "GOOS=wasip1", "GOARCH=wasm")
	for _, cmd := range []*exec.Cmd{provider, function} {
		if out, err := cmd.CombinedOutput(); err != nil {
			return made, fmt.Errorf("%v: %w\n%s", cmd.Args, err, out)
		}
	}
	return made, nil
})

func TestMain(m *testing.M) {
	m.Run()
	if made, _ := built(); made != nil {
		os.RemoveAll(made["dir"])
	}
}

// machine is a data directory of its own and the binary to use it with.
type machine struct {
	binary, wasm, data, dir string
}

func newMachine(t *testing.T) machine {
	t.Helper()
	made, err := built()
	if err != nil {
		t.Fatal(err)
	}
	m := machine{binary: made["binary"], wasm: made["wasm"], data: filepath.Join(t.TempDir(), "data"), dir: t.TempDir()}
	t.Cleanup(func() {
		out, err := m.command(context.WithoutCancel(t.Context()), "local", "reset", "--force").CombinedOutput()
		if err != nil {
			t.Errorf("cleaning up: %v\n%s", err, out)
		}
	})
	return m
}

func (m machine) command(ctx context.Context, line ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, m.binary, line...)
	cmd.Env = append(os.Environ(), "FUNCTIONMESH_DATA_DIR="+m.data, "FUNCTIONMESH_BINARY="+m.binary)
	cmd.Dir = m.dir
	return cmd
}

// run runs one command that must end with the exit code and returns its output.
func (m machine) run(t *testing.T, code int, stdin string, line ...string) string {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	cmd := m.command(ctx, line...)
	var out, errs bytes.Buffer
	cmd.Stdin, cmd.Stdout, cmd.Stderr = strings.NewReader(stdin), &out, &errs
	err := cmd.Run()
	if got := cmd.ProcessState.ExitCode(); got != code {
		t.Fatalf("functionmesh %s: exit code %d (%v), want %d\n%s%s", strings.Join(line, " "), got, err, code, out.String(), errs.String())
	}
	return out.String()
}

func (m machine) write(t *testing.T, name, text string) string {
	t.Helper()
	path := filepath.Join(m.dir, name)
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// mesh writes the mesh of the README and the code it names beside it.
func (m machine) mesh(t *testing.T) string {
	t.Helper()
	code, err := os.ReadFile(m.wasm)
	if err != nil {
		t.Fatal(err)
	}
	m.write(t, "exclaim.wasm", string(code))
	return m.write(t, "mesh.yaml", `
name: exclaim
functions:
  loud:
    runtime: { wasm: { file: exclaim.wasm } }
    inputs: { lines: {} }
    output: { topic: excited }
  louder:
    runtime: { wasm: { file: exclaim.wasm } }
    inputs: { excited: {} }
    output: { topic: shouted }
`)
}

func contains(t *testing.T, text string, parts ...string) {
	t.Helper()
	for _, p := range parts {
		if !strings.Contains(text, p) {
			t.Errorf("%q is not in\n%s", p, text)
		}
	}
}

func TestTour(t *testing.T) {
	m := newMachine(t)
	mesh := m.mesh(t)
	contains(t, m.run(t, 0, "", "mesh", "create", "-f", mesh), "mesh exclaim created", "2/2 instances ready")
	contains(t, m.run(t, 0, "", "mesh", "list"), "exclaim", "2/2")
	contains(t, m.run(t, 0, "", "mesh", "graph", "exclaim", "-o", "mermaid"), "loud", "louder")
	contains(t, m.run(t, 0, "", "function", "list"), "exclaim-loud", "exclaim-louder", "wasm", "excited")
	contains(t, m.run(t, 0, "", "topic", "list"), "lines", "excited", "shouted")

	var want []string
	for i := range 200 {
		want = append(want, fmt.Sprintf("line %d", i))
	}
	contains(t, m.run(t, 0, strings.Join(want, "\n"), "topic", "produce", "lines"), "produced 200 messages")
	got := m.run(t, 0, "", "topic", "consume", "shouted", "--from", "earliest", "-n", "200", "--timeout", "60s")
	for i := range want {
		want[i] += "!!"
	}
	if d := cmp.Diff(strings.Join(want, "\n")+"\n", got); d != "" {
		t.Errorf("what came out: %s", d)
	}
	contains(t, m.run(t, 0, "", "topic", "peek", "shouted"), "line 199!!")

	contains(t, m.run(t, 0, "", "mesh", "update", "-f", mesh), "unchanged")
	contains(t, m.run(t, 0, "", "function", "scale", "exclaim-loud", "2"), "2/2 instances ready")
	contains(t, m.run(t, 0, "", "mesh", "status", "exclaim"), "3/3 instances ready", "exclaim-loud")
	m.run(t, 1, "", "mesh", "create", "-f", mesh)
	contains(t, m.run(t, 0, "", "mesh", "update", "-f", mesh), "updated", "2/2 instances ready")

	m.run(t, 0, "", "function", "stop", "exclaim-loud")
	contains(t, m.run(t, 0, "", "function", "list"), "stopped")
	m.run(t, 0, "", "function", "start", "exclaim-loud")
	m.run(t, 0, "", "function", "restart", "exclaim-louder")
	m.run(t, 0, "", "local", "logs")

	m.run(t, 1, "", "function", "get", "nobody")
	contains(t, m.run(t, 0, "", "mesh", "delete", "exclaim"), "deleted")
	m.run(t, 1, "", "mesh", "get", "exclaim")
	contains(t, m.run(t, 0, "", "local", "down"), "down")
	m.run(t, 1, "", "local", "status")
}

func TestSecretsAreNeverShown(t *testing.T) {
	m := newMachine(t)
	m.run(t, 0, "s3cret\n", "local", "secret", "set", "shop", "key")
	list := m.run(t, 0, "", "local", "secret", "list", "-o", "json")
	contains(t, list, "shop", "key")
	if strings.Contains(list, "s3cret") {
		t.Error("the list shows a value")
	}
	m.run(t, 0, "", "local", "secret", "delete", "shop", "key")
	if list := m.run(t, 0, "", "local", "secret", "list", "-o", "json"); strings.Contains(list, "key") {
		t.Errorf("a deleted secret is listed: %s", list)
	}
}

// A killed daemon takes its instances with it; the next command brings all back.
func TestKilledPlatformComesBack(t *testing.T) {
	m := newMachine(t)
	m.run(t, 0, "", "mesh", "create", "-f", m.mesh(t))
	pid := m.pid(t)
	if err := syscall.Kill(pid, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	m.run(t, 0, "after the crash\n", "topic", "produce", "lines")
	got := m.run(t, 0, "", "topic", "consume", "shouted", "--from", "earliest", "-n", "1", "--timeout", "60s")
	if got != "after the crash!!\n" {
		t.Errorf("got %q", got)
	}
	if again := m.pid(t); again == pid {
		t.Error("the platform was not killed")
	}
}

func (m machine) pid(t *testing.T) int {
	t.Helper()
	var status struct {
		PID int `json:"pid"`
	}
	if err := json.Unmarshal([]byte(m.run(t, 0, "", "local", "status", "-o", "json")), &status); err != nil {
		t.Fatal(err)
	}
	return status.PID
}

// `run` is one function in the foreground; an interrupt drains it.
func TestRunInTheForeground(t *testing.T) {
	m := newMachine(t)
	m.write(t, "shout.py", "def shout(message, context):\n    return message.upper()\n")
	file := m.write(t, "shout.yaml", "name: shout\nruntime: { python: { file: shout.py, class: shout.shout } }\ninputs: { quiet: {} }\noutput: { topic: loud }\nsubscription: { position: earliest }\n")
	cmd := m.command(t.Context(), "run", "-f", file)
	var errs bytes.Buffer
	cmd.Stderr = &errs
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	exited := make(chan error, 1)
	go func() { exited <- cmd.Wait() }()
	m.produceWhenThere(t, "quiet", "hello\n", exited)
	if got := m.run(t, 0, "", "topic", "consume", "loud", "--from", "earliest", "-n", "1", "--timeout", "60s"); got != "HELLO\n" {
		t.Errorf("got %q", got)
	}
	if err := cmd.Process.Signal(os.Interrupt); err != nil {
		t.Fatal(err)
	}
	if err := <-exited; err != nil {
		t.Errorf("after an interrupt: %v\n%s", err, errs.String())
	}
}

// User code that never returns: an interrupt says what is waited for, a second one does
// not wait.
func TestRunIsInterruptedTwice(t *testing.T) {
	m := newMachine(t)
	m.write(t, "stuck.py", "import time\ndef stuck(message, context):\n    print('stuck', flush=True)\n    time.sleep(3600)\n")
	file := m.write(t, "stuck.yaml", "name: stuck\nruntime: { python: { file: stuck.py, class: stuck.stuck } }\ninputs: { quiet: {} }\nsubscription: { position: earliest }\n")
	cmd := m.command(t.Context(), "run", "-f", file)
	said, errs := io.Pipe()
	cmd.Stderr = errs
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	exited := make(chan error, 1)
	go func() {
		err := cmd.Wait()
		_ = errs.Close()
		exited <- err
	}()
	m.produceWhenThere(t, "quiet", "hello\n", exited)
	lines := bufio.NewScanner(said)
	for _, word := range []string{"stuck", "draining: user code is at work on a message"} {
		for found := false; !found; found = strings.HasPrefix(lines.Text(), word) {
			if !lines.Scan() {
				t.Fatalf("it ended and never said %q", word)
			}
		}
		if err := cmd.Process.Signal(os.Interrupt); err != nil {
			t.Fatal(err)
		}
	}
	if !strings.Contains(lines.Text(), "for at most 25s; interrupt again to stop at once") {
		t.Errorf("it said %q", lines.Text())
	}
	for lines.Scan() { // until it has ended
	}
	var ended *exec.ExitError
	if err := <-exited; !errors.As(err, &ended) {
		t.Errorf("after a second interrupt: %v", err)
	}
}

// A line that is typed is sent at once, and an interrupt ends the wait for the next.
func TestProduceAsTyped(t *testing.T) {
	m := newMachine(t)
	m.run(t, 0, "", "mesh", "create", "--wait=false", "-f", m.mesh(t))
	cmd := m.command(t.Context(), "topic", "produce", "lines")
	typed, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	if _, err := io.WriteString(typed, "one\n"); err != nil {
		t.Fatal(err)
	}
	if got := m.run(t, 0, "", "topic", "consume", "lines", "--from", "earliest", "-n", "1", "--timeout", "30s"); got != "one\n" {
		t.Errorf("got %q", got)
	}
	if err := cmd.Process.Signal(os.Interrupt); err != nil {
		t.Fatal(err)
	}
	_ = cmd.Wait() // the exit code is looked at below
	if code := cmd.ProcessState.ExitCode(); code != 1 {
		t.Errorf("exit code %d after an interrupt", code)
	}
}

// produceWhenThere waits for the topic that a starting command makes.
func (m machine) produceWhenThere(t *testing.T, topic, text string, exited chan error) {
	t.Helper()
	for {
		list := m.run(t, 0, "", "topic", "list")
		if strings.Contains(list, topic) {
			m.run(t, 0, text, "topic", "produce", topic)
			return
		}
		select {
		case err := <-exited:
			t.Fatalf("the command ended early: %v", err)
		case <-time.After(100 * time.Millisecond):
		}
	}
}
