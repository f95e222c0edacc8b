package nats

import (
	"context"
	"errors"

	"github.com/functionmesh/terraform-provider-functionmesh/runner/pipeline"
)

// Sink publishes messages and returns when JetStream has confirmed them.
type Sink struct {
	options SinkOptions
}

// NewSink checks the options and connects to nothing.
func NewSink(o SinkOptions) (*Sink, error) {
	return &Sink{options: o}, nil
}

// Write implements pipeline.Sink.
func (s *Sink) Write(context.Context, []pipeline.Message) (int, error) {
	return 0, errors.New("nats sink: not connected")
}

// Close implements pipeline.Sink.
func (s *Sink) Close(context.Context) error { return nil }
