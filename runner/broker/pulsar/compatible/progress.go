package compatible

import (
	"time"

	pulsario "github.com/apache/pulsar-client-go/pulsar"
)

// waitingMost bounds what is remembered of entries that were asked for again and may
// have gone to another consumer; memoryMost what at-most-once remembers of settled ones.
const (
	waitingMost = 1 << 14
	memoryMost  = 1 << 16
)

// place is an entry.
type place struct{ ledger, entry int64 }

func placeOf(m pulsario.Message) place { return place{m.ID().LedgerID(), m.ID().EntryID()} }

// progress is how far an entry is whose messages were handed out.
type progress struct {
	out     int            // handed out and not settled
	last    bool           // the entry's last message was handed out
	highest int32          // index that came
	acked   bool           // as a whole
	waiting bool           // for its redelivery
	done    map[int32]bool // settled for good
	kept    map[int32]pulsario.Message
	undone  pulsario.Message // one of those to deliver again; nil: none
	delay   time.Duration
}

// index of a message in its entry; a chunked or plain one is alone.
func index(m pulsario.Message) int32 {
	if m.ID().BatchSize() <= 1 {
		return 0
	}
	return m.ID().BatchIdx()
}

// repeated tells whether a message of the entry is done. Where nothing may be handed out
// twice, its place tells.
func (p *progress) repeated(m pulsario.Message, once bool) bool {
	i := index(m)
	return p.done[i] || once && i <= p.highest
}

// arrive notes a message that came, handed out or not. A redelivery starts anew.
func (p *progress) arrive(m pulsario.Message) {
	if p.waiting {
		p.waiting, p.last = false, false
	}
	p.highest = max(p.highest, index(m))
	p.last = p.last || index(m)+1 >= m.ID().BatchSize()
}

func (p *progress) finish(m pulsario.Message) {
	p.out--
	if m.ID().BatchSize() > 1 {
		if p.done == nil {
			p.done = map[int32]bool{}
		}
		p.done[index(m)] = true
	}
}

func (p *progress) refuse(m pulsario.Message, delay time.Duration) {
	p.out--
	p.undone, p.delay = m, max(p.delay, delay)
}

func (p *progress) keep(m pulsario.Message) {
	if p.kept == nil {
		p.kept = map[int32]pulsario.Message{}
	}
	p.kept[index(m)] = m
}

// release gives a message back that is kept; nil: it is not.
func (p *progress) release(i int32) pulsario.Message {
	m := p.kept[i]
	delete(p.kept, i)
	return m
}

// open says that messages of the entry are not settled, or not handed out yet.
func (p *progress) open() bool { return p.out > 0 || !p.last }

// forgetWaiting keeps what is remembered of entries that went elsewhere within bounds.
func forgetWaiting(entries map[place]*progress) {
	if len(entries) <= waitingMost {
		return
	}
	for at, p := range entries {
		if p.waiting {
			delete(entries, at)
		}
	}
}

// memory holds places that were settled lately, in two halves.
type memory struct{ young, old map[place]bool }

func (m *memory) add(at place) {
	if m.young == nil || len(m.young) >= memoryMost {
		m.young, m.old = map[place]bool{}, m.young
	}
	m.young[at] = true
}

func (m *memory) has(at place) bool { return m.young[at] || m.old[at] }
