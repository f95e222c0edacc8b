package nats

import (
	"context"

	"github.com/functionmesh/terraform-provider-functionmesh/internal/wire"
	"github.com/functionmesh/terraform-provider-functionmesh/runner/pipeline"
)

// Producer publishes to one topic. It tries each message once.
type Producer struct{ sink *Sink }

// NewProducer connects; the topic must exist.
func NewProducer(ctx context.Context, b wire.Broker, topic string) (*Producer, error) {
	sink, err := NewSink(SinkOptions{Broker: b, Output: wire.Output{Topic: topic}, Name: "producer of " + topic})
	if err != nil {
		return nil, err
	}
	p, err := sink.connected(ctx)
	if err != nil {
		return nil, err
	}
	partitions, err := partitionsOf(ctx, p.js, topic)
	if err != nil {
		sink.leave(p)
		return nil, err
	}
	sink.output = newTarget(topic, partitions)
	return &Producer{sink: sink}, nil
}

// Produce returns once every message is confirmed; on an error the first n are. The
// messages' own Topic is ignored.
func (p *Producer) Produce(ctx context.Context, messages []pipeline.Message) (n int, err error) {
	out := make([]pipeline.Message, len(messages))
	for i, m := range messages {
		m.Topic = ""
		out[i] = m
	}
	return p.sink.Write(ctx, out)
}

// Close ends the connection.
func (p *Producer) Close(ctx context.Context) error { return p.sink.Close(ctx) }
