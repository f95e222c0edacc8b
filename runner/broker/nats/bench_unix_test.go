//go:build unix

package nats_test

import (
	"context"
	"strconv"
	"syscall"
	"testing"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/functionmesh/terraform-provider-functionmesh/internal/wire"
	"github.com/functionmesh/terraform-provider-functionmesh/runner/broker/nats/natstest"
	"github.com/functionmesh/terraform-provider-functionmesh/runner/pipeline"
	"github.com/functionmesh/terraform-provider-functionmesh/runner/runnertest"
)

// cost is what moving messages from inTopic to outTopic took.
type cost struct{ wall, cpu time.Duration }

func measure(run func()) cost {
	cpu, began := cpuTime(), time.Now()
	run()
	return cost{wall: time.Since(began), cpu: cpuTime() - cpu}
}

// cpuTime is this process's; the server is another.
func cpuTime() time.Duration {
	var u syscall.Rusage
	if syscall.Getrusage(syscall.RUSAGE_SELF, &u) != nil {
		return 0
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// BenchmarkPassThrough moves messages of 100 bytes through a pipeline, without a function
// and with one whose outputs say where they come from, and through a bare loop that reads,
// publishes and acknowledges the same with the NATS client. The ratios are of one run.
func BenchmarkPassThrough(b *testing.B) {
	cases := map[string]struct {
		mode     wire.Mode
		function pipeline.Functions
	}{
		"Shared":        {mode: wire.Shared},
		"SharedForward": {mode: wire.Shared, function: runnertest.Each(runnertest.Echo)},
		"Failover":      {mode: wire.Failover},
	}
	for name, c := range cases {
		b.Run(name, func(b *testing.B) {
			bare := benchSetup(b, wire.Shared)
			bareCost := measure(func() { copyLoop(b, bare.Broker, b.N) })
			s := benchSetup(b, c.mode)
			ours := measure(func() { s.passThrough(b, c.function, b.N) })
			b.ReportMetric(float64(b.N)/ours.wall.Seconds(), "msg/s")
			b.ReportMetric(float64(b.N)/bareCost.wall.Seconds(), "bare-msg/s")
			b.ReportMetric(ours.wall.Seconds()/bareCost.wall.Seconds(), "wall/bare")
			b.ReportMetric(ours.cpu.Seconds()/bareCost.cpu.Seconds(), "cpu/bare")
			b.ReportMetric(float64(ours.cpu.Nanoseconds())/float64(b.N), "cpu-ns/msg")
		})
	}
}

func benchSetup(b *testing.B, mode wire.Mode) setup {
	b.Helper()
	s := setup{Broker: natstest.Run(b).Broker(), Mode: mode, Delivery: wire.Delivery{Guarantee: "atleast_once", ForwardProperties: true}}
	s.place(b)
	value := make([]byte, 100)
	batch := make([]pipeline.Message, min(b.N, 1000))
	for i := range batch {
		batch[i].Value = value
	}
	for left := b.N; left > 0; left -= len(batch) {
		produce(b, s.Broker, inTopic, batch[:min(left, len(batch))]...)
	}
	return s
}

// stopAfter drains a pipeline when so many messages are processed.
type stopAfter struct {
	left  int
	drain chan struct{}
}

func (s *stopAfter) Received(int)                        {}
func (s *stopAfter) DeadLettered(int)                    {}
func (s *stopAfter) Failed(pipeline.FailureClass, error) {}
func (s *stopAfter) Processed(n int, _ time.Duration) {
	if s.left -= n; n > 0 && s.left == 0 {
		close(s.drain)
	}
}

func (s setup) passThrough(b *testing.B, f pipeline.Functions, n int) {
	b.Helper()
	c, err := s.config(f)
	if err != nil {
		b.Fatal(err)
	}
	o := &stopAfter{left: n, drain: make(chan struct{})}
	c.Observer, c.Drain = o, o.drain
	if err := pipeline.Run(b.Context(), c); err != nil {
		b.Fatal(err)
	}
}

// copyLoop is the bare loop: batches of 1000, publishes confirmed before their inputs
// are acknowledged, one confirmed acknowledgement per batch.
func copyLoop(b *testing.B, broker wire.Broker, n int) {
	b.Helper()
	js := natstest.Connect(b, broker)
	ctx, cancel := context.WithCancel(b.Context())
	defer cancel()
	consumer, err := js.Consumer(ctx, wire.StreamName(inTopic), wire.ConsumerName(subName))
	if err != nil {
		b.Fatal(err)
	}
	subject := wire.Subject(outTopic, 0)
	for done := 0; done < n; {
		batch, err := consumer.FetchNoWait(1000)
		if err != nil {
			b.Fatal(err)
		}
		done += copyBatch(ctx, b, js, subject, batch)
	}
}

func copyBatch(ctx context.Context, b *testing.B, js jetstream.JetStream, subject string, batch jetstream.MessageBatch) int {
	b.Helper()
	var got []jetstream.Msg
	var acks []jetstream.PubAckFuture
	for m := range batch.Messages() {
		ack, err := js.PublishAsync(subject, m.Data(), jetstream.WithStallWait(time.Minute))
		if err != nil {
			b.Fatal(err)
		}
		got, acks = append(got, m), append(acks, ack)
	}
	for i, ack := range acks {
		select {
		case <-ack.Ok():
		case err := <-ack.Err():
			b.Fatal(strconv.Itoa(i), err)
		}
	}
	for i, m := range got {
		var err error
		if i == len(got)-1 {
			err = m.DoubleAck(ctx)
		} else {
			err = m.Ack()
		}
		if err != nil {
			b.Fatal(err)
		}
	}
	return len(got)
}
