package pipeline

import (
	"context"
	"time"
)

// Message is one message, in or out. Byte slices are owned by the batch: whoever
// keeps one beyond the call copies it. Thousands live per batch: it stays small.
type Message struct {
	Topic      string            // in: full name of the partitioned topic; out: destination, "" is the configured output
	Key        []byte            // nil: no key
	Value      []byte            // nil is legal (a tombstone) and differs from empty
	Properties map[string]string // nil: none; out: the function's own, EachProperty gives all that are stored
	EventTime  int64             // ms since the epoch, 0: not set
	// Cause, out, is the input that the message was made of; the pipeline sets it. A sink
	// adds what is forwarded of it, and tells by it which outputs belong to one entry.
	Cause         *Message
	Forward       Forward // out: what of Cause's properties is stored with it; the pipeline sets it
	Unpartitioned bool    // in, of a Pulsar: Partition says nothing

	// What only inputs have lies behind what outputs have too, so that these do not touch it.
	Redelivery  int32    // how many times it was delivered before
	Partition   int      // 0 for an unpartitioned topic
	PublishTime int64    // ms since the epoch
	Position    Position // where its broker keeps it
	Schema      []byte   // version of the schema of the value, as its broker names it; nil: none
}

// Forward says what of its Cause a message takes with it.
type Forward uint8

// ForwardTrace forwards the W3C trace context only, ForwardAll every property, and names
// the input beside them. ForwardNothing is for dead letters and what connectors pass on.
const (
	ForwardNothing Forward = iota
	ForwardTrace
	ForwardAll
)

// Batch is what one Read returned: messages of one lane in their order. Token is the
// lane's own, opaque to everyone else.
type Batch struct {
	Messages []Message
	Bytes    int64 // what Size gives for all messages; 0: it was not counted
	Token    any
}

// Verdict settles one message of a batch.
type Verdict struct {
	Redeliver bool          // false: done, acknowledge it
	Keep      bool          // neither: user code acknowledges it by itself, through a ByHand lane
	Delay     time.Duration // with Redeliver: not before
}

// Source opens lanes. A lane is one ordered path; lanes are independent.
type Source interface {
	// Open claims what the source reads. Called once.
	Open(ctx context.Context) ([]Lane, error)
	// Close releases it; safe after a failed Open and twice.
	Close(ctx context.Context) error
}

// Growing is a Source whose lanes may appear while it runs: partitions that were added,
// partitions that another instance left to this one.
type Growing interface {
	// Grown waits for lanes that were not given yet. A lane that ended with ErrFenced
	// may be given again, as a new one. io.EOF: there will be no more.
	Grown(ctx context.Context) ([]Lane, error)
}

// Lane is read by one goroutine at a time. Settle may run beside a Read, for batches
// read before, in the order in which they were read.
type Lane interface {
	// Name identifies the lane in logs and metrics: topic and partition.
	Name() string
	// Ordered lanes deliver in order and cannot redeliver one message alone: the
	// pipeline retries in place and settles in order.
	Ordered() bool
	// Read blocks for at least one message; at most max messages and about maxBytes.
	// What is settled together is read together, past max if it must be: whole entries
	// with effectively_once, and with at-most-once where these are acknowledged as a whole.
	// io.EOF: the source is finished. ErrFenced: another instance has the lane now.
	// Other errors are retried with backoff.
	Read(ctx context.Context, max int, maxBytes int64) (Batch, error)
	// Settle applies verdicts to the first len(v) messages of the batch not settled
	// yet. It returns once the broker has confirmed them, or, where the broker would
	// only deliver them again, once it was told. Ordered lanes get no Redeliver. V is
	// the caller's again afterwards. ErrFenced: another instance took the lane over.
	Settle(ctx context.Context, b Batch, v []Verdict) error
}

// Releaser is a Lane that uses the memory of a batch again: Release is called once
// nobody holds the batch, its messages, or their bytes any more, in any order and
// perhaps beside a Read. A batch may never be released.
type Releaser interface {
	Release(b Batch)
}

// ByHand is a Lane that user code can acknowledge by itself (guarantee manual).
type ByHand interface {
	// Acknowledge applies acks to messages of the lane that were settled with Keep. What
	// it does not know, or no longer, is no error. It may run beside Read and Settle.
	Acknowledge(ctx context.Context, acks []Ack) error
	// Unacknowledged is how many messages were settled with Keep and not acknowledged.
	Unacknowledged() int
}

// Result is what a function made of one input message.
type Result struct {
	Outputs []Message
	Err     error // the user's failure: counted, retried, dead-lettered; never ends the process
	// Acks, guarantee manual only, is what user code said during the call about messages
	// that it was given, in this call or an earlier one. It counts with an Err too.
	Acks []Ack
	// Done stands for the Ack that most say, that of the message itself.
	Done bool
}

// Ack is what user code says about one message, guarantee manual. Topic is the input's
// full name without its partition.
type Ack struct {
	Topic     string
	Partition int
	Position  Position
	Nack      bool // not done: hand it out again
}

// Functions makes a Function for each lane; lane is a number from 0 that no other lane
// has at the same time.
type Functions interface {
	ForLane(ctx context.Context, lane int) (Function, error)
}

// Function runs user code on a batch.
type Function interface {
	// Invoke returns one Result per message, in order. An error means that the
	// runtime itself failed (a dead worker): nothing of the batch counts as done and
	// the pipeline calls again with backoff. A call over its time or memory limit is
	// the message's Err, not an error. Results stay valid over later calls, which may
	// be for a part of the same batch. Outputs that lie one behind the other in one array,
	// their capacity open to its end, need not be copied.
	Invoke(ctx context.Context, in []Message) ([]Result, error)
	Close(ctx context.Context) error
}

// Reuser is a Function that uses the memory of results again: Reuse is called, from any
// goroutine, with a slice that Invoke returned once nobody holds it, its outputs, or
// their bytes any more. A slice may never be given back.
type Reuser interface {
	Reuse(results []Result)
}

// Replacing is a Function whose user code may end, and begin anew without what it knew.
type Replacing interface {
	// Replaced is how often it has, of all lanes that share the user code. It may be
	// called beside Invoke.
	Replaced() int64
}

// Sink takes results.
type Sink interface {
	// Write returns nil once every message is durable (confirmed by the broker,
	// synced to disk). On an error a prefix, given by n, is durable and the rest is
	// not known to be: writing the rest again may duplicate but never loses or reorders.
	// With effectively_once the prefix ends where an input entry does.
	// A *MessageError says that a message can never be written as it is: it is then
	// the failure of the input message that caused it, not of the sink.
	// Several lanes write at once: implementations lock where they must.
	Write(ctx context.Context, out []Message) (n int, err error)
	Close(ctx context.Context) error
}

// Asynchronous is a Sink that can have several writes of one lane under way.
type Asynchronous interface {
	// Sender opens the way of one lane into the sink; lane is the number of its
	// Function. The pipeline closes it when the lane ends, before the sink.
	Sender(ctx context.Context, lane int) (Sender, error)
}

// Sender writes for one lane.
type Sender interface {
	// Send takes messages over and returns without waiting for receipts; it may wait
	// for room. They, and all that they point to, are the sender's until Wait has
	// returned. What is stored is stored in the order of Sends. Once a Send has failed,
	// as far as its Wait can tell, later ones fail too and store nothing, until Resume.
	// One goroutine at a time sends.
	Send(ctx context.Context, out []Message) Pending
	// Resume takes sends again after one that failed; every Send was waited for.
	Resume()
	Close(ctx context.Context) error
}

// Pending is one Send under way.
type Pending interface {
	// Wait returns what Sink.Write would. Called once for each Send, in their order,
	// perhaps beside a later Send; then the Pending is the sender's again.
	Wait(ctx context.Context) (n int, err error)
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
