package subscription

import (
	"errors"
	"fmt"
	"time"

	"github.com/functionmesh/terraform-provider-functionmesh/internal/wire"
	"github.com/functionmesh/terraform-provider-functionmesh/runner/broker/pulsar/conn"
	"github.com/functionmesh/terraform-provider-functionmesh/runner/broker/pulsar/entry"
)

// Options say what is subscribed to and how. Client, Topic, Name and Mode are required.
type Options struct {
	Client *conn.Client
	Topic  string // full name of one partition's topic
	Name   string // of the subscription
	Mode   wire.Mode

	Earliest     bool              // where a subscription that is not there yet begins; false: behind the newest
	Reader       bool              // the broker keeps nothing of it: it begins behind After whenever it is opened
	After        entry.ID          // with Reader; Ledger -1: the oldest entry is the first
	SkipToLatest bool              // Open passes over what waits
	Compacted    bool              // only the newest message of each key
	Create       bool              // the broker may make the topic; false: a missing one is an error, or waited for
	Recreate     bool              // go on with a topic or subscription that was deleted and is made again; false: ErrGone
	Gated        bool              // Receive hands out nothing of an incarnation before Admit lets it
	Alone        bool              // no other consumer is on the subscription, so that what is passed over is noticed
	ConsumerName string            // shown by statistics; orders the consumers of a Failover
	Properties   map[string]string // shown by statistics

	QueueMessages int           // asked for ahead of Receive; 0: as many as QueueBytes allows
	QueueGrows    bool          // QueueMessages is only where it begins: doubled, within QueueBytes, whenever it holds Receive up
	QueueBytes    int64         // held ahead of Receive; one read of the broker, 5 MB, may come on top. 0: 8 MiB
	MaxUnpacked   int           // of one entry, bytes; 0: entry.DefaultMaxUnpacked
	Patience      time.Duration // how long a broker may be away before Receive returns the error; 0: for ever
	StallAfter    time.Duration // how long nothing comes to an Exclusive or an active Failover before the broker is asked whether it has something; 0: 10 s

	// Report is told what is worth a line in a log and did not end the subscription:
	// lost connections, refusals, what was passed over. It must be quick and must not
	// call the subscription. nil: nobody is.
	Report func(error)
}

// ErrClosed is returned after Close.
var ErrClosed = errors.New("subscription is closed")

// ErrGone is returned when the topic or the subscription was deleted and Recreate is
// off. A broker that makes subscriptions by itself, as most do, does not tell that one was
// deleted: then only a PassedError may.
var ErrGone = errors.New("topic or subscription was deleted")

// LostError is reported when a connection ended or the broker closed the consumer;
// the subscription goes on by itself.
type LostError struct {
	Topic string
	Err   error // nil: closed by the broker, which moves the topic
}

// Error names the topic.
func (e *LostError) Error() string {
	switch {
	case e.Err == nil:
		return fmt.Sprintf("%s: the broker closed the consumer", e.Topic)
	case errors.Is(e.Err, errAnew):
		return fmt.Sprintf("%s: %v", e.Topic, e.Err)
	}
	return fmt.Sprintf("%s: connection lost: %v", e.Topic, e.Err)
}

// Unwrap is why.
func (e *LostError) Unwrap() error { return e.Err }

// GoneError is reported when a topic or a subscription was found deleted; the
// subscription goes on with a new one where it may.
type GoneError struct {
	Topic string
	Err   error // the broker's refusal
}

// Error names the topic.
func (e *GoneError) Error() string {
	return fmt.Sprintf("%s: %v: what was in it and not read is lost: %v", e.Topic, ErrGone, e.Err)
}

// Unwrap is the broker's refusal.
func (e *GoneError) Unwrap() []error { return []error{ErrGone, e.Err} }

// PassedError is reported when the subscription is found behind entries that were held
// here and not acknowledged: it was deleted and made again, skipped, or they expired.
type PassedError struct {
	Topic string
	From  entry.ID // the first of them, or the last that was seen before
	To    entry.ID // the last one that the broker counts as acknowledged
}

// Error names the topic and what was passed over.
func (e *PassedError) Error() string {
	return fmt.Sprintf("%s: entries from %s to %s were passed over: the subscription was moved or made again", e.Topic, e.From, e.To)
}

// TerminatedError is reported when the topic was terminated and everything was read.
type TerminatedError struct{ Topic string }

// Error names the topic.
func (e *TerminatedError) Error() string {
	return e.Topic + ": the topic is terminated, nothing more will come"
}

// retryError is reported when subscribing failed and is tried again.
type retryError struct {
	topic string
	err   error
	pause time.Duration
}

func (e *retryError) Error() string {
	return fmt.Sprintf("%s: consumer not accepted, next try in %s: %v", e.topic, e.pause.Round(time.Millisecond), e.err)
}

func (e *retryError) Unwrap() error { return e.err }
