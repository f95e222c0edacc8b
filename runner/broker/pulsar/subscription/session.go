//nolint:gosec // two's complement is the protocol's encoding, and permits are bounded
package subscription

import (
	"context"
	"errors"
	"net"
	"sync"

	"github.com/functionmesh/terraform-provider-functionmesh/internal/wire"
	"github.com/functionmesh/terraform-provider-functionmesh/runner/broker/pulsar/conn"
	"github.com/functionmesh/terraform-provider-functionmesh/runner/broker/pulsar/conn/pulsarpb"
	"github.com/functionmesh/terraform-provider-functionmesh/runner/broker/pulsar/entry"
)

// session is the consumer on one connection. It is told by that connection's reader.
type session struct {
	home   *Subscription
	conn   *conn.Conn
	id     uint64
	away   bool            // another consumer of a Failover is active. With the subscription's lock
	ctx    context.Context // until the session ends
	cancel context.CancelFunc

	once sync.Once
	gone chan struct{} // closed when the consumer is no more
	err  error         // why; nil: closed by the broker. Set before gone is closed
}

// held is an entry that was not handed out yet.
type held struct {
	delivery *conn.Delivery
	messages int64
	bytes    int64
	turn     uint64
}

func (s *session) end(err error) {
	s.once.Do(func() {
		s.err = err
		close(s.gone)
	})
}

// lost tells whether the connection ended, so that the broker may have died.
func (s *session) lost() bool { return s.err != nil }

// Lost takes the end of the connection.
func (s *session) Lost(err error) { s.end(err) }

// Message takes an entry in.
func (s *session) Message(d *conn.Delivery) {
	messages := entry.Count(d.Frame)
	if d.AckSet != nil {
		messages = max(1, Left(d.AckSet)) // the broker counts what is left of an entry
	}
	h := s.home
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.session != s {
		d.Release()
		return
	}
	in := held{delivery: d, messages: int64(messages), bytes: int64(len(d.Frame)), turn: h.arrived}
	h.flow.arrive(in.messages, in.bytes)
	h.queue = append(h.queue, in)
	h.arrived++
	if s.away {
		h.drop()
	} else {
		h.came, h.reached = h.came+1, idOf(d)
	}
	h.wake()
}

// Command takes what the broker says of the consumer.
func (s *session) Command(c *pulsarpb.BaseCommand) {
	h := s.home
	switch c.GetType() {
	case pulsarpb.Type_ACTIVE_CONSUMER_CHANGE:
		h.mu.Lock()
		if h.session == s || h.session == nil && s.ctx.Err() == nil {
			s.activity(c.GetActiveConsumerChange().GetActive())
		}
		h.mu.Unlock()
	case pulsarpb.Type_REACHED_END_OF_TOPIC:
		h.o.Report(&TerminatedError{Topic: h.o.Topic})
	default: // CLOSE_CONSUMER, TOPIC_MIGRATED
		s.end(nil)
	}
}

// activity takes which consumer of a Failover is active. Before a broker says that one is,
// it goes back to the first entry that is not acknowledged, and what it sent before has
// arrived. So what is held while another one is active comes again, in its place, and
// must not be handed out before it. Called with the lock.
func (s *session) activity(is bool) {
	h := s.home
	switch {
	case !is:
		s.away = true
		h.drop()
		if h.session == nil {
			h.notify() // rewind waits to be told
		}
	case s.away:
		s.away = false
		h.next()
	}
	h.setActive(is)
	h.wake() // Receive asks for what is not granted yet
}

// try looks the topic up, connects and subscribes, once.
func (h *Subscription) try(ctx context.Context, create bool) (*session, error) {
	c, err := h.o.Client.Connect(ctx, h.o.Topic)
	if err != nil {
		return nil, err
	}
	s := &session{home: h, conn: c, id: c.NextID(), gone: make(chan struct{})}
	s.ctx, s.cancel = context.WithCancel(h.life)
	if err := c.AddConsumer(s.id, s); err != nil {
		s.cancel()
		return nil, err
	}
	if _, err = c.Request(ctx, h.hello(s.id, create)); err != nil {
		s.cancel()
		c.RemoveConsumer(s.id)
		if ctx.Err() != nil || errors.Is(err, conn.ErrSilent) {
			s.close(context.WithoutCancel(ctx)) // the broker may have accepted it meanwhile
		}
		return nil, err
	}
	return s, nil
}

// hello is the SUBSCRIBE command.
func (h *Subscription) hello(id uint64, create bool) *pulsarpb.BaseCommand {
	mode, position, durable := modes[h.o.Mode], pulsarpb.Subscribe_LATEST, true
	if h.o.Earliest {
		position = pulsarpb.Subscribe_EARLIEST
	}
	cmd := &pulsarpb.Subscribe{
		Topic: h.o.Topic, Subscription: h.o.Name, Mode: &mode, ConsumerId: &id, ConsumerName: h.o.ConsumerName,
		Durable: &durable, InitialPosition: &position, ForceTopicCreation: &create, Metadata: sorted(h.o.Properties),
	}
	if h.o.Reader {
		after := h.o.After
		h.mu.Lock()
		if h.highest.Ledger >= 0 {
			after = h.highest
		}
		h.mu.Unlock()
		durable, cmd.StartMessageId = false, messageID(after)
	}
	if h.o.Compacted {
		cmd.ReadCompacted = &h.o.Compacted
	}
	if h.o.Mode == wire.KeyShared {
		cmd.KeyShared = &pulsarpb.KeyShared{Mode: pulsarpb.KeyShared_AUTO_SPLIT.Enum()}
	}
	return &pulsarpb.BaseCommand{Subscribe: cmd}
}

//nolint:gochecknoglobals // a table
var modes = map[wire.Mode]pulsarpb.Subscribe_Mode{
	wire.Exclusive: pulsarpb.Subscribe_EXCLUSIVE,
	wire.Shared:    pulsarpb.Subscribe_SHARED,
	wire.Failover:  pulsarpb.Subscribe_FAILOVER,
	wire.KeyShared: pulsarpb.Subscribe_KEY_SHARED,
}

// send asks for entries.
func (s *session) send(permits int64) {
	if permits <= 0 {
		return
	}
	n := uint32(permits)
	_ = s.conn.Send(s.ctx, &pulsarpb.BaseCommand{Flow: &pulsarpb.Flow{ConsumerId: &s.id, Permits: &n}})
}

// ack sends acknowledgements that ask for no answer. An error means that the connection
// ended, which its handler is told too.
func (s *session) ack(acks []Ack) error {
	for len(acks) > 0 {
		n := min(len(acks), idsPerFrame)
		if err := s.conn.Write(s.ctx, net.Buffers{ackFrame(s.id, acks[:n])}); err != nil {
			return err
		}
		acks = acks[n:]
	}
	return nil
}

// request is a request of this session: it fails when the consumer is closed, because a
// broker answers nothing for a consumer that it has closed.
func (s *session) request(ctx context.Context, cmd *pulsarpb.BaseCommand) (*pulsarpb.BaseCommand, error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	stop := context.AfterFunc(s.ctx, cancel)
	defer stop()
	return s.conn.Request(ctx, cmd)
}

// close tells the broker that the consumer is no more.
func (s *session) close(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, closePatience)
	defer cancel()
	_, _ = s.conn.Request(ctx, &pulsarpb.BaseCommand{CloseConsumer: &pulsarpb.CloseConsumer{ConsumerId: &s.id}})
	s.conn.RemoveConsumer(s.id)
	s.cancel()
}
