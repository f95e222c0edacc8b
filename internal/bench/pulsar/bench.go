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
	manual                 string // one that acknowledges by itself
	official               official
}

func newBench(t *sitting, o options) *bench {
	b := &bench{options: o, t: t}
	b.buildEchoes()
	b.findOfficial()
	if o.running {
		b.server = pulsartest.Need(t)
	} else {
		// Beside what pulsar.sh chooses for tests, a broker that holds what it was just given.
		setDefault(t, "PULSAR_MEM", "-Xms512m -Xmx1g -XX:MaxDirectMemorySize=1g")
		b.server = pulsartest.Own(t, "--conf", "managedLedgerCacheSizeMB=256", "--conf", "journalSyncData=false", "--conf", "gcWaitTime=60000").Server
	}
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

// pythonEcho has the two forms of the runner's, and a class as Pulsar's instance takes it.
const pythonEcho = `def plain(value):
    return value


def with_context(value, context):
    return value


class Echo:
    def process(self, value, context):
        return value
`

// manualProgram acknowledges each message by itself, and none of them otherwise.
const manualProgram = `package main

import (
	"context"

	function "github.com/functionmesh/terraform-provider-functionmesh/runner/sdk/go"
)

func main() {
	function.Main(func(ctx context.Context, in []function.Message) ([]function.Result, error) {
		out := make([]function.Result, len(in))
		for i, m := range in {
			if err := function.From(ctx).Ack(m); err != nil {
				return nil, err
			}
			out[i].Outputs = []function.Message{m.Reply(m.Value)}
		}
		return out, nil
	})
}
`

// buildEchoes makes the function in each language.
func (b *bench) buildEchoes() {
	sdk, err := filepath.Abs(filepath.Join("runner", "sdk", "go"))
	if err != nil {
		b.t.Fatal(err)
	}
	const path = "github.com/functionmesh/terraform-provider-functionmesh/runner/sdk/go"
	b.native, b.module, b.python = filepath.Join(b.dir, "echo-go"), filepath.Join(b.dir, "echo.wasm"), filepath.Join(b.dir, "echo.py")
	b.manual = filepath.Join(b.dir, "manual-go")
	dirs := map[string]string{}
	for name, program := range map[string]string{"echo": echoProgram, "manual": manualProgram} {
		dirs[name] = filepath.Join(b.dir, name)
		b.write(filepath.Join(dirs[name], "go.mod"), fmt.Sprintf("module %s\n\ngo 1.26.0\n\nrequire %s v0.0.0\n\nreplace %s => %s\n", name, path, path, sdk))
		b.write(filepath.Join(dirs[name], "main.go"), program)
	}
	b.write(b.python, pythonEcho)
	b.build(dirs["echo"], nil, "-o", b.native)
	b.build(dirs["manual"], nil, "-o", b.manual)
	b.build(dirs["echo"], []string{"GOOS=wasip1", "GOARCH=wasm"}, "-buildmode=c-shared", "-o", b.module)
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
