package pipeline

import (
	"context"
	"time"
)

// Message is one message, in or out. Byte slices are owned by the batch: whoever
// keeps one beyond the call copies it.
type Message struct {
	Topic       string            // in: full name of the partitioned topic; out: destination, "" is the configured output
	Partition   int               // in: partition, 0 for an unpartitioned topic; out: ignored
	ID          string            // in: broker's id, printable and unique within the topic
	Key         []byte            // nil: no key
	Value       []byte            // nil is legal (a tombstone) and differs from empty
	Properties  map[string]string // nil: none
	EventTime   int64             // ms since the epoch, 0: not set
	PublishTime int64             // ms since the epoch
	Redelivery  int               // in: how many times it was delivered before

	Position Position // in: where its broker keeps it
	Schema   []byte   // version of the schema of the value, as its broker names it; nil: none
	// Cause, out, is the input that the message was made of; the pipeline sets it. A sink
	// adds what is forwarded of it, and tells by it which outputs belong to one entry.
	Cause *Message
}

// Position is a place in one partition. Messages of one entry are stored, and
// deduplicated, together; where a broker stores messages one by one each is its own
// entry.
type Position struct {
	Ledger int64
	Entry  int64
	Index  int32 // of the message in its entry
	Count  int32 // of messages in the entry; 0: stored alone
}

// Size is what the message counts against byte limits.
func (m *Message) Size() int64 {
	n := len(m.Key) + len(m.Value) + len(m.ID) + 64
	for k, v := range m.Properties {
		n += len(k) + len(v) + 16
	}
	return int64(n)
}

// Batch is what one Read returned: messages of one lane in their order. Token is the
// lane's own, opaque to everyone else.
type Batch struct {
	Messages []Message
	Token    any
}

// Verdict settles one message of a batch.
type Verdict struct {
	Redeliver bool          // false: done, acknowledge it
	Delay     time.Duration // with Redeliver: not before
}

// Source opens lanes. A lane is one ordered path; lanes are independent.
type Source interface {
	// Open claims what the source reads. Called once.
	Open(ctx context.Context) ([]Lane, error)
	// Close releases it; safe after a failed Open and twice.
	Close(ctx context.Context) error
}

// Lane is read by one goroutine at a time.
type Lane interface {
	// Name identifies the lane in logs and metrics: topic and partition.
	Name() string
	// Ordered lanes deliver in order and cannot redeliver one message alone: the
	// pipeline retries in place and settles in order.
	Ordered() bool
	// Read blocks for at least one message; at most max messages and about maxBytes.
	// io.EOF: the source is finished. Other errors are retried with backoff.
	Read(ctx context.Context, max int, maxBytes int64) (Batch, error)
	// Settle applies verdicts to the first len(v) messages of the batch not settled
	// yet and returns once the broker has confirmed them. Ordered lanes get no
	// Redeliver. ErrFenced: another instance took the lane over; stop it.
	Settle(ctx context.Context, b Batch, v []Verdict) error
}

// Result is what a function made of one input message.
type Result struct {
	Outputs []Message
	Err     error // the user's failure: counted, retried, dead-lettered; never ends the process
	// Acks, guarantee manual only, is what user code said during the call about messages
	// that it was given, in this call or an earlier one. It counts with an Err too.
	Acks []Ack
}

// Ack is what user code says about one message, guarantee manual. Topic is the input's
// full name without its partition.
type Ack struct {
	Topic     string
	Partition int
	Position  Position
	Nack      bool // not done: hand it out again
}

// Functions makes a Function for each lane; lane is a number from 0.
type Functions interface {
	ForLane(ctx context.Context, lane int) (Function, error)
}

// Function runs user code on a batch.
type Function interface {
	// Invoke returns one Result per message, in order. An error means that the
	// runtime itself failed (a dead worker): nothing of the batch counts as done and
	// the pipeline calls again with backoff. A call over its time or memory limit is
	// the message's Err, not an error. Results stay valid over later calls, which may
	// be for a part of the same batch.
	Invoke(ctx context.Context, in []Message) ([]Result, error)
	Close(ctx context.Context) error
}

// Sink takes results.
type Sink interface {
	// Write returns nil once every message is durable (confirmed by the broker,
	// synced to disk). On an error a prefix, given by n, is durable and the rest is
	// not known to be: writing the rest again may duplicate but never loses or reorders.
	// A *MessageError says that message n can never be written as it is: it is then
	// the failure of the input message that caused it, not of the sink.
	// Several lanes write at once: implementations lock where they must.
	Write(ctx context.Context, out []Message) (n int, err error)
	Close(ctx context.Context) error
}

// Observer is told what happened, for metrics and last exceptions. Calls are cheap
// and may come from several lanes at once.
type Observer interface {
	Received(n int)
	Processed(n int, took time.Duration)
	Failed(class FailureClass, err error)
	DeadLettered(n int)
}

// FailureClass says whose failure it was, in Pulsar's words.
type FailureClass string

// User is the function's own failure, System ours or the broker's, SourceFailure and
// SinkFailure a connector's.
const (
	User          FailureClass = "user"
	System        FailureClass = "system"
	SourceFailure FailureClass = "source"
	SinkFailure   FailureClass = "sink"
)
