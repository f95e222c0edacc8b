//go:build unix

package faults_test

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/functionmesh/terraform-provider-functionmesh/internal/wire"
	"github.com/functionmesh/terraform-provider-functionmesh/runner/broker/pulsar/pulsartest"
	"github.com/functionmesh/terraform-provider-functionmesh/runner/instance/instancetest"
	"github.com/functionmesh/terraform-provider-functionmesh/runner/runnertest"
)

// Guarantees, in wire's words.
const (
	atLeast     = "atleast_once"
	atMost      = "atmost_once"
	effectively = "effectively_once"
	manual      = "manual"
)

const subscription = "public/default/f"

// TestMain lets this binary be the program that runs an instance: run --config FILE.
func TestMain(m *testing.M) {
	if code, mine := instancetest.Main(); mine {
		os.Exit(code)
	}
	os.Exit(m.Run())
}

// scaled is a number of the environment, or one that suits a short test.
func scaled(t *testing.T, name string, short int) int {
	t.Helper()
	text := os.Getenv(name)
	if text == "" {
		return short
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < 1 {
		t.Fatalf("%s=%q is no number", name, text)
	}
	return n
}

// scene is one component between topics of a namespace of its own.
type scene struct {
	server    *pulsartest.Server
	namespace *pulsartest.Namespace
	in, out   string
	dead      string
	fill      pulsartest.Fill
	file      wire.File // of instance 0; the others differ in Instance only
}

// setting says what a scene is about.
type setting struct {
	guarantee  string
	mode       wire.Mode
	path       wire.Path // "": by entries
	fill       pulsartest.Fill
	partitions int // of the output; the input's are in fill
	code       *wire.Function
}

func newScene(t *testing.T, server *pulsartest.Server, c setting) *scene {
	t.Helper()
	// What is fed while a broker fails must be stored once, whatever the guarantee.
	in := server.Namespace(t, pulsartest.Policies{Retention: true, Deduplication: true})
	n := server.Namespace(t, pulsartest.Policies{Retention: true, Deduplication: c.guarantee == effectively})
	s := &scene{server: server, namespace: n, fill: c.fill}
	s.in, s.out, s.dead = in.Topic(t, "in", c.fill.Partitions), n.Topic(t, "out", c.partitions), n.Topic(t, "dead", 0)
	sub := pulsartest.Subscription(subscription, c.mode)
	server.Subscribe(t, s.in, sub.Name, sub.Position)
	s.file = base(t, server)
	s.file.Path, s.file.Function = c.path, c.code
	s.file.Source = wire.Source{Inputs: []wire.Input{{Topic: s.in, Partitions: c.fill.Partitions}}, Subscription: sub}
	s.file.Sink = wire.Sink{Output: &wire.Output{Topic: s.out, Partitions: c.partitions}}
	s.file.Delivery.Guarantee = c.guarantee
	s.file.Delivery.BackoffMs, s.file.Delivery.MaxBackoffMs = 10, 200
	s.file.Delivery.DeadLetter = &wire.Output{Topic: s.dead}
	return s
}

// base is a wire file without streams.
func base(t *testing.T, server *pulsartest.Server) wire.File {
	t.Helper()
	dir, err := os.MkdirTemp("", "fm") //nolint:usetesting // socket paths are short
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	limits := wire.DefaultLimits()
	limits.ClaimMessages = wire.ClaimMessages
	return wire.File{
		Version:   wire.Version,
		Component: wire.Component{Kind: "function", Tenant: "public", Namespace: "default", Name: "f"},
		Instance:  wire.Instance{Parallelism: 1, Platform: "test"},
		Brokers:   map[string]wire.Broker{"": server.Broker()},
		Delivery:  wire.DefaultDelivery(), Limits: limits,
		WorkDir: dir,
	}
}

// child is an instance in a process of its own.
type child struct {
	cmd    *exec.Cmd
	log    *safeBuffer
	socket string
	ended  chan struct{}
}

// safeBuffer keeps the end of what a process writes.
type safeBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (b *safeBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.b.Len() > 1<<20 {
		b.b.Reset()
	}
	return b.b.Write(p)
}

func (b *safeBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	text := b.b.String()
	return text[max(0, len(text)-4000):]
}

// start runs instance number id of as many as parallelism says.
func (s *scene) start(t *testing.T, id, parallelism int) *child {
	t.Helper()
	f := s.file
	f.Instance.ID, f.Instance.Parallelism = id, parallelism
	f.WorkDir = filepath.Join(s.file.WorkDir, strconv.Itoa(id))
	if err := os.MkdirAll(f.WorkDir, 0o700); err != nil {
		t.Fatal(err)
	}
	c := &child{log: &safeBuffer{}, socket: filepath.Join(f.WorkDir, "probe"), ended: make(chan struct{})}
	f.Probe = "unix:" + c.socket
	data, err := wire.Encode(f)
	if err != nil {
		t.Fatal(err)
	}
	config := filepath.Join(f.WorkDir, "wire.json")
	if err := os.WriteFile(config, data, 0o600); err != nil {
		t.Fatal(err)
	}
	c.cmd = exec.Command(os.Args[0], "run", "--config", config)
	c.cmd.Stderr = c.log
	c.cmd.WaitDelay = 10 * time.Second // a worker may hold standard error for a moment longer
	runnertest.StartChild(t, c.cmd)
	go func() { _ = c.cmd.Wait(); close(c.ended) }()
	t.Cleanup(func() {
		c.kill()
		if t.Failed() {
			t.Logf("instance %d wrote:\n%s", id, c.log)
		}
	})
	return c
}

// kill ends it as kill -9 does.
func (c *child) kill() {
	_ = c.cmd.Process.Kill()
	<-c.ended
}

// signal stops it, or lets it go on.
func (c *child) signal(t *testing.T, what syscall.Signal) {
	t.Helper()
	if err := c.cmd.Process.Signal(what); err != nil {
		t.Fatal(err)
	}
}

// drain sends SIGTERM and wants exit 0.
func (c *child) drain(t *testing.T) {
	t.Helper()
	_ = c.cmd.Process.Signal(syscall.SIGTERM) // it may have ended, which the exit code tells
	watchdog := time.AfterFunc(pulsartest.Patience, func() { _ = c.cmd.Process.Kill() })
	defer watchdog.Stop()
	<-c.ended
	if code := c.cmd.ProcessState.ExitCode(); code != 0 {
		t.Errorf("after SIGTERM: exit code %d", code)
	}
}

// alive fails the test when the process has ended.
func (c *child) alive(t *testing.T) {
	t.Helper()
	select {
	case <-c.ended:
		t.Fatalf("the instance ended: %s\n%s", c.cmd.ProcessState, c.log)
	default:
	}
}
