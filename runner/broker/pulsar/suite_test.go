package pulsar_test

import (
	"bytes"
	"crypto/rand"
	"fmt"
	"log/slog"
	"testing"
	"time"

	"github.com/functionmesh/terraform-provider-functionmesh/internal/wire"
	"github.com/functionmesh/terraform-provider-functionmesh/runner/broker/pulsar"
	"github.com/functionmesh/terraform-provider-functionmesh/runner/broker/pulsar/pulsartest"
	"github.com/functionmesh/terraform-provider-functionmesh/runner/pipeline"
	"github.com/functionmesh/terraform-provider-functionmesh/runner/runnertest"
)

// component is who reads and writes in these tests.
var component = wire.Component{Kind: "function", Tenant: "public", Namespace: "default", Name: "f"} //nolint:gochecknoglobals // a constant

func newSink(t testing.TB, o pulsar.SinkOptions) *pulsar.Sink {
	t.Helper()
	o.Component, o.Instance, o.Logger = component, wire.Instance{Parallelism: 1}, logger(t)
	s, err := pulsar.NewSink(o)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func logger(t testing.TB) *slog.Logger {
	return slog.New(slog.NewTextHandler(t.Output(), nil))
}

func sinkOptions(s *pulsartest.Server, topic string, partitions int) pulsar.SinkOptions {
	return pulsar.SinkOptions{Broker: s.Broker(), Output: wire.Output{Topic: topic, Partitions: partitions}}
}

// stored is what a topic without partitions holds and was sent since it was loaded.
func stored(t testing.TB, s *pulsartest.Server, topic string) (all []pipeline.Message) {
	t.Helper()
	source := newSource(t, sourceOptions(s, topic, 0, wire.Exclusive))
	defer source.Close(t.Context())
	lanes, err := source.Open(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for sent := s.Sent(t, topic); int64(len(all)) < sent; {
		b, err := lanes[0].Read(t.Context(), 1000, 16<<20)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range b.Messages {
			m.Key, m.Value = bytes.Clone(m.Key), bytes.Clone(m.Value)
			all = append(all, m)
		}
		if err := lanes[0].Settle(t.Context(), b, make([]pipeline.Verdict, len(b.Messages))); err != nil {
			t.Fatal(err)
		}
	}
	return all
}

func produce(t testing.TB, s *pulsartest.Server, topic string, out []pipeline.Message) {
	t.Helper()
	sink := newSink(t, sinkOptions(s, topic, 0))
	defer sink.Close(t.Context())
	if n, err := sink.Write(t.Context(), out); err != nil {
		t.Fatal(n, err)
	}
}

func TestPulsarSinkConforms(t *testing.T) {
	s := pulsartest.Need(t)
	for name, codec := range map[string]string{"Plain": "none", "Compressed": "lz4"} {
		t.Run(name, func(t *testing.T) {
			n, number := s.Namespace(t, pulsartest.Policies{Retention: true}), 0
			var topic string
			runnertest.SinkSuite(t, runnertest.SinkHarness{
				Properties: true,
				New: func(t *testing.T) pipeline.Sink {
					number++
					topic = n.Topic(t, fmt.Sprint("sink-", number), 0)
					o := sinkOptions(s, topic, 0)
					o.Output.Producer = &wire.Producer{Compression: codec}
					return newSink(t, o)
				},
				Written: func(t *testing.T) []pipeline.Message { return stored(t, s, topic) },
				Refused: func() pipeline.Message { return pipeline.Message{Value: incompressible(6 << 20)} },
			})
		})
	}
}

func incompressible(n int) []byte {
	v := make([]byte, n)
	_, _ = rand.Read(v)
	return v
}

func sourceOptions(s *pulsartest.Server, topic string, partitions int, mode wire.Mode) pulsar.SourceOptions {
	return pulsar.SourceOptions{
		Brokers: map[string]wire.Broker{"": s.Broker()},
		Source: wire.Source{
			Inputs:       []wire.Input{{Topic: topic, Partitions: partitions}},
			Subscription: wire.Subscription{Name: "sub", Mode: mode, Position: "earliest"},
		},
		Instance: wire.Instance{Parallelism: 1},
	}
}

func newSource(t testing.TB, o pulsar.SourceOptions) *pulsar.Source {
	t.Helper()
	o.Component, o.Name, o.Logger = component, "public/default/f", logger(t)
	s, err := pulsar.NewSource(o)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestPulsarSourceConforms(t *testing.T) {
	s := pulsartest.Need(t)
	for _, mode := range []wire.Mode{wire.Shared, wire.Failover, wire.KeyShared, wire.Exclusive} {
		for name, c := range map[string]struct {
			each  int
			guard string
		}{"Plain": {each: 1}, "Batched": {each: 20}, "BatchedAtMostOnce": {20, pipeline.AtMostOnce}} {
			t.Run(string(mode)+name, func(t *testing.T) {
				t.Parallel()
				n, number := s.Namespace(t, pulsartest.Policies{}), 0
				var o pulsar.SourceOptions
				runnertest.SourceSuite(t, runnertest.SourceHarness{
					Once: c.guard == pipeline.AtMostOnce,
					New: func(t *testing.T, values [][]byte) pipeline.Source {
						number++
						topic := n.Topic(t, fmt.Sprint("source-", number), 0)
						o = sourceOptions(s, topic, 0, mode)
						o.Delivery.Guarantee = c.guard
						s.Subscribe(t, topic, "sub", "earliest")
						fillWith(t, s, topic, values, c.each)
						return newSource(t, o)
					},
					Again: func(t *testing.T) pipeline.Source { return newSource(t, o) },
				})
			})
		}
	}
}

// fillWith writes values, so many to an entry.
func fillWith(t testing.TB, s *pulsartest.Server, topic string, values [][]byte, each int) {
	t.Helper()
	o := sinkOptions(s, topic, 0)
	o.Output.Producer = &wire.Producer{Compression: "lz4", Batching: &wire.Batching{Enabled: each > 1, MaxMessages: each}}
	sink := newSink(t, o)
	defer sink.Close(t.Context())
	out := make([]pipeline.Message, len(values))
	for i, v := range values {
		out[i].Value = v
	}
	if n, err := sink.Write(t.Context(), out); err != nil {
		t.Fatalf("%d of %d: %v", n, len(out), err)
	}
}

const patience = 2 * time.Minute // bounds a wait; nothing is measured against it
