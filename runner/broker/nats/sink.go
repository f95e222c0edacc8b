package nats

import (
	"context"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"

	natsio "github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/functionmesh/terraform-provider-functionmesh/runner/pipeline"
)

// headroom is kept free in every message for the properties of a dead letter.
const headroom = 8 << 10

// Sink publishes messages and returns when JetStream has confirmed them. A broken
// connection fails the write and is replaced at the next one.
type Sink struct {
	options SinkOptions
	log     *slog.Logger
	output  *target
	named   *targets
	turn    atomic.Uint64

	mu      sync.Mutex
	conn    *publisher
	senders []*sender // of Write, that no write uses now
	closed  bool
}

// NewSink checks the options and connects to nothing. What no restart can help is a
// *pipeline.TerminalError.
func NewSink(o SinkOptions) (*Sink, error) {
	if err := checkBroker(o.Output.Broker, o.Broker); err != nil {
		return nil, err
	}
	s := &Sink{
		options: o, log: orDiscard(o.Logger),
		named: &targets{tenant: o.Tenant, namespace: o.Namespace, byName: map[string]*target{}},
	}
	if o.Output.Topic != "" {
		s.output = newTarget(o.Output.Topic, o.Output.Partitions)
	}
	return s, nil
}

// Write implements pipeline.Sink.
func (s *Sink) Write(ctx context.Context, out []pipeline.Message) (int, error) {
	if len(out) == 0 {
		return 0, nil
	}
	one := s.takeSender()
	defer s.giveSender(one)
	defer one.Resume()
	return one.Send(ctx, out).Wait(ctx)
}

// takeSender returns a sender for one write.
func (s *Sink) takeSender() *sender {
	s.mu.Lock()
	defer s.mu.Unlock()
	if n := len(s.senders); n > 0 {
		one := s.senders[n-1]
		s.senders = s.senders[:n-1]
		return one
	}
	return s.sender()
}

func (s *Sink) giveSender(one *sender) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.senders = append(s.senders, one)
}

// limit is how large an encoded message may be.
func (s *Sink) limit(p *publisher) int {
	limit := int(p.nc.MaxPayload())
	if !s.options.DeadLetter {
		limit -= min(headroom, limit/8)
	}
	return limit
}

// connected is the open connection, or a new one.
func (s *Sink) connected(ctx context.Context) (*publisher, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case s.closed:
		return nil, natsio.ErrConnectionClosed
	case s.conn != nil && s.conn.nc.IsConnected():
		return s.conn, nil
	case ctx.Err() != nil:
		return nil, context.Cause(ctx)
	}
	closed := make(chan struct{})
	nc, err := dial(s.options.Broker, s.options.Name, natsio.NoReconnect(),
		natsio.ClosedHandler(func(*natsio.Conn) { close(closed) }),
		natsio.ErrorHandler(func(_ *natsio.Conn, _ *natsio.Subscription, err error) {
			s.log.Warn("broker connection", "error", err)
		}))
	if err != nil {
		return nil, fmt.Errorf("connect to NATS at %s: %w", shown(s.options.Broker.URL), err)
	}
	js, err := jetstream.New(nc, jetstream.WithDefaultTimeout(requestTimeout))
	if err != nil {
		nc.Close()
		return nil, err
	}
	s.conn = &publisher{nc: nc, js: js, closed: closed}
	return s.conn, nil
}

// leave gives a connection up.
func (s *Sink) leave(p *publisher) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.drop(p)
}

// drop is leave with the lock held.
func (s *Sink) drop(p *publisher) {
	if s.conn == p {
		s.conn = nil
	}
	p.nc.Close()
}

// Close implements pipeline.Sink.
func (s *Sink) Close(context.Context) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.closed = true
	if s.conn != nil {
		s.conn.nc.Close()
		s.conn = nil
	}
	return nil
}
