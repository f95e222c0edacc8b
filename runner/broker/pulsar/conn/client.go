package conn

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"

	"github.com/functionmesh/terraform-provider-functionmesh/internal/wire"
	"github.com/functionmesh/terraform-provider-functionmesh/runner/broker/pulsar/conn/pulsarpb"
)

// Client is one way to a Pulsar: a service URL and credentials. Connections to its
// brokers are shared; safe for concurrent use. A source and a sink better have a client
// each, so that neither's traffic waits for the other's.
type Client struct {
	broker  wire.Broker
	options Options
	service service
	secrets secrets
	buffers buffers

	accepted atomic.Bool // a broker took the credentials once
	trouble  trouble

	context context.Context //nolint:containedctx // of dials, which outlive who asked for them
	cancel  context.CancelFunc
	running sync.WaitGroup // dials and connections

	mu        sync.Mutex
	closed    bool
	slots     map[target]*slot
	preferred int // index of the host that answered last
}

// New checks the broker's settings and makes a client without any network call. Files
// are not read yet.
func New(broker wire.Broker, options Options) (*Client, error) {
	if err := checkBroker(broker, options); err != nil {
		return nil, err
	}
	parsed, err := parseService(broker.URL)
	if err != nil {
		return nil, err
	}
	c := &Client{
		broker: broker, options: options.defaulted(), service: parsed,
		secrets: secrets{broker: broker, other: options.Credentials}, slots: map[target]*slot{},
	}
	c.context, c.cancel = context.WithCancel(context.Background())
	return c, nil
}

// Connect finds the broker that owns a topic (one partition's full name) and returns a
// connection to it, dialled or shared. It tries all hosts of the service URL before it
// pauses, and goes on until the context ends, its patience does, or an error is terminal.
// The connection stays the client's: whoever gets it never closes it.
func (c *Client) Connect(ctx context.Context, topic string) (*Conn, error) {
	var (
		mu    sync.Mutex
		found *Conn
	)
	err := c.rounds(ctx, "topic "+topic, func(ctx context.Context, host string) error {
		conn, err := c.owner(ctx, host, topic)
		if err == nil {
			mu.Lock()
			found = conn
			mu.Unlock()
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	return found, nil
}

// Partitions tells how many partitions a topic has; 0: it is not partitioned, or does
// not exist and the broker would create it. It is as patient as Connect.
func (c *Client) Partitions(ctx context.Context, topic string) (int, error) {
	answer, err := c.Ask(ctx, "partitions of "+topic, func() *pulsarpb.BaseCommand {
		return &pulsarpb.BaseCommand{PartitionMetadata: &pulsarpb.PartitionMetadata{Topic: topic}}
	})
	if err != nil {
		return 0, err
	}
	if answer.PartitionMetadataResponse == nil {
		return 0, fmt.Errorf("partitions of %s: %w: %s", topic, ErrProtocol, answer.GetType())
	}
	return int(answer.PartitionMetadataResponse.Partitions), nil
}

// Ask puts a request that any broker can answer (topics of a namespace, a schema) to the
// hosts of the service URL, as patiently as Connect. What names it in errors; request
// makes it anew for every host.
func (c *Client) Ask(ctx context.Context, what string, request func() *pulsarpb.BaseCommand) (*pulsarpb.BaseCommand, error) {
	var (
		mu    sync.Mutex
		found *pulsarpb.BaseCommand
	)
	err := c.rounds(ctx, what, func(ctx context.Context, host string) error {
		conn, err := c.connection(ctx, target{host: host})
		if err != nil {
			return err
		}
		answer, err := conn.Request(ctx, request())
		if err == nil {
			mu.Lock()
			found = answer
			mu.Unlock()
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	return found, nil
}

// Close ends all connections and waits for their goroutines, handlers' Lost included. So
// a handler must not call it. Twice is safe.
func (c *Client) Close() error {
	c.mu.Lock()
	c.closed = true
	slots := c.slots
	c.slots = map[target]*slot{}
	c.mu.Unlock()
	c.cancel()
	for _, s := range slots {
		select {
		case <-s.ready:
			if s.conn != nil {
				s.conn.fail(ErrClosed)
			}
		default: // its dial sees that the client is closed
		}
	}
	c.running.Wait()
	return nil
}
