package broker

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"strconv"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/functionmesh/terraform-provider-functionmesh/internal/engine"
	"github.com/functionmesh/terraform-provider-functionmesh/internal/wire"
)

// Properties by which an output names the input that caused it, in Pulsar's words.
const (
	inputTopic = "__pfn_input_topic__"
	inputID    = "__pfn_input_msg_id__"
)

// Send publishes one message and returns its id.
func (b *Broker) Send(ctx context.Context, topic string, data []byte) (string, error) {
	ack, err := b.js.Publish(ctx, wire.Subject(topic, 0), data)
	if err != nil {
		return "", b.full(err)
	}
	return strconv.FormatUint(ack.Sequence, 10), nil
}

// Ask publishes one message to in and returns the first message that appears on out
// because of it. An output that does not name its input is taken for it.
func (b *Broker) Ask(ctx context.Context, in, out string, data []byte) ([]byte, error) {
	answers, err := b.js.OrderedConsumer(ctx, wire.StreamName(out), jetstream.OrderedConsumerConfig{DeliverPolicy: jetstream.DeliverNewPolicy})
	if err != nil {
		return nil, b.full(err)
	}
	messages, err := answers.Messages()
	if err != nil {
		return nil, b.full(err)
	}
	defer messages.Stop()
	id, err := b.Send(ctx, in, data)
	if err != nil {
		return nil, err
	}
	for {
		m, err := messages.Next(jetstream.NextContext(ctx))
		if err != nil {
			if ctx.Err() != nil || errors.Is(err, jetstream.ErrMsgIteratorClosed) {
				return nil, engine.New(engine.Unavailable, fmt.Errorf("message %s was published, but no answer to it appeared on %s in time", id, out))
			}
			return nil, b.full(err)
		}
		if answersTo(m, in, id) {
			return m.Data(), nil
		}
	}
}

func answersTo(m jetstream.Msg, in, id string) bool {
	named, topic, cause := false, "", ""
	for header, values := range m.Headers() {
		if len(values) == 0 {
			continue
		}
		name, text, ok := wire.ParseProperty(header, values[0])
		switch {
		case ok && name == inputTopic:
			named, topic = true, text
		case ok && name == inputID:
			named, cause = true, text
		}
	}
	return !named || topic == in && cause == base64.StdEncoding.EncodeToString([]byte(id))
}
