package compatible_test

import (
	"fmt"
	"log/slog"
	"testing"

	"github.com/functionmesh/terraform-provider-functionmesh/internal/wire"
	"github.com/functionmesh/terraform-provider-functionmesh/runner/broker/pulsar"
	"github.com/functionmesh/terraform-provider-functionmesh/runner/broker/pulsar/compatible"
	"github.com/functionmesh/terraform-provider-functionmesh/runner/broker/pulsar/pulsartest"
	"github.com/functionmesh/terraform-provider-functionmesh/runner/pipeline"
	"github.com/functionmesh/terraform-provider-functionmesh/runner/runnertest"
)

// component is who reads and writes in these tests.
var component = wire.Component{Kind: "function", Tenant: "public", Namespace: "default", Name: "f"} //nolint:gochecknoglobals // a constant

func logger(t testing.TB) *slog.Logger {
	return slog.New(slog.NewTextHandler(t.Output(), nil))
}

func newSink(t testing.TB, o pulsar.SinkOptions) *compatible.Sink {
	t.Helper()
	o.Component, o.Instance, o.Logger = component, wire.Instance{Parallelism: 1}, logger(t)
	s, err := compatible.NewSink(o)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func newSource(t testing.TB, o pulsar.SourceOptions) *compatible.Source {
	t.Helper()
	o.Component, o.Name, o.Logger = component, "public/default/f", logger(t)
	s, err := compatible.NewSource(o)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func sinkOptions(s *pulsartest.Server, topic string) pulsar.SinkOptions {
	return pulsar.SinkOptions{Broker: s.Broker(), Output: wire.Output{Topic: topic}}
}

func sourceOptions(s *pulsartest.Server, topic string, mode wire.Mode) pulsar.SourceOptions {
	return pulsar.SourceOptions{
		Brokers: map[string]wire.Broker{"": s.Broker()},
		Source: wire.Source{
			Inputs:       []wire.Input{{Topic: topic}},
			Subscription: wire.Subscription{Name: "sub", Mode: mode, Position: "earliest"},
		},
		Instance: wire.Instance{Parallelism: 1},
	}
}

// stored is what a topic holds, as a sink is given it.
func stored(t testing.TB, s *pulsartest.Server, topic string, partitions int) []pipeline.Message {
	t.Helper()
	var out []pipeline.Message
	for _, m := range s.ReadAll(t, topic, partitions) {
		in := pipeline.Message{Partition: m.Partition, Value: m.Value, Properties: m.Properties}
		if m.Key != "" {
			in.Key = []byte(m.Key)
		}
		if !m.EventTime.IsZero() && m.EventTime.UnixMilli() > 0 {
			in.EventTime = m.EventTime.UnixMilli()
		}
		out = append(out, in)
	}
	return out
}

// fill writes values, so many to an entry.
func fill(t testing.TB, s *pulsartest.Server, topic string, values [][]byte, each int) {
	t.Helper()
	o := pulsar.SinkOptions{Broker: s.Broker(), Output: wire.Output{Topic: topic}}
	o.Output.Producer = &wire.Producer{Compression: "lz4", Batching: &wire.Batching{Enabled: each > 1, MaxMessages: each}}
	o.Component, o.Instance = component, wire.Instance{Parallelism: 1}
	sink, err := pulsar.NewSink(o)
	if err != nil {
		t.Fatal(err)
	}
	defer sink.Close(t.Context())
	out := make([]pipeline.Message, len(values))
	for i, v := range values {
		out[i].Value = v
	}
	if n, err := sink.Write(t.Context(), out); err != nil {
		t.Fatalf("%d of %d: %v", n, len(out), err)
	}
}

func TestPulsarSinkConforms(t *testing.T) {
	s := pulsartest.Need(t)
	n, number := s.Namespace(t, pulsartest.Policies{Retention: true}), 0
	var topic string
	runnertest.SinkSuite(t, runnertest.SinkHarness{
		New: func(t *testing.T) pipeline.Sink {
			number++
			topic = n.Topic(t, fmt.Sprint("sink-", number), 0)
			return newSink(t, sinkOptions(s, topic))
		},
		Written: func(t *testing.T) []pipeline.Message { return stored(t, s, topic, 0) },
	})
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
						o = sourceOptions(s, topic, mode)
						o.Delivery.Guarantee = c.guard
						s.Subscribe(t, topic, "sub", "earliest")
						fill(t, s, topic, values, c.each)
						return newSource(t, o)
					},
					Again: func(t *testing.T) pipeline.Source { return newSource(t, o) },
				})
			})
		}
	}
}
