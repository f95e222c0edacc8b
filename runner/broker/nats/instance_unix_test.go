//go:build unix

package nats_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"syscall"
	"testing"

	"github.com/functionmesh/terraform-provider-functionmesh/internal/wire"
	"github.com/functionmesh/terraform-provider-functionmesh/runner/broker/nats"
	"github.com/functionmesh/terraform-provider-functionmesh/runner/broker/nats/natstest"
	"github.com/functionmesh/terraform-provider-functionmesh/runner/pipeline"
	"github.com/functionmesh/terraform-provider-functionmesh/runner/runnertest"
)

const (
	envInstance = "FM_TEST_INSTANCE"
	subName     = "public/default/f"
	inTopic     = "persistent://public/default/in"
	outTopic    = "persistent://public/default/out"
	deadTopic   = "persistent://public/default/dead"
)

// setup is one function from inTopic to outTopic, handed to an instance process.
type setup struct {
	Broker     wire.Broker
	Mode       wire.Mode
	Partitions int
	Delivery   wire.Delivery
	Limits     wire.Limits
}

// place makes topics and subscription as a platform would.
func (s setup) place(t testing.TB) {
	t.Helper()
	for _, topic := range []string{inTopic, outTopic, deadTopic} {
		natstest.EnsureTopic(t, s.Broker, topic, s.Partitions)
	}
	natstest.EnsureSubscription(t, s.Broker, inTopic, s.Partitions, s.subscription())
}

func (s setup) subscription() wire.Subscription {
	return wire.Subscription{Name: subName, Mode: s.Mode, Position: "earliest"}
}

// config is the pipeline; the sinks and the source are not connected yet.
func (s setup) config(f pipeline.Functions) (pipeline.Config, error) {
	o := sourceOptions(s.Broker, inTopic, s.Partitions, s.Mode)
	o.AtMostOnce = s.Delivery.Guarantee == "atmost_once"
	source, err := nats.NewSource(o)
	if err != nil {
		return pipeline.Config{}, err
	}
	sink, err := nats.NewSink(nats.SinkOptions{Broker: s.Broker, Output: wire.Output{Topic: outTopic, Partitions: s.Partitions}})
	if err != nil {
		return pipeline.Config{}, err
	}
	dead, err := nats.NewSink(nats.SinkOptions{Broker: s.Broker, DeadLetter: true, Output: wire.Output{Topic: deadTopic, Partitions: s.Partitions}})
	if err != nil {
		return pipeline.Config{}, err
	}
	return pipeline.Config{
		Source: source, Functions: f, Sink: sink, DeadLetter: dead,
		Delivery: s.Delivery, Limits: s.Limits, Subscription: subName,
	}, nil
}

// instanceMain runs an echo and returns true when this process is an instance: SIGTERM
// drains it, a second one ends it.
func instanceMain() bool {
	text := os.Getenv(envInstance)
	if text == "" {
		return false
	}
	if err := runInstance(text); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	return true
}

func runInstance(text string) error {
	var s setup
	if err := json.Unmarshal([]byte(text), &s); err != nil {
		return err
	}
	c, err := s.config(runnertest.Each(runnertest.Echo))
	if err != nil {
		return err
	}
	term := make(chan os.Signal, 1)
	signal.Notify(term, syscall.SIGTERM)
	runnertest.Listening(os.Stdout)
	drain := make(chan struct{})
	go func() {
		<-term
		signal.Stop(term)
		close(drain)
	}()
	c.Drain = drain
	return pipeline.Run(context.Background(), c) //nolint:forbidigo // a process of its own, outside any test
}

// instance is a process that runs s.
type instance struct {
	cmd    *exec.Cmd
	stderr *bytes.Buffer
}

func (s setup) start(t *testing.T) *instance {
	t.Helper()
	text, err := json.Marshal(s)
	if err != nil {
		t.Fatal(err)
	}
	i := &instance{cmd: exec.Command(os.Args[0], "-test.run=^$"), stderr: &bytes.Buffer{}}
	i.cmd.Env = append(os.Environ(), envInstance+"="+string(text))
	i.cmd.Stderr = i.stderr
	runnertest.StartChild(t, i.cmd)
	t.Cleanup(func() { i.kill() })
	return i
}

// kill ends it as kill -9 does.
func (i *instance) kill() {
	_ = i.cmd.Process.Kill()
	_ = i.cmd.Wait()
}

// drain sends SIGTERM and wants exit 0.
func (i *instance) drain(t *testing.T) {
	t.Helper()
	if err := i.cmd.Process.Signal(syscall.SIGTERM); err != nil && !errors.Is(err, os.ErrProcessDone) {
		t.Fatal(err)
	}
	if err := i.cmd.Wait(); err != nil {
		t.Errorf("after SIGTERM: %v\n%s", err, i.stderr)
	}
}
