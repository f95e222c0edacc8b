package subscription

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/functionmesh/terraform-provider-functionmesh/internal/wire"
	"github.com/functionmesh/terraform-provider-functionmesh/runner/broker/pulsar/conn"
	"github.com/functionmesh/terraform-provider-functionmesh/runner/broker/pulsar/conn/pulsarpb"
	"github.com/functionmesh/terraform-provider-functionmesh/runner/broker/pulsar/entry"
)

// Ack acknowledges entries in as few commands as possible. Without a connection they
// are kept and go out first on the next one. With confirm it returns when the broker
// has answered, whatever connections that takes; without, at once, and errors are only
// those of a closed subscription.
func (h *Subscription) Ack(ctx context.Context, acks []Ack, confirm bool) error {
	if len(acks) == 0 {
		return nil
	}
	h.mu.Lock()
	if h.err != nil {
		h.mu.Unlock()
		return h.err
	}
	h.note(acks)
	s := h.session
	if s == nil && !confirm {
		h.waiting = append(h.waiting, acks...)
	}
	h.mu.Unlock()
	if confirm {
		return h.confirm(ctx, pulsarpb.Ack_INDIVIDUAL, acks)
	}
	if s != nil {
		_ = s.ack(acks) // a connection that ended has them sent again from memory
	}
	return nil
}

// note remembers what is acknowledged. Called with the lock.
func (h *Subscription) note(acks []Ack) {
	h.memory.add(acks, time.Now())
	for i := range acks {
		if acks[i].Set == nil && acks[i].ID.Compare(h.settled) > 0 {
			h.settled = acks[i].ID
		}
	}
}

// AckUpTo acknowledges an entry and all before it; not for Shared and KeyShared.
func (h *Subscription) AckUpTo(ctx context.Context, id entry.ID, confirm bool) error {
	if h.o.Mode == wire.Shared || h.o.Mode == wire.KeyShared {
		return fmt.Errorf("%s: %w", h.o.Topic, errCumulative)
	}
	upTo := []Ack{{ID: id}}
	if confirm {
		return h.confirm(ctx, pulsarpb.Ack_CUMULATIVE, upTo)
	}
	s, err := h.connected(ctx, nil)
	if err != nil {
		return err
	}
	return s.conn.Send(s.ctx, ackCommand(s.id, pulsarpb.Ack_CUMULATIVE, upTo))
}

var errCumulative = errors.New("a shared subscription acknowledges entry by entry")

// confirm sends until the broker has answered.
func (h *Subscription) confirm(ctx context.Context, kind pulsarpb.Ack_Kind, acks []Ack) error {
	var last *session
	for len(acks) > 0 {
		n := min(len(acks), idsPerFrame)
		s, err := h.connected(ctx, last)
		if err != nil {
			return err
		}
		_, err = s.request(ctx, ackCommand(s.id, kind, acks[:n]))
		var server *conn.ServerError
		switch {
		case err == nil:
			acks, last = acks[n:], nil
		case errors.As(err, &server):
			return err
		case ctx.Err() != nil:
			return ctx.Err()
		case errors.Is(err, conn.ErrSilent):
			last = nil // the connection goes on: ask again
		default:
			last = s
		}
	}
	return nil
}

// connected waits for a session that is another than the last one.
func (h *Subscription) connected(ctx context.Context, last *session) (*session, error) {
	for {
		h.mu.Lock()
		s, err, changed := h.session, h.err, h.changed
		h.mu.Unlock()
		if err != nil {
			return nil, err
		}
		if s != nil && s != last {
			return s, nil
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
}

// Redeliver asks for entries again, at once and with a higher redelivery count. Exclusive
// and Failover get all that is not acknowledged again, in order, behind what is held here
// or on its way: to drop that would put what is on its way before what was dropped.
// Without a connection nothing is to be asked: the next one brings all.
func (h *Subscription) Redeliver(ctx context.Context, ids []entry.ID) error {
	h.mu.Lock()
	s, err := h.session, h.err
	if h.single() {
		ids, h.reached = nil, entry.ID{Ledger: -1, Entry: -1}
	}
	h.mu.Unlock()
	if err != nil || s == nil {
		return err
	}
	for first := true; first || len(ids) > 0; first = false {
		n := min(len(ids), idsPerFrame)
		cmd := &pulsarpb.Redeliver{ConsumerId: &s.id}
		for _, id := range ids[:n] {
			cmd.MessageIds = append(cmd.MessageIds, messageID(id))
		}
		if s.conn.Send(s.ctx, &pulsarpb.BaseCommand{Redeliver: cmd}) != nil {
			break // the connection ended: the next one brings all
		}
		ids = ids[n:]
	}
	return ctx.Err()
}

// drop forgets what is held, because all of it comes again. Called with the lock.
func (h *Subscription) drop() {
	for _, q := range h.queue[h.head:] {
		h.flow.leave(q.messages, q.bytes)
		q.delivery.Release()
	}
	h.queue, h.head = h.queue[:0], 0
	h.wake() // Receive grants the permits that are free now
}

// LastID is the newest entry of the topic; Entry -1: it is empty.
func (h *Subscription) LastID(ctx context.Context) (entry.ID, error) {
	s, err := h.connected(ctx, nil)
	if err != nil {
		return entry.ID{}, err
	}
	last, _, err := s.lastID(ctx)
	return last, err
}

// lastID returns the newest entry and the last one before which all is acknowledged.
func (s *session) lastID(ctx context.Context) (last, mark entry.ID, err error) {
	answer, err := s.request(ctx, &pulsarpb.BaseCommand{GetLastMessageId: &pulsarpb.GetLastMessageId{ConsumerId: &s.id}})
	if err != nil {
		return entry.ID{}, entry.ID{}, err
	}
	got := answer.GetGetLastMessageIdResponse()
	mark = entry.ID{Ledger: -1, Entry: -1}
	if got.GetMarkDeletePosition() != nil {
		mark = fromMessageID(got.GetMarkDeletePosition())
	}
	return fromMessageID(got.GetLastMessageId()), mark, nil
}

// standing is lastID for the goroutine that keeps the subscription connected: it returns
// when the consumer is closed.
func (s *session) standing() (last, mark entry.ID, err error) {
	ctx, cancel := context.WithCancel(s.ctx)
	var watching sync.WaitGroup
	watching.Go(func() {
		defer cancel()
		select {
		case <-s.gone:
		case <-ctx.Done():
		}
	})
	defer watching.Wait()
	defer cancel()
	return s.lastID(ctx)
}

// Seek moves the subscription to an entry, which is delivered next. The broker closes
// all consumers for it; this one comes back by itself.
func (h *Subscription) Seek(ctx context.Context, id entry.ID) error {
	s, err := h.connected(ctx, nil)
	if err != nil {
		return err
	}
	h.mu.Lock()
	h.memory.forget()
	h.forgotten, h.waiting = nil, nil
	h.highest = entry.ID{Ledger: -1, Entry: -1}
	h.settled = h.highest
	h.mu.Unlock()
	return s.seek(ctx, &pulsarpb.Seek{MessageId: messageID(id)})
}

// Unsubscribe deletes the subscription on the broker; Close is still to be called.
func (h *Subscription) Unsubscribe(ctx context.Context) error {
	s, err := h.connected(ctx, nil)
	if err != nil {
		return err
	}
	_, err = s.conn.Request(ctx, &pulsarpb.BaseCommand{Unsubscribe: &pulsarpb.Unsubscribe{ConsumerId: &s.id}})
	return err
}
