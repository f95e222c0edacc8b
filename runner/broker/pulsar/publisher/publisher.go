package publisher

import (
	"context"
	"errors"
	"time"

	"github.com/functionmesh/terraform-provider-functionmesh/runner/broker/pulsar/conn"
	"github.com/functionmesh/terraform-provider-functionmesh/runner/broker/pulsar/entry"
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
	Patience        time.Duration // how long a broker may be away before what waits fails; 0: for ever
	NamePatience    time.Duration // how long another producer of the same name is waited for; 0: 30 s

	// Report is told what is worth a line in a log and did not end the publisher. nil:
	// nobody is.
	Report func(error)
}

// What ends a publisher or fails a send; errors.Is finds them.
var (
	ErrClosed  = errors.New("publisher is closed")
	ErrFenced  = errors.New("another producer has taken over")
	ErrTooBig  = errors.New("entry is larger than the broker takes")
	ErrUnknown = errors.New("connection ended before the receipt: whether it was stored is not known")
)

// Publisher is a producer that heals itself. Sends are ordered by the calls of Send, so
// several callers need an order of their own.
type Publisher struct{}

// Receipt is the answer to one Send, now or later.
type Receipt struct{}

// Done is closed when the answer is there.
func (r *Receipt) Done() <-chan struct{} { return nil }

// Wait returns where the entry is stored. repeat: the broker had its sequence id
// already and dropped it; where that is stored is not known.
func (r *Receipt) Wait(ctx context.Context) (id entry.ID, repeat bool, err error) {
	return entry.ID{}, false, errNotBuilt
}

var errNotBuilt = errors.New("not built")

// Open makes the producer known to the broker. It returns when the broker has accepted,
// or refuses for good, or ctx ends.
func Open(ctx context.Context, o Options) (*Publisher, error) { return nil, errNotBuilt }

// Name is the producer's, for entry.Header.
func (p *Publisher) Name() string { return "" }

// LastSequence is the highest sequence id that the broker had stored under the name
// when the producer last (re)connected; -1: none, or it does not deduplicate.
func (p *Publisher) LastSequence() int64 { return -1 }

// MaxMessage bounds entry.Encoded.Size.
func (p *Publisher) MaxMessage() int { return 0 }

// Send takes an entry over and queues it; it waits while too much has no receipt. The
// entry is released when its receipt is there.
func (p *Publisher) Send(ctx context.Context, e entry.Encoded) (*Receipt, error) {
	return nil, errNotBuilt
}

// Flush waits until everything sent before has its receipt. It returns the first error
// of those.
func (p *Publisher) Flush(ctx context.Context) error { return errNotBuilt }

// Err is why the publisher ended; nil while it goes on.
func (p *Publisher) Err() error { return nil }

// Close waits for receipts as long as ctx lets it, fails the rest with ErrClosed, and
// closes the producer.
func (p *Publisher) Close(ctx context.Context) error { return nil }
