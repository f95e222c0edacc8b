package pulsar

import (
	"time"

	"github.com/functionmesh/terraform-provider-functionmesh/runner/broker/pulsar/entry"
	"github.com/functionmesh/terraform-provider-functionmesh/runner/broker/pulsar/subscription"
	"github.com/functionmesh/terraform-provider-functionmesh/runner/pipeline"
)

// phase is where an entry is.
type phase uint8

const (
	working phase = iota // read, not settled in full
	waiting              // some of it is to come again, later
	asked                // the broker was told to deliver it again
)

// progress is one entry that was read: which of its messages are settled. Brokers do
// not keep that for parts of an entry by default, so the lane does.
type progress struct {
	id          entry.ID
	incarnation uint64 // of the connection it came over
	count       int    // messages in the entry
	batched     bool
	phase       phase
	closed      bool          // settled in full, and forgotten
	acked       bool          // as a whole, before it is settled in full (at most once)
	left        int           // messages neither done nor failed, those not handed out included
	undone      []int64       // a set bit is a message that is to come again; nil: none
	kept        []int64       // a set bit is one that user code acknowledges by itself; nil: none
	delay       time.Duration // before it comes again
	attempts    int           // how often some of it failed here
	done        []int64       // a set bit is one that is done while others are not; nil: none
	need        []int64       // when it comes again, the messages to hand out; nil: all
}

// settle takes the verdict over one message: done, or to come again after delay.
func (p *progress) settle(index int, again bool, delay time.Duration) {
	if again {
		p.undone = withBit(p.undone, index, p.count)
		p.delay = max(p.delay, delay)
	}
	p.left--
}

// keep leaves one message open until user code acknowledges it.
func (p *progress) keep(index int) { p.kept = withBit(p.kept, index, p.count) }

// acknowledge applies what user code said; false: it said so before.
func (p *progress) acknowledge(index int, again bool, delay time.Duration) bool {
	if !hasBit(p.kept, index) {
		return false
	}
	subscription.Done(p.kept, index)
	p.settle(index, again, delay)
	return true
}

// ack is what the broker is told of an entry settled in full.
func (p *progress) ack() (a subscription.Ack, some bool) {
	a.ID = p.id
	if p.undone == nil {
		return a, true
	}
	if !p.batched || subscription.Left(p.undone) == p.count {
		return a, false
	}
	a.Set, a.Size = p.undone, p.count
	return a, true
}

// partly acknowledges what is done of an entry that is settled in pieces, so that a broker
// that keeps such sets does not deliver it to whoever comes next.
func (p *progress) partly(acks []subscription.Ack, settled []pipeline.Message, v []pipeline.Verdict) []subscription.Ack {
	some := false
	for i := range settled {
		if !v[i].Redeliver && !v[i].Keep {
			p.done = withBit(p.done, int(settled[i].Position.Index), p.count)
			some = true
		}
	}
	if !some {
		return acks
	}
	return append(acks, p.open())
}

// open acknowledges of an entry what is done, for a broker that keeps such sets.
func (p *progress) open() subscription.Ack {
	left := subscription.Keep(p.count)
	for i := range left {
		left[i] &^= p.done[i]
	}
	return subscription.Ack{ID: p.id, Set: left, Size: p.count}
}

// wait makes the entry one that comes again.
func (p *progress) wait() {
	p.phase, p.need, p.undone, p.kept = waiting, p.undone, nil, nil
	p.done = nil
	p.attempts++
}

// wanted tells whether message i of a delivery is to be handed out.
func (p *progress) wanted(i int) bool { return p.need == nil || hasBit(p.need, i) }

func withBit(set []int64, i, size int) []int64 {
	if set == nil {
		set = make([]int64, (size+63)/64)
	}
	set[i>>6] |= 1 << (i & 63)
	return set
}

func hasBit(set []int64, i int) bool {
	return i>>6 < len(set) && set[i>>6]&(1<<(i&63)) != 0
}
