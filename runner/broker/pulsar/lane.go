package pulsar

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/functionmesh/terraform-provider-functionmesh/runner/broker/pulsar/entry"
	"github.com/functionmesh/terraform-provider-functionmesh/runner/broker/pulsar/subscription"
	"github.com/functionmesh/terraform-provider-functionmesh/runner/pipeline"
)

// asksKept bounds what is remembered of entries that were asked for again and may have
// gone to another consumer.
const asksKept = 1 << 14

// consumer is the subscription of one partition.
type consumer interface {
	Receive(ctx context.Context) (*subscription.Delivery, error)
	TryReceive() (*subscription.Delivery, error)
	Ack(ctx context.Context, acks []subscription.Ack, confirm bool) error
	Claim(ctx context.Context, incarnation uint64, acks []subscription.Ack) error
	Redeliver(ctx context.Context, ids []entry.ID) error
}

// laneOptions are what a lane is told by its source.
type laneOptions struct {
	place
	name      string
	ordered   bool
	once      bool // at most once
	exact     bool // effectively once
	nackDelay time.Duration
	restart   func(incarnation uint64) // has the subscription begin anew
	report    func(error)
	malformed func(defect string, entries int)
	reads     *sync.Mutex // held while reading: one lane after the other reads a subscription
}

// lane reads one partition. Entries in which messages failed are told apart here,
// whether or not the broker keeps sets of acknowledged messages.
type lane struct {
	laneOptions
	sub   consumer
	later *later

	mine    context.Context // ends when another instance has the partition
	fence   context.CancelFunc
	crashed atomic.Bool  // the broker was lost, not closed: it may have forgotten acknowledgements
	closed  atomic.Int64 // when it was, or when it closed the consumer: nanoseconds

	// Of the one goroutine that reads.
	current     *opened
	message     entry.Message
	incarnation uint64
	order       order
	notes       []subscription.Ack // entries to acknowledge that are not handed out

	mu      sync.Mutex
	entries map[entry.ID]*progress
	asks    int
	settled memory
	lately  memory // with at most once: what was settled in the last seconds
	spare   spare
}

var _ pipeline.ByHand = (*lane)(nil)

func newLane(ctx context.Context, sub consumer, o laneOptions) *lane {
	l := &lane{laneOptions: o, sub: sub, entries: map[entry.ID]*progress{}, settled: memory{age: memoryAge}, lately: memory{age: latelyAge}}
	l.mine, l.fence = context.WithCancel(ctx)
	l.later = newLater(l.askAgain)
	return l
}

// Name implements pipeline.Lane.
func (l *lane) Name() string { return l.name }

// Ordered implements pipeline.Lane.
func (l *lane) Ordered() bool { return l.ordered }

// Settle implements pipeline.Lane. What is acknowledged without confirmation and lost
// comes again and is recognised, so only at-most-once waits for the broker.
func (l *lane) Settle(ctx context.Context, b pipeline.Batch, v []pipeline.Verdict) error {
	token, ok := b.Token.(*batch)
	if !ok || token.lane != l || len(v) > token.open() {
		return fmt.Errorf("settle %s: not a batch of this lane", l.name)
	}
	if l.once {
		return l.settleFirst(ctx, token, v)
	}
	l.mu.Lock()
	acks := l.apply(token, v)
	l.mu.Unlock()
	if len(acks) == 0 {
		return nil
	}
	// R1: what these entries caused is confirmed by now.
	return l.acknowledge(ctx, acks)
}

// apply takes verdicts in and returns what the broker is to be told.
func (l *lane) apply(token *batch, v []pipeline.Verdict) []subscription.Ack {
	acks := token.acks[:0]
	for len(v) > 0 {
		part := &token.parts[token.part]
		n := min(len(v), part.count-token.within)
		if part.progress.left > 0 { // else it was dropped
			l.verdicts(token, part.progress, v[:n])
			switch p := part.progress; {
			case p.left == 0:
				acks = l.finish(acks, p)
			case p.batched && !l.exact && !p.acked:
				acks = p.partly(acks, token.messages[token.settled:token.settled+n], v)
			}
		}
		token.advance(n)
		v = v[n:]
	}
	token.acks = acks
	return acks
}

// verdicts applies them to messages of one entry.
func (l *lane) verdicts(token *batch, p *progress, v []pipeline.Verdict) {
	for i := range v {
		if !v[i].Redeliver && !v[i].Keep {
			p.left--
			continue
		}
		index := int(token.messages[token.settled+i].Position.Index)
		switch {
		case v[i].Keep:
			p.keep(index)
		default:
			p.settle(index, true, l.delay(v[i].Delay))
		}
	}
}

// delay is the pause before a redelivery: the subscription's own, if it has one.
func (l *lane) delay(growing time.Duration) time.Duration {
	if l.nackDelay > 0 {
		return l.nackDelay
	}
	return growing
}

// finish is for an entry of which every message is settled.
func (l *lane) finish(acks []subscription.Ack, p *progress) []subscription.Ack {
	if ack, some := p.ack(); some {
		acks = append(acks, ack)
	}
	if p.undone == nil {
		l.done(p)
		return acks
	}
	p.wait()
	l.later.add(p.id, time.Now().Add(p.delay))
	return acks
}

// done forgets an entry that is settled, but for its place.
func (l *lane) done(p *progress) {
	delete(l.entries, p.id)
	l.settled.add(p.id, time.Now())
	p.closed = true
}

func (l *lane) acknowledge(ctx context.Context, acks []subscription.Ack) error {
	if err := l.sub.Ack(ctx, acks, false); err != nil {
		return fmt.Errorf("acknowledge %s: %w", l.name, classed(err))
	}
	return nil
}

// settleFirst acknowledges whole entries before any message of them is used.
func (l *lane) settleFirst(ctx context.Context, token *batch, v []pipeline.Verdict) error {
	if l.mine.Err() != nil {
		return fmt.Errorf("settle %s: %w", l.name, pipeline.ErrFenced)
	}
	acks, incarnation, err := l.claims(token, len(v))
	if err == nil && len(acks) > 0 {
		// R2: confirmed before user code sees any of it, over the connection that brought
		// it: what came over another may be somebody else's by now.
		if err = l.sub.Claim(ctx, incarnation, acks); err != nil {
			err = fmt.Errorf("acknowledge %s: %w", l.name, classed(err))
		}
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if err != nil {
		l.drop(token)
		return err
	}
	now := time.Now()
	for _, a := range acks {
		l.settled.add(a.ID, now)
		l.lately.add(a.ID, now)
	}
	for _, part := range token.parts[token.part:] {
		part.progress.acked = part.progress.acked || contains(acks, part.progress.id)
	}
	l.apply(token, v)
	return nil
}

func contains(acks []subscription.Ack, id entry.ID) bool {
	for i := range acks {
		if acks[i].ID == id {
			return true
		}
	}
	return false
}

// claims are the entries of the next n messages not acknowledged yet, and the one
// connection that brought them.
func (l *lane) claims(token *batch, n int) (acks []subscription.Ack, incarnation uint64, err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	acks = token.acks[:0]
	within := token.within
	for i := token.part; n > 0; i++ {
		part := &token.parts[i]
		n -= part.count - within
		within = 0
		if part.progress.acked {
			continue
		}
		if len(acks) > 0 && part.progress.incarnation != incarnation {
			return nil, 0, fmt.Errorf("acknowledge %s: %w", l.name, errOld)
		}
		incarnation = part.progress.incarnation
		acks = append(acks, subscription.Ack{ID: part.progress.id})
	}
	token.acks = acks
	return acks, incarnation, nil
}

// drop forgets what of a batch is not acknowledged: it comes again.
func (l *lane) drop(token *batch) {
	for _, part := range token.parts[token.part:] {
		if !part.progress.acked {
			part.progress.left = 0
			delete(l.entries, part.progress.id)
		}
	}
}

// Acknowledge implements pipeline.ByHand.
func (l *lane) Acknowledge(ctx context.Context, said []pipeline.Ack) error {
	acks := l.byHand(said)
	if len(acks) == 0 {
		return nil
	}
	return l.acknowledge(ctx, acks)
}

// Unacknowledged implements pipeline.ByHand.
func (l *lane) Unacknowledged() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	n := 0
	for _, p := range l.entries {
		n += subscription.Left(p.kept)
	}
	return n
}

func (l *lane) byHand(said []pipeline.Ack) []subscription.Ack {
	l.mu.Lock()
	defer l.mu.Unlock()
	var acks []subscription.Ack
	var begun []*progress
	var last *progress // of the message before: most are of one entry
	for i := range said {
		p := l.acknowledged(&said[i], last)
		if p != nil {
			last = p
		}
		switch {
		case p == nil:
		case p.left == 0:
			acks = l.finish(acks, p)
		case p.batched && !slices.Contains(begun, p):
			begun = append(begun, p)
		}
	}
	for _, p := range begun {
		if p.left > 0 && p.done != nil { // else it is among them as a whole, or only refused
			acks = append(acks, p.open())
		}
	}
	return acks
}

// acknowledged takes in what user code said of one message and returns its entry, which
// may be last; nil when that is not open here, or it said so before.
func (l *lane) acknowledged(a *pipeline.Ack, last *progress) *progress {
	if a.Topic != l.topic || a.Partition != l.partition {
		return nil
	}
	id, p := (entry.ID{Ledger: a.Position.Ledger, Entry: a.Position.Entry}), last
	if last == nil || last.id != id || last.closed {
		p = l.entries[id]
	}
	index := int(a.Position.Index)
	if p == nil || p.phase != working || !p.acknowledge(index, a.Nack, l.delay(defaultNackDelay)) {
		return nil
	}
	if p.batched && !a.Nack {
		p.done = withBit(p.done, index, p.count)
	}
	return p
}

// defaultNackDelay is before a message comes again that user code refused by hand, where
// the subscription says nothing: Pulsar's own default.
const defaultNackDelay = time.Minute

// askAgain has entries delivered again whose delay is over.
func (l *lane) askAgain(ctx context.Context, ids []entry.ID) {
	l.mu.Lock()
	kept := ids[:0]
	for _, id := range ids {
		if p := l.entries[id]; p != nil && p.phase == waiting {
			p.phase = asked
			l.asks++
			kept = append(kept, id)
		}
	}
	l.forgetAsks()
	l.mu.Unlock()
	if len(kept) == 0 {
		return
	}
	// On an error the connection is gone, and everything comes again anyway.
	if err := l.sub.Redeliver(ctx, kept); err != nil && ctx.Err() == nil {
		l.report(fmt.Errorf("redeliver %s: %w", l.name, err))
	}
}

// forgetAsks keeps what is remembered of entries that went elsewhere within bounds.
func (l *lane) forgetAsks() {
	if l.asks <= asksKept {
		return
	}
	for id, p := range l.entries {
		if p.phase == asked {
			delete(l.entries, id)
			l.asks--
		}
	}
}
