package nats

import (
	"fmt"
	"strconv"
	"strings"

	natsio "github.com/nats-io/nats.go"

	"github.com/functionmesh/terraform-provider-functionmesh/runner/pipeline"
)

// received is a message as the broker delivered it.
type received struct {
	message   pipeline.Message
	reply     string
	sequence  uint64 // in the stream
	delivered uint64 // in the consumer
}

// delivery is what the acknowledgement subject of a message says.
type delivery struct {
	times    uint64 // it was delivered, this time included
	stream   uint64 // sequence
	consumer uint64 // sequence
	stamp    uint64 // ns since the epoch
}

// The tokens of an acknowledgement subject:
//
//	$JS.ACK.<stream>.<consumer>.<delivered>.<stream seq>.<consumer seq>.<time>.<pending>
//	$JS.ACK.<domain>.<account>.<stream>.<consumer>.<delivered>. … .<pending>[.<random>]
const (
	ackPrefix     = "$JS.ACK."
	ackShort      = 7 // tokens after the prefix
	ackLong       = 9
	ackDomainMore = 2
	ackNames      = 2
)

// parseReply reads an acknowledgement subject without making garbage.
func parseReply(reply string) (d delivery, ok bool) {
	rest, ok := strings.CutPrefix(reply, ackPrefix)
	if !ok {
		return d, false
	}
	tokens := strings.Count(rest, ".") + 1
	skip := ackNames
	switch {
	case tokens >= ackLong:
		skip += ackDomainMore
	case tokens != ackShort:
		return d, false
	}
	for range skip {
		_, rest, _ = strings.Cut(rest, ".")
	}
	for _, field := range []*uint64{&d.times, &d.stream, &d.consumer, &d.stamp} {
		var token string
		token, rest, _ = strings.Cut(rest, ".")
		n, err := strconv.ParseUint(token, 10, 64)
		if err != nil {
			return d, false
		}
		*field = n
	}
	return d, true
}

// decode reads a delivered message of a topic into out. A message of another program
// whose headers cannot be read keeps its value and loses them.
func decode(topic string, m *natsio.Msg, out *pipeline.Message) (delivery, error) {
	d, ok := parseReply(m.Reply)
	if !ok {
		return d, fmt.Errorf("topic %s: a message that is not a stream's: %w", topic, natsio.ErrNotJSMessage)
	}
	value := m.Data
	if value == nil {
		value = []byte{}
	}
	*out = pipeline.Message{
		Topic:       topic,
		Partition:   partitionOf(m.Subject),
		Position:    pipeline.Numbered(int64(d.stream)), //nolint:gosec // a stream's sequence
		Value:       value,
		PublishTime: int64(d.stamp / 1e6), //nolint:gosec // a time
		Redelivery:  int32(min(d.times, 1<<30)) - 1,
	}
	if len(m.Header) > 0 {
		if err := decodeHeader(m.Header, out); err != nil {
			out.Key, out.EventTime, out.Properties = nil, 0, nil
		}
	}
	return d, nil
}

func partitionOf(subject string) int {
	n, err := strconv.Atoi(subject[strings.LastIndexByte(subject, '.')+1:])
	if err != nil || n < 0 {
		return 0
	}
	return n
}
