package nats

import (
	"context"
	"errors"
	"fmt"

	natsio "github.com/nats-io/nats.go"

	"github.com/functionmesh/terraform-provider-functionmesh/runner/pipeline"
)

// sender is a lane's way into the sink. It has one connection at a time; after a failure
// it sends nothing until Resume.
type sender struct {
	sink   *Sink
	encode *encoder
	way    *way // nil: not connected

	waiting int   // Sends that were not waited for
	broken  error // since a Send failed, until Resume
}

// pending is one Send under way.
type pending struct {
	sender   *sender
	way      *way
	out      []pipeline.Message
	from, to uint64 // numbers of the messages that were published
	err      error  // why not all were
}

// Sender implements pipeline.Asynchronous.
func (s *Sink) Sender(context.Context, int) (pipeline.Sender, error) { return s.sender(), nil }

func (s *Sink) sender() *sender { return &sender{sink: s, encode: newEncoder()} }

var errBehind = errors.New("an earlier write failed")

// Send implements pipeline.Sender.
func (s *sender) Send(ctx context.Context, out []pipeline.Message) pipeline.Pending {
	p := &pending{sender: s, out: out}
	s.sink.mu.Lock()
	s.waiting++
	broken, alone := s.broken, s.waiting == 1
	s.sink.mu.Unlock()
	switch {
	case broken != nil:
		p.err = fmt.Errorf("%w: %w", pipeline.ErrUnsent, errBehind)
		return p
	case len(out) == 0:
		return p
	}
	if err := s.connect(ctx, alone); err != nil {
		p.err = fmt.Errorf("%w: %w", pipeline.ErrUnsent, err)
		s.fail(p.err)
		return p
	}
	p.way = s.way
	p.from = s.way.number()
	if p.err = s.publish(ctx, out); p.err != nil {
		s.fail(p.err)
	}
	p.to = s.way.number()
	return p
}

// connect keeps to one connection while anything is under way on it: R4, what was sent
// last over a connection that broke may be lost, and nothing may be stored before it is
// sent again.
func (s *sender) connect(ctx context.Context, alone bool) error {
	p, err := s.sink.connected(ctx)
	switch {
	case err != nil || s.way != nil && s.way.p == p:
		return err
	case !alone:
		return errBehind
	}
	if s.way, err = p.take(); err != nil {
		s.sink.leave(p)
		s.way = nil
	}
	return err
}

// publish sends until a message cannot be sent.
func (s *sender) publish(ctx context.Context, out []pipeline.Message) error {
	turn := s.sink.turn.Add(1)
	limit := s.sink.limit(s.way.p)
	for i := range out {
		m, err := s.prepare(ctx, &out[i], turn, limit)
		if err != nil {
			return err
		}
		if err := s.way.publish(ctx, m); err != nil {
			return err
		}
	}
	return nil
}

// prepare addresses and encodes a message. What can never be written is a
// *pipeline.MessageError.
func (s *sender) prepare(ctx context.Context, m *pipeline.Message, turn uint64, limit int) (*natsio.Msg, error) {
	to := s.sink.output
	if m.Topic != "" {
		var err error
		if to, err = s.sink.named.find(ctx, s.way.p.js, m.Topic); err != nil {
			return nil, unsent(err)
		}
	}
	if to == nil {
		return nil, &pipeline.MessageError{Err: errors.New("the component has no output topic and the message names none")}
	}
	msg := s.encode.encode(m)
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

func (s *sender) fail(err error) {
	s.sink.mu.Lock()
	defer s.sink.mu.Unlock()
	s.broken = err
}

// Wait implements pipeline.Pending.
func (p *pending) Wait(ctx context.Context) (int, error) {
	n, err := 0, p.err
	if p.way != nil {
		n, err = p.outcome(ctx)
	}
	if err != nil {
		p.sender.fail(err)
	}
	p.sender.waited()
	return n, err
}

// outcome waits for the broker's answers and says what a refusal means.
func (p *pending) outcome(ctx context.Context) (int, error) {
	at, err := p.way.until(ctx, p.from, p.to)
	n := int(at - p.from) //nolint:gosec // at most len(out)
	if err == nil {
		return n, p.err
	}
	refused, name := n < len(p.out), ""
	if refused {
		name = p.out[n].Topic
	}
	switch {
	case refused && tooLarge(err):
		return n, &pipeline.MessageError{Err: fmt.Errorf("%w: %w", ErrTooLarge, err)}
	case !refused || !errors.Is(err, errNoStream):
		return n, err
	case name == "":
		return n, noTopic(p.sender.sink.output.topic)
	}
	p.sender.sink.named.forget(name)
	return n, &pipeline.MessageError{Err: noTopic(name)}
}

func (s *sender) waited() {
	s.sink.mu.Lock()
	defer s.sink.mu.Unlock()
	s.waiting--
}

// Resume implements pipeline.Sender.
func (s *sender) Resume() {
	s.sink.mu.Lock()
	defer s.sink.mu.Unlock()
	if s.broken == nil {
		return
	}
	s.broken = nil
	if s.way != nil && !s.way.idle() {
		s.sink.drop(s.way.p) // what is not confirmed may still arrive on this connection
		s.way = nil
	}
}

// Close implements pipeline.Sender.
func (s *sender) Close(context.Context) error {
	s.sink.mu.Lock()
	defer s.sink.mu.Unlock()
	if s.way == nil {
		return nil
	}
	if s.way.idle() {
		s.way.p.give(s.way)
	} else {
		s.sink.drop(s.way.p)
	}
	s.way = nil
	return nil
}
