//go:build unix

package main

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"github.com/functionmesh/terraform-provider-functionmesh/runner/broker/pulsar/pulsartest"
)

const messageSize = 100

// bench is the broker of one sitting and the code that runs on it.
type bench struct {
	options
	t      *sitting
	server *pulsartest.Server
	plain  *pulsartest.Namespace // inputs, and outputs of what is not numbered
	dedup  *pulsartest.Namespace // outputs that the broker deduplicates
	runs   int

	native, module, python string // the echo in each language
}

func newBench(t *sitting, o options) *bench {
	b := &bench{options: o, t: t}
	b.buildEchoes()
	// Beside what pulsar.sh chooses for tests, a broker that holds what it was just given.
	setDefault(t, "PULSAR_MEM", "-Xms512m -Xmx1g -XX:MaxDirectMemorySize=1g")
	b.server = pulsartest.Own(t, "--conf", "managedLedgerCacheSizeMB=256", "--conf", "journalSyncData=false").Server
	b.plain = b.server.Namespace(t, pulsartest.Policies{Retention: true})
	b.dedup = b.server.Namespace(t, pulsartest.Policies{Retention: true, Deduplication: true})
	return b
}

func setDefault(t *sitting, name, value string) {
	if os.Getenv(name) == "" {
		if err := os.Setenv(name, value); err != nil {
			t.Fatal(err)
		}
	}
}

// echoProgram is a module of its own beside the SDK's.
const echoProgram = `package main

import function "github.com/functionmesh/terraform-provider-functionmesh/runner/sdk/go"

func main() { function.Main(func(in []byte) ([]byte, error) { return in, nil }) }
`

// buildEchoes makes the function in each language.
func (b *bench) buildEchoes() {
	sdk, err := filepath.Abs(filepath.Join("runner", "sdk", "go"))
	if err != nil {
		b.t.Fatal(err)
	}
	const path = "github.com/functionmesh/terraform-provider-functionmesh/runner/sdk/go"
	dir := filepath.Join(b.dir, "echo")
	b.native, b.module, b.python = filepath.Join(b.dir, "echo-go"), filepath.Join(b.dir, "echo.wasm"), filepath.Join(b.dir, "echo.py")
	b.write(filepath.Join(dir, "go.mod"), fmt.Sprintf("module echo\n\ngo 1.26.0\n\nrequire %s v0.0.0\n\nreplace %s => %s\n", path, path, sdk))
	b.write(filepath.Join(dir, "main.go"), echoProgram)
	b.write(b.python, "def plain(value):\n    return value\n\n\ndef with_context(value, context):\n    return value\n")
	b.build(dir, nil, "-o", b.native)
	b.build(dir, []string{"GOOS=wasip1", "GOARCH=wasm"}, "-buildmode=c-shared", "-o", b.module)
}

func (b *bench) write(path, text string) {
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		b.t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		b.t.Fatal(err)
	}
}

func (b *bench) build(dir string, env []string, args ...string) {
	cmd := exec.CommandContext(b.t.Context(), "go", append(append([]string{"build", "-mod=mod"}, args...), ".")...)
	cmd.Dir, cmd.Env = dir, append(os.Environ(), env...)
	if out, err := cmd.CombinedOutput(); err != nil {
		b.t.Fatalf("go build: %v\n%s", err, out)
	}
}

func (b *bench) digest(file string) string {
	data, err := os.ReadFile(file)
	if err != nil {
		b.t.Fatal(err)
	}
	sum := sha256.Sum256(data)
	return hex.EncodeToString(sum[:])
}

// process is a contender that runs.
type process struct {
	t     *sitting
	name  string
	cmd   *exec.Cmd
	log   bytes.Buffer
	ended chan struct{}
}

func (b *bench) launch(name string, cmd *exec.Cmd) *process {
	p := &process{t: b.t, name: name, cmd: cmd, ended: make(chan struct{})}
	cmd.Stderr = &p.log
	if err := cmd.Start(); err != nil {
		b.t.Fatal(err)
	}
	go func() { _ = cmd.Wait(); close(p.ended) }()
	b.t.Cleanup(p.kill)
	return p
}

func (p *process) kill() {
	_ = p.cmd.Process.Kill()
	<-p.ended
}

// alive fails when the process is gone.
func (p *process) alive() {
	select {
	case <-p.ended:
		p.t.Fatalf("%s ended: %s\n%s", p.name, p.cmd.ProcessState, strings.TrimSpace(p.log.String()))
	default:
	}
}
