package nats

import (
	"context"
	"errors"

	"github.com/functionmesh/terraform-provider-functionmesh/internal/wire"
	"github.com/functionmesh/terraform-provider-functionmesh/runner/pipeline"
)

// ReaderOptions say what a Reader shows.
type ReaderOptions struct {
	Broker wire.Broker
	Topic  string // full name
	Last   int    // begin so many messages before the end; 0: see Earliest
	// Earliest begins with the oldest message kept; otherwise only new ones are shown.
	Earliest bool
	Follow   bool // wait for more instead of ending with io.EOF
}

// Reader reads all partitions of a topic in the order in which messages arrived and
// touches no subscription.
type Reader struct{}

// NewReader connects; the topic must exist.
func NewReader(context.Context, ReaderOptions) (*Reader, error) {
	return nil, errors.New("nats reader: not connected")
}

// Next returns the next message. io.EOF: there are no more and Follow was not asked.
func (r *Reader) Next(context.Context) (pipeline.Message, error) {
	return pipeline.Message{}, errors.New("nats reader: not connected")
}

// Close ends the connection.
func (r *Reader) Close(context.Context) error { return nil }

// Producer publishes to one topic.
type Producer struct{}

// NewProducer connects; the topic must exist.
func NewProducer(context.Context, wire.Broker, string) (*Producer, error) {
	return nil, errors.New("nats producer: not connected")
}

// Produce returns once every message is confirmed; on an error the first n are.
func (p *Producer) Produce(context.Context, []pipeline.Message) (n int, err error) {
	return 0, errors.New("nats producer: not connected")
}

// Close ends the connection.
func (p *Producer) Close(context.Context) error { return nil }
