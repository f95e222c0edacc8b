package conn

import (
	"context"
	"fmt"
	"net"
	"sync"
	"sync/atomic"
	"time"

	"github.com/functionmesh/terraform-provider-functionmesh/runner/broker/pulsar/conn/pulsarpb"
)

// Conn is a connection to one broker, shared by all of a client that talk to it. Safe
// for concurrent use. Three goroutines belong to it, and the client waits for them: one
// reads and calls handlers, one writes, one keeps it alive.
type Conn struct {
	client     *Client
	broker     string
	network    net.Conn
	frames     frameReader // of the handshake, then of the reading goroutine
	maxMessage int
	writes     writer

	ids      atomic.Uint64 // of consumers and producers
	requests atomic.Uint64
	beat     atomic.Uint64 // grows with whatever comes; odd while a frame is handled

	mu        sync.Mutex
	waiting   map[uint64]chan *pulsarpb.BaseCommand
	consumers map[uint64]ConsumerHandler
	producers map[uint64]ProducerHandler
	err       error // why it ends

	ending chan struct{} // closed by the first failure
	done   chan struct{} // closed when all goroutines have ended
}

func newConn(client *Client, broker string, network net.Conn) *Conn {
	c := &Conn{
		client: client, broker: broker, network: network,
		waiting:   map[uint64]chan *pulsarpb.BaseCommand{},
		consumers: map[uint64]ConsumerHandler{},
		producers: map[uint64]ProducerHandler{},
		ending:    make(chan struct{}), done: make(chan struct{}),
	}
	c.writes.init()
	return c
}

// start runs the goroutines; finish ends when they have.
func (c *Conn) start() {
	var all sync.WaitGroup
	all.Go(func() { c.fail(c.read()) })
	all.Go(func() { c.fail(c.writes.run(c.network, c.ending)) })
	all.Go(c.keepAlive)
	c.client.running.Go(func() {
		all.Wait()
		c.finish()
	})
}

// fail ends the connection; the first reason stays.
func (c *Conn) fail(err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.err != nil {
		return
	}
	c.err = fmt.Errorf("connection to broker %s: %w", c.broker, err)
	close(c.ending)
	_ = c.network.Close()
}

// finish tells everybody who is left.
func (c *Conn) finish() {
	c.mu.Lock()
	consumers, producers := c.consumers, c.producers
	c.consumers, c.producers = nil, nil
	c.mu.Unlock()
	close(c.done)
	for _, h := range consumers {
		h.Lost(c.err)
	}
	for _, h := range producers {
		h.Lost(c.err)
	}
}

// ended says whether the connection is of no use any more.
func (c *Conn) ended() bool {
	select {
	case <-c.ending:
		return true
	default:
		return false
	}
}

// Done is closed when the connection has ended and none of its goroutines runs any more,
// so that no frame is being written. Handlers hear of it right after.
func (c *Conn) Done() <-chan struct{} { return c.done }

// Err says why the connection ends or ended; nil while it works.
func (c *Conn) Err() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.err
}

// MaxMessage is the largest entry the broker takes, metadata and payload, in bytes.
func (c *Conn) MaxMessage() int { return c.maxMessage }

// Broker is the address of the broker, host:port, as the look-up named it.
func (c *Conn) Broker() string { return c.broker }

// NextID returns an id for a consumer or producer, never zero and never used before on
// this connection.
func (c *Conn) NextID() uint64 { return c.ids.Add(1) }

// AddConsumer makes a handler known, before SUBSCRIBE is sent. On a connection that has
// ended it fails with the reason, and the handler is never called.
func (c *Conn) AddConsumer(id uint64, h ConsumerHandler) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.err != nil {
		return c.err
	}
	c.consumers[id] = h
	return nil
}

// RemoveConsumer forgets a handler: no call of it begins after this returned, though one
// may still be under way.
func (c *Conn) RemoveConsumer(id uint64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	delete(c.consumers, id)
}

// AddProducer is AddConsumer for a producer, before PRODUCER is sent.
func (c *Conn) AddProducer(id uint64, h ProducerHandler) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.err != nil {
		return c.err
	}
	c.producers[id] = h
	return nil
}

// RemoveProducer is RemoveConsumer for a producer.
func (c *Conn) RemoveProducer(id uint64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	delete(c.producers, id)
}

// Request sends a command with a request id of its own and returns the answer. Type and
// request id are set here. A refusal is a *ServerError; the connection's end is its Err.
// When the context ends first the answer is dropped: whether the broker acted on the
// command is then not known.
func (c *Conn) Request(ctx context.Context, cmd *pulsarpb.BaseCommand) (*pulsarpb.BaseCommand, error) {
	id := c.requests.Add(1)
	if !setRequestID(cmd, id) {
		return nil, fmt.Errorf("%w: a command without an answer", ErrProtocol)
	}
	ctx, cancel := context.WithTimeoutCause(ctx, c.client.options.RequestTimeout, ErrSilent)
	defer cancel()
	answer, err := c.wait(id)
	if err != nil {
		return nil, err
	}
	defer c.forget(id)
	if err := c.Send(ctx, cmd); err != nil {
		return nil, err
	}
	select {
	case a := <-answer:
		return c.judge(a, cmd)
	case <-c.done:
		return c.late(answer, cmd)
	case <-ctx.Done():
		return nil, fmt.Errorf("%s at broker %s: %w", cmd.GetType(), c.broker, context.Cause(ctx))
	}
}

// late takes an answer that came right before the connection's end.
func (c *Conn) late(answer <-chan *pulsarpb.BaseCommand, cmd *pulsarpb.BaseCommand) (*pulsarpb.BaseCommand, error) {
	select {
	case a := <-answer:
		return c.judge(a, cmd)
	default:
		return nil, c.Err()
	}
}

func (c *Conn) judge(answer, cmd *pulsarpb.BaseCommand) (*pulsarpb.BaseCommand, error) {
	if e := refusal(answer); e != nil {
		e.accepted = true
		return nil, refusedBy(e, c.broker, cmd)
	}
	return answer, nil
}

func (c *Conn) wait(id uint64) (<-chan *pulsarpb.BaseCommand, error) {
	answer := make(chan *pulsarpb.BaseCommand, 1)
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.err != nil {
		return nil, c.err
	}
	c.waiting[id] = answer
	return answer, nil
}

func (c *Conn) forget(id uint64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	delete(c.waiting, id)
}

// Send queues a command that has no answer (FLOW, ACK, REDELIVER…). Type is set here.
func (c *Conn) Send(ctx context.Context, cmd *pulsarpb.BaseCommand) error {
	frame, err := encodeCommand(cmd)
	if err != nil {
		return err
	}
	return c.Write(ctx, net.Buffers{frame})
}

// Write queues whole frames, in order with everything else that is written; frames of
// several callers go out in one system call. It blocks while much is queued, and a
// context that ends then has queued nothing. The memory must not change until the
// broker has answered the frame or Done is closed; the slice of slices may.
func (c *Conn) Write(ctx context.Context, frames net.Buffers) error {
	if err := c.writes.put(ctx, c.ending, frames); err != nil {
		if e := c.Err(); e != nil {
			return e
		}
		return err
	}
	return nil
}

// keepAlive sends a PING when nothing came for a period, and another after a second one.
// When none is answered by the end of a third the broker is gone, unless it is our own
// handler that holds the reader up.
func (c *Conn) keepAlive() {
	period := c.client.options.KeepAlive
	ticker := time.NewTicker(max(period/2, 1))
	defer ticker.Stop()
	frame, err := encodeCommand(&pulsarpb.BaseCommand{Ping: &pulsarpb.Ping{}})
	if err != nil {
		c.fail(err)
		return
	}
	last, since, pings := c.beat.Load(), time.Now(), 0
	for {
		select {
		case <-c.ending:
			return
		case <-ticker.C:
		}
		now, beat := time.Now(), c.beat.Load()
		switch {
		case beat != last || beat%2 == 1:
			last, since, pings = beat, now, 0
		case now.Sub(since) < period:
		case pings == mostPings:
			c.fail(fmt.Errorf("%w to %d PINGs, one every %s", ErrFrozen, pings, period))
			return
		default:
			since = now
			pings++
			c.writes.force(frame)
		}
	}
}

// mostPings is how many may stay without an answer.
const mostPings = 2
