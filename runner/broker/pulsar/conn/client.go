package conn

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"time"

	"github.com/functionmesh/terraform-provider-functionmesh/internal/wire"
	"github.com/functionmesh/terraform-provider-functionmesh/runner/broker/pulsar/conn/pulsarpb"
)

// Options tune a Client; every zero is a default.
type Options struct {
	Logger         *slog.Logger  // nil: discarded
	KeepAlive      time.Duration // silence after which a PING is sent, and once more after which the connection is dead; 0: 30 s
	DialTimeout    time.Duration // of one connection with its handshakes; 0: 10 s
	RequestTimeout time.Duration // of one answer, where the context has no earlier deadline; 0: 30 s
	Patience       time.Duration // how long Connect and Partitions go on over brokers that do not answer; 0: 2 min
}

// Client is one way to a Pulsar: a service URL and credentials. Connections to its
// brokers are shared; safe for concurrent use.
type Client struct {
	broker  wire.Broker
	options Options
}

var errNotBuilt = errors.New("not built")

// New checks the broker's settings and makes a client without any network call.
func New(broker wire.Broker, options Options) (*Client, error) {
	return &Client{broker: broker, options: options}, nil
}

// Connect finds the broker that owns a topic (one partition's full name) and returns a
// connection to it, dialled or shared. It tries all hosts of the service URL before it
// pauses, and goes on until the context ends, its patience does, or an error is terminal.
// The connection stays the client's: whoever gets it never closes it.
func (c *Client) Connect(ctx context.Context, topic string) (*Conn, error) {
	return nil, errNotBuilt
}

// Partitions tells how many partitions a topic has; 0: it is not partitioned.
func (c *Client) Partitions(ctx context.Context, topic string) (int, error) {
	return 0, errNotBuilt
}

// Close ends all connections and waits for their goroutines.
func (c *Client) Close() error { return nil }

// Conn is a connection to one broker.
type Conn struct{}

// NextID returns an id for a consumer or producer, never zero and never used before on
// this connection.
func (c *Conn) NextID() uint64 { return 0 }

// AddConsumer makes a handler known, before SUBSCRIBE is sent. On a connection that has
// ended it fails with the reason.
func (c *Conn) AddConsumer(id uint64, h ConsumerHandler) error { return errNotBuilt }

// RemoveConsumer forgets a handler: no call of it begins after this returns. A call that
// runs meanwhile ends first, but for one that is the caller itself.
func (c *Conn) RemoveConsumer(id uint64) {}

// AddProducer is AddConsumer for a producer, before PRODUCER is sent.
func (c *Conn) AddProducer(id uint64, h ProducerHandler) error { return errNotBuilt }

// RemoveProducer is RemoveConsumer for a producer.
func (c *Conn) RemoveProducer(id uint64) {}

// Request sends a command with a request id of its own and returns the answer. Type and
// request id are set here. A refusal is a *ServerError; the connection's end is its Err.
// When the context ends first the answer is dropped: whether the broker acted on the
// command is then not known.
func (c *Conn) Request(ctx context.Context, cmd *pulsarpb.BaseCommand) (*pulsarpb.BaseCommand, error) {
	return nil, errNotBuilt
}

// Send queues a command that has no answer (FLOW, ACK, REDELIVER…). Type is set here.
func (c *Conn) Send(ctx context.Context, cmd *pulsarpb.BaseCommand) error { return errNotBuilt }

// Write queues whole frames, in order with everything else that is written; frames of
// several callers go out in one system call. It blocks while much is queued. The memory
// must not change until the broker has answered the frame or Done is closed.
func (c *Conn) Write(ctx context.Context, frames net.Buffers) error { return errNotBuilt }

// Done is closed when the connection has ended and none of its goroutines runs any more.
func (c *Conn) Done() <-chan struct{} { return nil }

// Err says why the connection ended; nil before Done.
func (c *Conn) Err() error { return nil }

// MaxMessage is the largest entry the broker takes, metadata and payload, in bytes.
func (c *Conn) MaxMessage() int { return 0 }

// Broker is the address of the broker, host:port, as the look-up named it.
func (c *Conn) Broker() string { return "" }
