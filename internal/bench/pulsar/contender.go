//go:build unix

package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"time"

	"github.com/functionmesh/terraform-provider-functionmesh/internal/wire"
)

// contender is one way to copy messages from topic to topic.
type contender struct {
	name      string
	role      string // of this program; "": our runner, or Pulsar's own
	official  string // runtime of Pulsar's own instances; "": none of them
	runtime   string // of the runner: "" passes messages on, go, wasm, python
	class     string
	schema    string // of input and output; "": as Pulsar's runtime decodes for Python, which tries numbers first
	guarantee string
	path      wire.Path
	unnamed   bool    // outputs do not name their input, as those of the copier and of Pulsar's client do not
	part      int     // of the messages of a run it gets one in so many: slow ones take long; 0: all
	warm      float64 // part of its messages that are not measured, for who starts slowly
	goals     []goal
}

const (
	atLeast     = "atleast_once"
	atMost      = "atmost_once"
	effectively = "effectively_once"
	manual      = "manual"

	javaRuntime   = "JAVA"
	pythonRuntime = "PYTHON"
)

// Names that others are compared with.
const (
	bareCopier   = "bare entry copier"
	goClient     = "pulsar-client-go, receive and send"
	officialJava = "official Java instance"
	runnerGo     = "runner, Go"
)

// contenders are in the order of the report.
func contenders() []contender {
	ours := []goal{within(250), asFast(bareCopier, 0.9), cheaper(goClient, 15), cheaper(officialJava, 35), notWorse(goClient)}
	return []contender{
		{name: bareCopier, role: copierRole},
		{name: goClient, role: clientRole, part: 2},
		{name: officialJava, official: javaRuntime, guarantee: atLeast, part: 4, warm: .5},
		{name: "official Python instance", official: pythonRuntime, guarantee: atLeast, part: 50, warm: .1},
		{name: "runner, no function", guarantee: atLeast},
		{name: runnerGo, runtime: "go", guarantee: atLeast, goals: ours},
		{name: "runner, Go, inputs not named", runtime: "go", guarantee: atLeast, unnamed: true},
		{name: "runner, Go, at most once", runtime: "go", guarantee: atMost, goals: ours},
		{name: "runner, Go, effectively once", runtime: "go", guarantee: effectively, goals: ours},
		{name: "runner, Go, manual", runtime: "go", guarantee: manual, goals: ours},
		{name: "runner, WASM", runtime: "wasm", guarantee: atLeast, goals: []goal{over(runnerGo, 150)}},
		{name: "runner, Python, bytes", runtime: "python", class: "echo.plain", schema: "bytes", guarantee: atLeast, goals: []goal{inThousands(over(runnerGo, 600))}},
		{name: "runner, Python with Context, bytes", runtime: "python", class: "echo.with_context", schema: "bytes", guarantee: atLeast, goals: []goal{inThousands(over(runnerGo, 1500))}},
		{name: "runner, Python, decoded as Pulsar does", runtime: "python", class: "echo.with_context", guarantee: atLeast},
		{name: "runner, Go, over Pulsar's client", runtime: "go", guarantee: atLeast, path: wire.CompatiblePath, part: 4},
	}
}

// flow is where one run reads and writes.
type flow struct {
	in, out, subscription string
}

// start runs a contender and returns once it is about to read.
func (b *bench) start(c contender, f flow) *process {
	switch {
	case c.role != "":
		return b.startRole(c, f)
	case c.official != "":
		return b.startOfficial(c, f)
	}
	file := b.file(c, f)
	data, err := wire.Encode(file)
	if err != nil {
		b.t.Fatal(err)
	}
	config := filepath.Join(file.WorkDir, "wire.json")
	if err := os.WriteFile(config, data, 0o600); err != nil {
		b.t.Fatal(err)
	}
	p := b.launch(c.name, exec.CommandContext(b.t.Context(), b.runner, "--config", config))
	probe := http.Client{Transport: &http.Transport{DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, "unix", file.Probe[len("unix:"):])
	}}}
	defer probe.CloseIdleConnections()
	b.eventually(c.name+" is ready", func() bool {
		p.alive()
		return isReady(b.t.Context(), &probe)
	})
	return p
}

// eventually looks often: what is waited for is part of no figure, but the time that a
// contender runs unwatched is.
func (b *bench) eventually(what string, is func() bool) {
	for end := time.Now().Add(2 * time.Minute); !is(); time.Sleep(2 * time.Millisecond) {
		if time.Now().After(end) {
			b.t.Fatalf("%s: not in time", what)
		}
	}
}

func isReady(ctx context.Context, probe *http.Client) bool {
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://instance/readyz", http.NoBody)
	if err != nil {
		return false
	}
	answer, err := probe.Do(r)
	if err != nil {
		return false
	}
	_ = answer.Body.Close()
	return answer.StatusCode == http.StatusOK
}

func (b *bench) startRole(c contender, f flow) *process {
	self, err := os.Executable()
	if err != nil {
		b.t.Fatal(err)
	}
	doc, err := json.Marshal(job{URL: b.server.URL, In: f.in, Out: f.out, Subscription: f.subscription})
	if err != nil {
		b.t.Fatal(err)
	}
	cmd := exec.CommandContext(b.t.Context(), self, c.role)
	cmd.Stdin = bytes.NewReader(doc)
	out, err := cmd.StdoutPipe()
	if err != nil {
		b.t.Fatal(err)
	}
	p := b.launch(c.name, cmd)
	if line, err := bufio.NewReader(out).ReadString('\n'); err != nil || line != "ready\n" {
		<-p.ended
		b.t.Fatalf("%s said %q: %v\n%s", c.name, line, err, p.log.String())
	}
	return p
}

// file is the wire file of an instance with the defaults of a platform.
func (b *bench) file(c contender, f flow) wire.File {
	work := b.scratch()
	file := wire.File{
		Version:   wire.Version,
		Component: wire.Component{Kind: "function", Tenant: "public", Namespace: "default", Name: "echo"},
		Instance:  wire.Instance{Parallelism: 1, Platform: "bench"},
		Brokers:   map[string]wire.Broker{"": b.server.Broker()},
		Source: wire.Source{
			Inputs:       []wire.Input{{Topic: f.in, Schema: c.schema}},
			Subscription: wire.Subscription{Name: f.subscription, Mode: wire.Shared, Position: "earliest"},
		},
		// Uncompressed, as the others and as the input.
		Sink:     wire.Sink{Output: &wire.Output{Topic: f.out, Schema: c.schema, Producer: &wire.Producer{Compression: "none"}}},
		Delivery: wire.DefaultDelivery(), Limits: wire.DefaultLimits(),
		Path: c.path, WorkDir: work, Probe: "unix:" + filepath.Join(work, "p"), CacheDir: filepath.Join(b.dir, "cache"),
	}
	file.Delivery.Guarantee = c.guarantee
	file.Delivery.ForwardProperties = !c.unnamed
	if c.guarantee == atMost {
		file.Limits.ClaimMessages = wire.ClaimMessages
	}
	if c.guarantee == effectively {
		file.Source.Subscription.Mode = wire.Failover
	}
	code := map[string]string{"go": b.native, "wasm": b.module, "python": b.python}[c.runtime]
	if c.guarantee == manual {
		code = b.manual
	}
	if code != "" {
		file.Function = &wire.Function{Runtime: c.runtime, File: code, SHA256: b.digest(code), Class: c.class}
	}
	return file
}

// scratch is a new folder.
func (b *bench) scratch() string {
	b.runs++
	dir := filepath.Join(b.dir, strconv.Itoa(b.runs))
	if err := os.MkdirAll(dir, 0o700); err != nil {
		b.t.Fatal(err)
	}
	return dir
}
