package pulsar

import (
	"slices"

	"github.com/functionmesh/terraform-provider-functionmesh/runner/broker/pulsar/entry"
	"github.com/functionmesh/terraform-provider-functionmesh/runner/broker/pulsar/subscription"
	"github.com/functionmesh/terraform-provider-functionmesh/runner/pipeline"
)

// batch is the token of a batch: which entries its messages are of.
type batch struct {
	lane     *lane
	messages []pipeline.Message
	bytes    int64 // of messages
	parts    []part
	settled  int // messages settled, of all
	part     int // first part not settled
	within   int // messages settled of it
	acks     []subscription.Ack
}

// part is messages of one entry, one after the other.
type part struct {
	opened   *opened
	progress *progress
	count    int
}

// opened is the memory of an entry while messages of it are in use.
type opened struct {
	delivery *subscription.Delivery
	walk     entry.Messages
	progress *progress
	seen     int // messages walked over
	skipped  int // of them those not handed out
	refs     int // batches that hold messages of it
	ended    bool
}

func (b *batch) open() int { return len(b.messages) - b.settled }

// add makes room for a message, in which there is no telling what is.
func (b *batch) add() *pipeline.Message {
	n := len(b.messages)
	if n == cap(b.messages) {
		b.messages = slices.Grow(b.messages, max(n, 64))
	}
	b.messages = b.messages[:n+1]
	return &b.messages[n]
}

func (b *batch) out() pipeline.Batch {
	return pipeline.Batch{Messages: b.messages, Bytes: b.bytes, Token: b}
}

// advance counts n messages of the current part as settled.
func (b *batch) advance(n int) {
	b.settled += n
	if b.within += n; b.within == b.parts[b.part].count {
		b.part, b.within = b.part+1, 0
	}
}

// spare keeps memory for reuse; what is beyond its bounds is left to the garbage
// collector.
type spare struct {
	batches    []*batch
	openeds    []*opened
	progresses []*progress
}

const (
	spareBatches = 8
	spareEntries = 1 << 10
)

func (s *spare) newProgress() *progress {
	if n := len(s.progresses); n > 0 {
		p := s.progresses[n-1]
		s.progresses = s.progresses[:n-1]
		*p = progress{}
		return p
	}
	return &progress{}
}

// fresh is an empty batch.
func (l *lane) fresh() *batch {
	l.mu.Lock()
	defer l.mu.Unlock()
	n := len(l.spare.batches)
	if n == 0 {
		return &batch{lane: l}
	}
	b := l.spare.batches[n-1]
	l.spare.batches = l.spare.batches[:n-1]
	*b = batch{lane: l, messages: b.messages[:0], parts: b.parts[:0], acks: b.acks[:0]}
	return b
}

func (l *lane) opened(d *subscription.Delivery, p *progress) *opened {
	l.mu.Lock()
	var o *opened
	if n := len(l.spare.openeds); n > 0 {
		o = l.spare.openeds[n-1]
		l.spare.openeds = l.spare.openeds[:n-1]
	}
	l.mu.Unlock()
	if o == nil {
		o = &opened{}
	}
	*o = opened{delivery: d, walk: d.Entry.Messages(), progress: p}
	return o
}

// Release implements pipeline.Releaser.
func (l *lane) Release(b pipeline.Batch) {
	token, ok := b.Token.(*batch)
	if !ok || token.lane != l {
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	for i := range token.parts {
		o := token.parts[i].opened
		o.refs--
		l.giveBack(o)
		token.parts[i] = part{}
	}
	if len(l.spare.batches) < spareBatches {
		l.spare.batches = append(l.spare.batches, token)
	}
}

// giveBack returns the memory of an entry when nobody holds it.
func (l *lane) giveBack(o *opened) {
	if !o.ended || o.refs > 0 {
		return
	}
	o.delivery.Release()
	o.ended = false // once
	// One that came again may be known to an earlier batch as well.
	if p := o.progress; p.closed && p.attempts == 0 && len(l.spare.progresses) < spareEntries {
		l.spare.progresses = append(l.spare.progresses, p)
	}
	if len(l.spare.openeds) < spareEntries {
		o.delivery, o.progress = nil, nil
		l.spare.openeds = append(l.spare.openeds, o)
	}
}
