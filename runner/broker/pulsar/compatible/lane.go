package compatible

import (
	"context"
	"errors"
	"fmt"
	"math"
	"sync"
	"time"

	pulsario "github.com/apache/pulsar-client-go/pulsar"

	"github.com/functionmesh/terraform-provider-functionmesh/internal/wire"
	"github.com/functionmesh/terraform-provider-functionmesh/runner/pipeline"
)

// defaultNackDelay is before a message comes again that user code refused by hand, where
// the subscription says nothing: Pulsar's own default.
const defaultNackDelay = time.Minute

// lane reads one partition. Messages of one entry are acknowledged and delivered again
// together, so entries in which messages failed are told apart here.
type lane struct {
	*station
	ordered   bool
	nackDelay time.Duration
	reads     *sync.Mutex

	mine  context.Context //nolint:containedctx // ends when another instance has the partition
	fence context.CancelFunc

	// Of the reading goroutine.
	held    *pulsario.ConsumerMessage // read, and too much for the batch before
	current place                     // of the message handed out last

	mu      sync.Mutex
	entries map[place]*progress
	settled memory
}

// batch is what the lane knows of a pipeline.Batch.
type batch struct {
	lane     *lane
	from     *session
	messages []pulsario.Message
	settled  int
}

func newLane(ctx context.Context, st *station, reads *sync.Mutex) *lane {
	o := &st.source.options
	l := &lane{
		station: st, reads: reads, entries: map[place]*progress{},
		ordered:   o.Source.Subscription.Mode != wire.Shared,
		nackDelay: time.Duration(o.Source.Subscription.NackDelayMs) * time.Millisecond,
	}
	l.mine, l.fence = context.WithCancel(ctx)
	return l
}

// Name implements pipeline.Lane.
func (l *lane) Name() string { return l.topic }

// Ordered implements pipeline.Lane.
func (l *lane) Ordered() bool { return l.ordered }

// Read implements pipeline.Lane.
func (l *lane) Read(ctx context.Context, most int, maxBytes int64) (pipeline.Batch, error) {
	l.reads.Lock()
	defer l.reads.Unlock()
	token := &batch{lane: l}
	out := pipeline.Batch{Token: token}
	var bytes int64
	for len(out.Messages) < most || l.within() {
		m, err := l.next(ctx, len(out.Messages) == 0)
		if err != nil {
			return pipeline.Batch{}, err
		}
		if m == nil {
			break
		}
		// R4: what lies behind a message that cannot be opened is not handed out before it.
		if err := l.refusal(); err != nil {
			return pipeline.Batch{}, err
		}
		token.from = l.present() // the reader alone puts another in its place, before a batch
		message := l.message(m.Message)
		bytes += message.Size()
		full := len(out.Messages) >= most || bytes > maxBytes
		if full && len(out.Messages) > 0 && l.cuts(m.Message) {
			l.held = m
			break
		}
		if !l.take(m.Message) {
			bytes -= message.Size()
			continue
		}
		out.Messages = append(out.Messages, message)
		token.messages = append(token.messages, m.Message)
	}
	return out, nil
}

// cuts says that a batch may end before a message.
func (l *lane) cuts(m pulsario.Message) bool { return !l.once() || placeOf(m) != l.current }

// within says that more is to come of the entry that was read last. R7: with at-most-once
// it is acknowledged as a whole, and nothing may be left of it to read.
func (l *lane) within() bool {
	if !l.once() {
		return false
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	p := l.entries[l.current]
	return p != nil && !p.last
}

// pass goes on to another entry: of the one before nothing follows. Its last messages may
// never come where the broker knows that they are acknowledged.
func (l *lane) pass(at place) {
	if at == l.current {
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if p := l.entries[l.current]; p != nil && !p.waiting {
		p.last = true
		l.complete(l.current, p)
	}
	l.current = at
}

// take notes that a message is handed out; one that was settled before, or that user code
// has kept, is not.
func (l *lane) take(m pulsario.Message) bool {
	at := placeOf(m)
	l.pass(at)
	l.mu.Lock()
	defer l.mu.Unlock()
	p := l.entries[at]
	if p == nil {
		if l.once() && l.settled.has(at) {
			l.again(m)
			return false
		}
		p = &progress{highest: -1}
		l.entries[at] = p
	}
	repeated := p.repeated(m, l.once())
	p.arrive(m)
	if p.kept[index(m)] != nil {
		p.kept[index(m)] = m // R1: user code acknowledges it, from here on as it came last
		return false
	}
	if repeated {
		l.again(m)
		l.complete(at, p)
		return false
	}
	p.out++
	return true
}

// again acknowledges what was settled before. On an error it comes once more, and ends
// here once more.
func (l *lane) again(m pulsario.Message) { _ = l.present().consumer.AckID(m.ID()) }

func (l *lane) message(m pulsario.Message) pipeline.Message { return messageOf(m, l.of, l.partition) }

// messageOf is a message of one partition of a topic.
func messageOf(m pulsario.Message, of topic, partition int) pipeline.Message {
	id := m.ID()
	out := pipeline.Message{
		Topic: of.name, Partition: partition, Unpartitioned: of.partitions == 0,
		Value: m.Payload(), PublishTime: m.PublishTime().UnixMilli(), Schema: m.SchemaVersion(),
		Position:   pipeline.Position{Ledger: id.LedgerID(), Entry: id.EntryID()},
		Redelivery: int32(min(m.RedeliveryCount(), math.MaxInt32)),
	}
	if id.BatchSize() > 1 {
		out.Position.Index, out.Position.Count = id.BatchIdx(), id.BatchSize()
	}
	if m.Key() != "" {
		out.Key = []byte(m.Key())
	}
	if len(m.Properties()) > 0 {
		out.Properties = m.Properties()
	}
	if t := m.EventTime(); !t.IsZero() && t.UnixMilli() > 0 {
		out.EventTime = t.UnixMilli()
	}
	switch {
	case m.IsNullValue():
		out.Value = nil
	case out.Value == nil:
		out.Value = []byte{}
	}
	return out
}

// Settle implements pipeline.Lane. What is acknowledged without confirmation and lost
// comes again, so only at-most-once waits for the broker.
func (l *lane) Settle(_ context.Context, b pipeline.Batch, v []pipeline.Verdict) error {
	token, ok := b.Token.(*batch)
	if !ok || token.lane != l || len(v) > len(token.messages)-token.settled {
		return fmt.Errorf("settle %s: not a batch of this lane", l.topic)
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.once() {
		if err := l.claim(token, len(v)); err != nil {
			return fmt.Errorf("acknowledge %s: %w", l.topic, err)
		}
	}
	for i := range v {
		m := token.messages[token.settled]
		if err := l.settle(m, v[i]); err != nil {
			return fmt.Errorf("acknowledge %s: %w", l.topic, err)
		}
		token.settled++
	}
	return nil
}

func (l *lane) settle(m pulsario.Message, v pipeline.Verdict) error {
	at := placeOf(m)
	p := l.entries[at]
	if p == nil {
		return nil // dropped: it comes again
	}
	switch {
	case v.Keep:
		p.keep(m)
		return nil
	case v.Redeliver:
		p.refuse(m, l.delay(v.Delay))
	default:
		if !p.acked {
			// R1: what the message caused is confirmed by now.
			if err := l.present().consumer.AckID(m.ID()); err != nil {
				return err
			}
		}
		p.finish(m)
	}
	l.complete(at, p)
	return nil
}

// delay is the pause before a redelivery: the subscription's own, if it has one.
func (l *lane) delay(growing time.Duration) time.Duration {
	if l.nackDelay > 0 {
		return l.nackDelay
	}
	return growing
}

// complete ends an entry of which everything is settled. What failed is asked for only
// now: the broker delivers the entry whole.
func (l *lane) complete(at place, p *progress) {
	if p.open() {
		return
	}
	if p.undone == nil {
		delete(l.entries, at)
		if l.once() {
			l.settled.add(at)
		}
		return
	}
	l.present().consumer.Nack(delayed{p.undone, milliseconds(p.delay)})
	p.undone, p.delay = nil, 0
	p.waiting = true
	forgetWaiting(l.entries)
}

func milliseconds(d time.Duration) uint32 {
	return uint32(min(max(d.Milliseconds(), 0), math.MaxUint32))
}

// claim acknowledges whole entries, with confirmation, before any message of them is
// used. One that came over a connection that has ended may be somebody else's by now.
func (l *lane) claim(token *batch, n int) error {
	if l.mine.Err() != nil {
		return pipeline.ErrFenced
	}
	var ids []pulsario.MessageID
	claimed := map[place]bool{}
	for _, m := range token.messages[token.settled : token.settled+n] {
		at := placeOf(m)
		if p := l.entries[at]; p != nil && !p.acked && !claimed[at] {
			claimed[at] = true
			ids = append(ids, wholeEntry(m.ID()))
		}
	}
	if len(ids) == 0 {
		return nil
	}
	err := errStale
	if !token.from.ended() {
		// R2: confirmed before user code sees any of it.
		err = token.from.consumer.AckIDList(ids)
	}
	if err == nil {
		for at := range claimed {
			l.entries[at].acked = true
		}
		return nil
	}
	// Whether it is acknowledged is not known. If not, it comes again, so (R4) what lies
	// behind it must not be taken from the same session.
	token.from.end()
	for at := range claimed {
		delete(l.entries, at)
	}
	return err
}

// wholeEntry is the id that stands for all messages of a batch.
func wholeEntry(id pulsario.MessageID) pulsario.MessageID {
	if id.BatchSize() <= 1 {
		return id // of a chunked message it knows all chunks
	}
	return pulsario.NewMessageID(id.LedgerID(), id.EntryID(), -1, id.PartitionIdx())
}

// Acknowledge implements pipeline.ByHand.
func (l *lane) Acknowledge(_ context.Context, acks []pipeline.Ack) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	var err error
	for i := range acks {
		a := &acks[i]
		if a.Topic != l.of.name || a.Partition != l.partition {
			continue
		}
		at := place{a.Position.Ledger, a.Position.Entry}
		p := l.entries[at]
		if p == nil {
			continue
		}
		m := p.release(a.Position.Index)
		if m == nil {
			continue
		}
		v := pipeline.Verdict{Redeliver: a.Nack, Delay: defaultNackDelay}
		if failed := l.settle(m, v); failed != nil {
			p.keep(m) // to be acknowledged again
			err = errors.Join(err, failed)
		}
	}
	return err
}

// Unacknowledged implements pipeline.ByHand.
func (l *lane) Unacknowledged() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	n := 0
	for _, p := range l.entries {
		n += len(p.kept)
	}
	return n
}
