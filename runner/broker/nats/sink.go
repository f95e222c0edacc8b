package nats

import (
	"context"
	"errors"
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

	mu     sync.Mutex
	conn   *publisher
	closed bool
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
	p, err := s.connected(ctx)
	if err != nil {
		return 0, fmt.Errorf("%w: %w", pipeline.ErrUnsent, err)
	}
	sl, err := p.free()
	if err != nil {
		s.leave(p)
		return 0, fmt.Errorf("%w: %w", pipeline.ErrUnsent, err)
	}
	w := newWrite(p, sl, len(out))
	err = s.publish(ctx, w, out)
	if w.answered == w.next {
		p.give(sl)
	} else {
		s.leave(p) // what is not confirmed may still arrive on this connection
	}
	return w.prefix, err
}

// publish sends all messages and waits. One that is refused before it is sent ends the
// write there, so that nothing after it is stored before it.
func (s *Sink) publish(ctx context.Context, w *write, out []pipeline.Message) error {
	turn := s.turn.Add(1)
	for i := range out {
		m, err := s.prepare(ctx, w.p, &out[i], turn)
		if err != nil {
			if earlier := s.finish(ctx, w, out); earlier != nil {
				return earlier
			}
			return err
		}
		if err := w.publish(ctx, m); err != nil {
			if w.failed == nil {
				return err
			}
			break
		}
	}
	return s.finish(ctx, w, out)
}

// finish waits for the broker's answers and says what a refusal means.
func (s *Sink) finish(ctx context.Context, w *write, out []pipeline.Message) error {
	err := w.finish(ctx)
	switch {
	case tooLarge(err) && w.refused == w.prefix:
		return &pipeline.MessageError{Err: fmt.Errorf("%w: %w", ErrTooLarge, err)}
	case !errors.Is(err, errNoStream):
		return err
	}
	if name := out[w.refused].Topic; name != "" {
		s.named.forget(name)
		err = noTopic(name)
		if w.refused == w.prefix {
			return &pipeline.MessageError{Err: err}
		}
		return err
	}
	return noTopic(s.output.topic)
}

// prepare addresses and encodes a message. What can never be written is a
// *pipeline.MessageError.
func (s *Sink) prepare(ctx context.Context, p *publisher, m *pipeline.Message, turn uint64) (*natsio.Msg, error) {
	to := s.output
	if m.Topic != "" {
		var err error
		if to, err = s.named.find(ctx, p.js, m.Topic); err != nil {
			return nil, unsent(err)
		}
	}
	if to == nil {
		return nil, &pipeline.MessageError{Err: errors.New("the component has no output topic and the message names none")}
	}
	msg := encode(m)
	limit := int(p.nc.MaxPayload())
	if !s.options.DeadLetter {
		limit -= min(headroom, limit/8)
	}
	if n := encodedSize(msg); n > limit {
		return nil, &pipeline.MessageError{Err: fmt.Errorf("%w for topic %s: %d bytes with properties, at most %d", ErrTooLarge, to.topic, n, limit)}
	}
	msg.Subject = to.subject(m, turn)
	return msg, nil
}

// unsent marks a failure before anything was sent.
func unsent(err error) error {
	if _, ok := errors.AsType[*pipeline.MessageError](err); ok {
		return err
	}
	return fmt.Errorf("%w: %w", pipeline.ErrUnsent, err)
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
