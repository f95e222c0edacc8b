package pipeline

import (
	"sync/atomic"
	"time"
)

// pace is how many messages a lane with at-most-once claims at once. A claim waits for the
// broker, so that few messages to each make it dear; what is claimed and not written is
// lost with the instance, so that many must take user code a moment only.
type pace struct {
	least, most int
	n           atomic.Int64 // the lane's reader asks, whoever invokes tells
}

// A full batch that took user code less than brisk may be followed by one of twice its
// size, one that took longer than slack by one of half.
const (
	brisk = 10 * time.Millisecond
	slack = 50 * time.Millisecond
)

func newPace(least, most int) *pace {
	p := &pace{least: least, most: max(least, most)}
	p.n.Store(int64(least))
	return p
}

// size is how many messages to ask for.
func (p *pace) size() int { return int(p.n.Load()) }

// tell adjusts it to a batch that user code had for so long. One that failed as a whole may
// have met a dead runtime, and is lost.
func (p *pace) tell(messages, failed int, took time.Duration) {
	n := p.size()
	switch {
	case took > slack || failed == messages:
		n = max(n/2, p.least)
	case took < brisk && messages >= n:
		n = min(2*n, p.most)
	}
	p.n.Store(int64(n))
}
