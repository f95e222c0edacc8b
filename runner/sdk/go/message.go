package function

import (
	"encoding/binary"
	"errors"
	"strconv"
)

// Message is one message, in or out. A slice handed to a handler is valid until the
// handler returns; copy what must live longer.
type Message struct {
	Topic         string            // in: full name; out: destination, "" is the configured output
	Partition     int               // in only
	Key           []byte            // nil: no key
	Value         []byte            // nil: a tombstone, which differs from empty
	Properties    map[string]string // nil: none
	EventTime     int64             // ms since the epoch, 0: not set
	PublishTime   int64             // in only: ms since the epoch
	Redelivery    int               // in only: how many times it was delivered before
	Position      Position          // in only: where its broker keeps it
	Schema        []byte            // in only: version of the value's schema, as its broker names it; nil: none
	Unpartitioned bool              // in only, of a Pulsar: Partition says nothing

	id string // as an older runner gave it
}

// Position is a place in one partition.
type Position struct {
	Ledger int64 // below 0: there are none, Entry alone numbers the messages
	Entry  int64
	Index  int32 // of the message in its entry
	Count  int32 // of messages in the entry; 0: stored alone
}

// Traceparent is the W3C trace context that the message came with, "" for none. What a
// function returns or publishes carries it on, unless it sets one of its own.
func (m Message) Traceparent() string { return m.Properties["traceparent"] }

// Reply returns a message to the configured output that keeps the key and the event
// time of m, as the plain handler form does by itself.
func (m Message) Reply(value []byte) Message {
	return Message{Key: m.Key, Value: value, EventTime: m.EventTime}
}

// is says whether two inputs are the same message.
func (m *Message) is(other *Message) bool {
	return m.Position == other.Position && m.Partition == other.Partition && m.Topic == other.Topic
}

// plain says that an output is its value and nothing else. The runner gives it the key and
// the event time of its input.
func (m *Message) plain() bool {
	return m.Topic == "" && m.Key == nil && m.Value != nil && m.EventTime == 0 && len(m.Properties) == 0
}

// ID is the id of an input, unique within its topic: a number, or, as Pulsar prints it,
// ledger:entry:partition and, in a batch, the index.
func (m Message) ID() string {
	p := m.Position
	switch {
	case m.id != "":
		return m.id
	case p.Ledger < 0:
		return strconv.FormatInt(p.Entry, 10)
	}
	b := strconv.AppendInt(make([]byte, 0, 48), p.Ledger, 10)
	b = strconv.AppendInt(append(b, ':'), p.Entry, 10)
	b = strconv.AppendInt(append(b, ':'), int64(m.partition()), 10)
	if p.Count > 0 {
		b = strconv.AppendInt(append(b, ':'), int64(p.Index), 10)
	}
	return string(b)
}

func (m Message) partition() int {
	if m.Unpartitioned {
		return -1
	}
	return m.Partition
}

// PulsarID is the id of an input as Pulsar's clients serialise it, a MessageIdData;
// nil where the broker is not a Pulsar.
func (m Message) PulsarID() []byte {
	p := m.Position
	if p.Ledger < 0 || m.id != "" {
		return nil
	}
	field := func(b []byte, number byte, v int64) []byte {
		return binary.AppendUvarint(append(b, number<<3), uint64(v)) //nolint:gosec // two's complement is the encoding
	}
	b := field(field(nil, 1, p.Ledger), 2, p.Entry)
	if !m.Unpartitioned {
		b = field(b, 3, int64(m.Partition))
	}
	if p.Count > 0 {
		b = field(field(b, 4, int64(p.Index)), 6, int64(p.Count))
	}
	return b
}

var errNotManual = errors.New("the function's guarantee is not manual: the runner acknowledges")
