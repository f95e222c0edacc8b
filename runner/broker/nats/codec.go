package nats

import (
	"encoding/base64"
	"fmt"
	"strconv"
	"strings"

	natsio "github.com/nats-io/nats.go"

	"github.com/functionmesh/terraform-provider-functionmesh/internal/wire"
	"github.com/functionmesh/terraform-provider-functionmesh/runner/pipeline"
)

// headerOverhead is the version line and the end of a header block.
const headerOverhead = len("NATS/1.0\r\n") + len("\r\n")

// encode makes the message that is published; subject and reply are the caller's.
func encode(m *pipeline.Message) *natsio.Msg {
	return &natsio.Msg{Data: m.Value, Header: encodeHeader(m)}
}

func encodeHeader(m *pipeline.Message) natsio.Header {
	properties := m.Stored()
	if m.Key == nil && m.EventTime == 0 && m.Value != nil && len(properties) == 0 {
		return nil
	}
	h := make(natsio.Header, len(properties)+3)
	if m.Key != nil {
		h[wire.HeaderKey] = []string{base64.StdEncoding.EncodeToString(m.Key)}
	}
	if m.EventTime != 0 {
		h[wire.HeaderEventTime] = []string{strconv.FormatInt(m.EventTime, 10)}
	}
	if m.Value == nil {
		h[wire.HeaderNull] = []string{"1"}
	}
	for k, v := range properties {
		h[wire.PropertyHeader(k)] = []string{wire.PropertyValue(v)}
	}
	return h
}

// encodedSize is what the message counts against the server's limit.
func encodedSize(m *natsio.Msg) int {
	n := len(m.Data)
	if len(m.Header) == 0 {
		return n
	}
	n += headerOverhead
	for k, values := range m.Header {
		for _, v := range values {
			n += len(k) + len(": ") + len(v) + len("\r\n")
		}
	}
	return n
}

// decodeHeader fills key, event time, properties and a nil value. Headers of other
// programs are left out; a damaged one of ours is an error.
func decodeHeader(h natsio.Header, m *pipeline.Message) error {
	for name, values := range h {
		if len(values) == 0 {
			continue
		}
		if err := decodeField(name, values[0], m); err != nil {
			return err
		}
	}
	return nil
}

func decodeField(name, value string, m *pipeline.Message) (err error) {
	switch {
	case name == wire.HeaderKey:
		if m.Key, err = base64.StdEncoding.DecodeString(value); err != nil {
			return fmt.Errorf("header %s: %w", name, err)
		}
	case name == wire.HeaderEventTime:
		if m.EventTime, err = strconv.ParseInt(value, 10, 64); err != nil {
			return fmt.Errorf("header %s: %w", name, err)
		}
	case name == wire.HeaderNull:
		m.Value = nil
	case strings.HasPrefix(name, wire.HeaderPropertyPrefix):
		key, text, ok := wire.ParseProperty(name, value)
		if !ok {
			return fmt.Errorf("header %s: badly escaped", name)
		}
		if m.Properties == nil {
			m.Properties = map[string]string{}
		}
		m.Properties[key] = text
	}
	return nil
}

// received is a message as the broker delivered it.
type received struct {
	message   pipeline.Message
	reply     string
	sequence  uint64 // in the stream
	delivered uint64 // in the consumer
}

// decode reads a delivered message of a topic. A message of another program whose
// headers cannot be read keeps its value and loses them.
func decode(topic string, m *natsio.Msg) (received, error) {
	meta, err := m.Metadata()
	if err != nil {
		return received{}, fmt.Errorf("topic %s: %w", topic, err)
	}
	value := m.Data
	if value == nil {
		value = []byte{}
	}
	out := received{
		message: pipeline.Message{
			Topic:       topic,
			Partition:   partitionOf(m.Subject),
			Position:    pipeline.Numbered(int64(meta.Sequence.Stream)),
			Value:       value,
			PublishTime: meta.Timestamp.UnixMilli(),
			Redelivery:  int32(min(meta.NumDelivered, 1<<30)) - 1,
		},
		reply:     m.Reply,
		sequence:  meta.Sequence.Stream,
		delivered: meta.Sequence.Consumer,
	}
	if len(m.Header) > 0 {
		if err := decodeHeader(m.Header, &out.message); err != nil {
			out.message.Key, out.message.EventTime, out.message.Properties = nil, 0, nil
		}
	}
	return out, nil
}

func partitionOf(subject string) int {
	n, err := strconv.Atoi(subject[strings.LastIndexByte(subject, '.')+1:])
	if err != nil || n < 0 {
		return 0
	}
	return n
}
