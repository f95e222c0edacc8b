package nats_test

import (
	"errors"
	"io"
	"strconv"
	"testing"
	"time"

	"github.com/functionmesh/terraform-provider-functionmesh/internal/wire"
	"github.com/functionmesh/terraform-provider-functionmesh/runner/broker/nats"
	"github.com/functionmesh/terraform-provider-functionmesh/runner/broker/nats/natstest"
	"github.com/functionmesh/terraform-provider-functionmesh/runner/pipeline"
	"github.com/functionmesh/terraform-provider-functionmesh/runner/runnertest"
)

const patience = 60 * time.Second // bounds a wait; nothing is measured against it

func topicName(n int) string { return "persistent://public/default/topic-" + strconv.Itoa(n) }

// produce publishes messages to a topic.
func produce(t testing.TB, b wire.Broker, topic string, messages ...pipeline.Message) {
	t.Helper()
	p, err := nats.NewProducer(t.Context(), b, topic)
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close(t.Context())
	if n, err := p.Produce(t.Context(), messages); err != nil {
		t.Fatalf("%d of %d: %v", n, len(messages), err)
	}
}

func fromValues(values [][]byte) []pipeline.Message {
	out := make([]pipeline.Message, len(values))
	for i, v := range values {
		out[i].Value = v
	}
	return out
}

// stored reads a topic from the beginning to its end.
func stored(t testing.TB, b wire.Broker, topic string) []pipeline.Message {
	t.Helper()
	r, err := nats.NewReader(t.Context(), nats.ReaderOptions{Broker: b, Topic: topic, Earliest: true})
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close(t.Context())
	var out []pipeline.Message
	for {
		m, err := r.Next(t.Context())
		if errors.Is(err, io.EOF) {
			return out
		}
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, m)
	}
}

func sourceOptions(b wire.Broker, topic string, partitions int, mode wire.Mode) nats.SourceOptions {
	return nats.SourceOptions{
		Brokers: map[string]wire.Broker{"": b},
		Source: wire.Source{
			Inputs:       []wire.Input{{Topic: topic, Partitions: partitions}},
			Subscription: wire.Subscription{Name: "public/default/f", Mode: mode, Position: "earliest"},
		},
		Instance: wire.Instance{Parallelism: 1},
	}
}

func newSource(t testing.TB, o nats.SourceOptions) *nats.Source {
	t.Helper()
	s, err := nats.NewSource(o)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func newSink(t testing.TB, o nats.SinkOptions) *nats.Sink {
	t.Helper()
	s, err := nats.NewSink(o)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestSourceConforms(t *testing.T) {
	b := natstest.Start(t)
	for _, mode := range []wire.Mode{wire.Shared, wire.Failover} {
		t.Run(string(mode), func(t *testing.T) {
			number, options := 0, nats.SourceOptions{}
			runnertest.SourceSuite(t, runnertest.SourceHarness{
				NacksSoon: true,
				New: func(t *testing.T, values [][]byte) pipeline.Source {
					number++
					topic := topicName(number) + string(mode)
					options = sourceOptions(b, topic, 0, mode)
					natstest.EnsureTopic(t, b, topic, 0)
					natstest.EnsureSubscription(t, b, topic, 0, options.Source.Subscription)
					produce(t, b, topic, fromValues(values)...)
					return newSource(t, options)
				},
				Again: func(t *testing.T) pipeline.Source { return newSource(t, options) },
			})
		})
	}
}

func TestSinkConforms(t *testing.T) {
	b, number := natstest.Start(t), 0
	runnertest.SinkSuite(t, runnertest.SinkHarness{
		Properties: true,
		New: func(t *testing.T) pipeline.Sink {
			number++
			natstest.EnsureTopic(t, b, topicName(number), 0)
			return newSink(t, nats.SinkOptions{Broker: b, Output: wire.Output{Topic: topicName(number)}})
		},
		Written: func(t *testing.T) []pipeline.Message { return stored(t, b, topicName(number)) },
		Refused: func() pipeline.Message { return pipeline.Message{Value: make([]byte, 16<<20)} },
	})
}
