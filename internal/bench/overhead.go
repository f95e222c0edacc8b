package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"github.com/functionmesh/terraform-provider-functionmesh/internal/spec"
	"github.com/functionmesh/terraform-provider-functionmesh/internal/wire"
)

const (
	messageSize = 100
	batchSize   = 1000
)

// contender is one way to copy messages from a topic to another.
type contender struct {
	name    string
	runtime *spec.Runtime // nil: the bare loop
}

// rig is what all contenders run on: two filled topics that nobody empties.
type rig struct {
	options
	*platform
	small, large string
	runs         int
}

// overhead compares the CPU that a message costs in the runner with a bare loop's.
func overhead(ctx context.Context, o options) (section, error) {
	contenders, err := buildEchoes(ctx, o)
	if err != nil {
		return section{}, err
	}
	p, err := open(ctx, o, "overhead")
	if err != nil {
		return section{}, err
	}
	defer func() { _ = p.close(ctx) }()
	r := &rig{options: o, platform: p}
	if err := r.fillBoth(ctx); err != nil {
		return section{}, err
	}
	for _, c := range contenders { // unmeasured: the platform keeps what WASM is compiled to
		if _, err := r.once(ctx, c, "small", r.small, r.options.small); err != nil {
			return section{}, fmt.Errorf("%s: %w", c.name, err)
		}
	}
	costs := map[string][]float64{}
	for range o.repeat {
		for _, c := range contenders { // interleaved, so that a busy moment hits all alike
			cost, err := r.cost(ctx, c)
			if err != nil {
				return section{}, fmt.Errorf("%s: %w", c.name, err)
			}
			fmt.Fprintf(o.progress, "overhead: %-24s %.2f µs\n", c.name, cost)
			costs[c.name] = append(costs[c.name], cost)
		}
	}
	s := section{
		title: "CPU of one message",
		text: fmt.Sprintf("%d-byte messages from topic to topic through a function that adds at most one byte, on the embedded platform, batches of %d. CPU, user and\nsystem, of all processes of the instance, from the difference of runs over %d and %d messages; medians\nof %d. The bare loop is the NATS client alone doing the same reads, publishes and acknowledgements.\n\nGoals: WASM and Go at most 1.15x; Python at most +0.6 µs for a plain function and +1.5 µs with Context.",
			messageSize, batchSize, o.small, o.large, o.repeat),
		header: []string{"", "µs per message", "against the bare loop"},
	}
	bare := median(costs[contenders[0].name])
	for _, c := range contenders {
		m := median(costs[c.name])
		s.rows = append(s.rows, []string{c.name, number(m, 2, ""), fmt.Sprintf("%.2fx, %+.2f µs", m/bare, m-bare)})
	}
	return s, nil
}

// buildEchoes makes the function in each language.
func buildEchoes(ctx context.Context, o options) ([]contender, error) {
	functions := filepath.Join("examples", "functions", "go")
	native, module := filepath.Join(o.dir, "echo"), filepath.Join(o.dir, "echo.wasm")
	for _, build := range []struct {
		env  []string
		args []string
	}{
		{nil, []string{"build", "-o", native, "./exclaim"}},
		{[]string{"GOOS=wasip1", "GOARCH=wasm"}, []string{"build", "-buildmode=c-shared", "-o", module, "./exclaim"}},
	} {
		cmd := exec.CommandContext(ctx, "go", build.args...)
		cmd.Dir, cmd.Env = functions, append(os.Environ(), build.env...)
		if out, err := cmd.CombinedOutput(); err != nil {
			return nil, fmt.Errorf("go %s: %w\n%s", strings.Join(build.args, " "), err, out)
		}
	}
	python := filepath.Join(o.dir, "echo.py")
	source := "def plain(value):\n    return value\n\n\ndef with_context(value, context):\n    return value\n"
	if err := os.WriteFile(python, []byte(source), 0o600); err != nil {
		return nil, err
	}
	return []contender{
		{name: "bare loop"},
		{name: "WASM", runtime: &spec.Runtime{WASM: &spec.Code{File: module}}},
		{name: "Go", runtime: &spec.Runtime{Go: &spec.Code{File: native}}},
		{name: "Python, plain function", runtime: &spec.Runtime{Python: &spec.Code{File: python, Class: "echo.plain"}}},
		{name: "Python, with Context", runtime: &spec.Runtime{Python: &spec.Code{File: python, Class: "echo.with_context"}}},
	}, nil
}

// fillBoth fills the inputs and leaves a subscription that is never read, so that the
// platform keeps the messages for the next run.
func (r *rig) fillBoth(ctx context.Context) error {
	for _, in := range []struct {
		name string
		n    int
		full *string
	}{{"small", r.options.small, &r.small}, {"large", r.options.large, &r.large}} {
		full, err := r.topic(ctx, in.name)
		if err != nil {
			return err
		}
		if _, err := r.daemon.Wire(ctx, r.component("keep-"+in.name, in.name, "kept", nil)); err != nil {
			return err
		}
		if err := r.fill(ctx, full, in.n, messageSize); err != nil {
			return err
		}
		*in.full = full
	}
	return nil
}

func (r *rig) component(name, from, to string, code *spec.Runtime) spec.Component {
	if code == nil {
		code = &spec.Runtime{WASM: &spec.Code{File: filepath.Join(r.dir, "echo.wasm")}}
	}
	return spec.DefaultComponent(spec.Component{
		Kind: spec.KindFunction, Name: name, Runtime: code, Inputs: map[string]spec.Input{from: {}},
		Output: &spec.Output{Topic: to}, Subscription: &spec.Subscription{Position: spec.Earliest},
	})
}

// cost is µs of CPU per message: what the large run took more than the small one.
func (r *rig) cost(ctx context.Context, c contender) (float64, error) {
	small, err := r.once(ctx, c, "small", r.small, r.options.small)
	if err != nil {
		return 0, err
	}
	large, err := r.once(ctx, c, "large", r.large, r.options.large)
	if err != nil {
		return 0, err
	}
	return float64((large - small).Nanoseconds()) / 1000 / float64(r.options.large-r.options.small), nil
}

// once copies n messages and returns the CPU time that it took.
func (r *rig) once(ctx context.Context, c contender, short, from string, n int) (time.Duration, error) {
	r.runs++
	name := fmt.Sprintf("run-%d", r.runs)
	to, err := r.topic(ctx, name)
	if err != nil {
		return 0, err
	}
	var cmd *exec.Cmd
	if c.runtime == nil {
		cmd, err = r.bare(ctx, copyJob{Broker: r.broker, From: from, To: to, Messages: n, Batch: batchSize})
	} else {
		cmd, err = r.instance(ctx, name, r.component(name, short, name, c.runtime))
	}
	if err != nil {
		return 0, err
	}
	var log bytes.Buffer
	cmd.Stderr = &log
	if err := cmd.Start(); err != nil {
		return 0, err
	}
	waited := r.await(ctx, to, n)
	if c.runtime != nil {
		waited = errors.Join(waited, cmd.Process.Signal(syscall.SIGTERM))
	}
	if err := errors.Join(waited, cmd.Wait()); err != nil {
		return 0, fmt.Errorf("%w\n%s", err, log.String())
	}
	return cmd.ProcessState.UserTime() + cmd.ProcessState.SystemTime(), nil
}

func (r *rig) bare(ctx context.Context, job copyJob) (*exec.Cmd, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	doc, err := json.Marshal(job)
	if err != nil {
		return nil, err
	}
	cmd := exec.CommandContext(ctx, self, copyVerb)
	cmd.Stdin = bytes.NewReader(doc)
	return cmd, nil
}

func (r *rig) instance(ctx context.Context, name string, c spec.Component) (*exec.Cmd, error) {
	f, err := r.daemon.Wire(ctx, c)
	if err != nil {
		return nil, err
	}
	f.Limits.BatchMessages = batchSize
	doc, err := wire.Encode(f)
	if err != nil {
		return nil, err
	}
	path := filepath.Join(r.dir, name+".json")
	if err := os.WriteFile(path, doc, 0o600); err != nil {
		return nil, err
	}
	return exec.CommandContext(ctx, r.binary, "run", "--config", path), nil
}
