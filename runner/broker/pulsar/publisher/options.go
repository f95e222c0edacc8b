package publisher

import (
	"errors"
	"fmt"
	"time"

	"github.com/functionmesh/terraform-provider-functionmesh/runner/broker/pulsar/conn"
)

// Options say what is published to and how. Client and Topic are required.
type Options struct {
	Client     *conn.Client
	Topic      string // full name of one partition's topic
	Name       string // "": the broker makes one up. With deduplication it is what sequence ids belong to
	Properties map[string]string
	Exclusive  bool // no other producer may be on the topic
	// FailUnconfirmed fails what has no receipt when the connection ends, instead of
	// sending it again; the publisher goes on.
	FailUnconfirmed bool
	MaxPendingBytes int64         // sent without receipt; Send waits above. 0: 16 MiB
	MaxPending      int           // entries sent without receipt; 0: bounded by bytes only
	Patience        time.Duration // how long a broker may be away before the publisher ends; 0: for ever
	NamePatience    time.Duration // how long another producer of the same name is waited for; 0: 30 s

	// Report is told what is worth a line in a log and did not end the publisher. It must
	// not call the publisher. nil: nobody is.
	Report func(error)
}

const (
	defaultPendingBytes = 16 << 20
	defaultNamePatience = 30 * time.Second
	firstPause          = 50 * time.Millisecond
	longestPause        = time.Second
	closePatience       = 5 * time.Second
	// checksumTries is how often an entry that arrives damaged is sent.
	checksumTries = 3
)

func (o Options) withDefaults() (Options, error) {
	if o.Client == nil || o.Topic == "" {
		return o, errors.New("publisher: client and topic are required")
	}
	if o.MaxPendingBytes <= 0 {
		o.MaxPendingBytes = defaultPendingBytes
	}
	if o.NamePatience <= 0 {
		o.NamePatience = defaultNamePatience
	}
	if o.Report == nil {
		o.Report = func(error) {}
	}
	return o, nil
}

// What ends a publisher or fails a send; errors.Is finds them.
var (
	ErrClosed  = errors.New("publisher is closed")
	ErrFenced  = errors.New("another producer has taken over")
	ErrTooBig  = errors.New("entry is larger than the broker takes")
	ErrUnknown = errors.New("connection ended before the receipt: whether it was stored is not known")
)

// LostError is reported when a connection ended or the broker closed the producer; the
// publisher goes on by itself.
type LostError struct {
	Topic string
	Err   error // nil: closed by the broker, which moves the topic
	Again int   // entries without receipt, which are sent again
}

// Error names the topic.
func (e *LostError) Error() string {
	why := "the broker closed the producer"
	if e.Err != nil {
		why = fmt.Sprintf("producer lost: %v", e.Err)
	}
	return fmt.Sprintf("%s: %s; %d entries without receipt", e.Topic, why, e.Again)
}

// Unwrap is why.
func (e *LostError) Unwrap() error { return e.Err }

// retryError is reported when connecting failed and is tried again.
type retryError struct {
	topic string
	err   error
	pause time.Duration
}

func (e *retryError) Error() string {
	return fmt.Sprintf("%s: producer not accepted, next try in %s: %v", e.topic, e.pause.Round(time.Millisecond), e.err)
}

func (e *retryError) Unwrap() error { return e.err }
