package pulsar

import (
	"context"

	"github.com/functionmesh/terraform-provider-functionmesh/internal/wire"
	"github.com/functionmesh/terraform-provider-functionmesh/runner/pipeline"
)

// Producer publishes to one topic.
type Producer struct{ sink *Sink }

// NewProducer connects; the broker may make the topic.
func NewProducer(ctx context.Context, b wire.Broker, topic string) (*Producer, error) {
	s, err := NewSink(SinkOptions{Broker: b, Output: wire.Output{Topic: topic}, Component: wire.Component{Kind: "producer"}})
	if err != nil {
		return nil, err
	}
	if err := s.Connect(ctx); err != nil {
		_ = s.Close(ctx) // the first error tells more
		return nil, err
	}
	return &Producer{sink: s}, nil
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
