package pulsar

import (
	"slices"
	"time"

	"github.com/functionmesh/terraform-provider-functionmesh/runner/broker/pulsar/entry"
)

// A broker writes acknowledgements down about once a second, and an idle subscription's
// last ones within a minute. What it had confirmed and not written dies with it, and it
// delivers that again. A memory of what was settled lately answers those deliveries.
const (
	memoryAge   = 90 * time.Second // remembered at least so long, at most twice
	latelyAge   = 5 * time.Second  // likewise, of what a broker may forget that closes in order
	memorySpans = 1 << 15          // of each half; the memory holds fewer when they are scattered
)

// memory remembers settled entries for a while, as ranges.
type memory struct {
	age        time.Duration
	young, old spans
	since      time.Time // when young began
}

// spans are ranges of entries in order of position; neighbours never touch.
type spans []span

type span struct {
	ledger   int64
	from, to int64 // both inside
}

// covers tells for a span that ends behind or at the entry whether it is inside.
func (p span) covers(id entry.ID) bool { return p.ledger == id.Ledger && p.from <= id.Entry }

// add remembers an entry.
func (m *memory) add(id entry.ID, now time.Time) {
	if now.Sub(m.since) > m.age || len(m.young) > memorySpans {
		m.old, m.young, m.since = m.young, m.old[:0], now
	}
	m.young.add(id)
}

// has tells whether an entry was settled lately.
func (m *memory) has(id entry.ID, now time.Time) bool {
	if age := now.Sub(m.since); age > 2*m.age {
		return false
	}
	return m.young.has(id) || m.old.has(id)
}

// learn adds what another one remembered at a time before now.
func (m *memory) learn(from *memory, at, now time.Time) {
	if at.Sub(from.since) > 2*from.age {
		return
	}
	for _, all := range []spans{from.old, from.young} {
		for _, p := range all {
			for e := p.from; e <= p.to; e++ {
				m.add(entry.ID{Ledger: p.ledger, Entry: e}, now)
			}
		}
	}
}

func (m *memory) forget() { m.young, m.old = m.young[:0], m.old[:0] }

// at is the first span that ends behind or at the entry.
func (s spans) at(id entry.ID) int {
	if n := len(s); n > 0 { // in order, as a rule: the last one
		if last := &s[n-1]; last.ledger == id.Ledger && id.Entry >= last.from {
			if id.Entry <= last.to {
				return n - 1
			}
			return n
		}
	}
	i, _ := slices.BinarySearchFunc(s, id, func(p span, id entry.ID) int {
		return entry.ID{Ledger: p.ledger, Entry: p.to}.Compare(id)
	})
	return i
}

func (s spans) has(id entry.ID) bool {
	i := s.at(id)
	return i < len(s) && s[i].covers(id)
}

func (s *spans) add(id entry.ID) {
	all := *s
	i := all.at(id)
	if i < len(all) && all[i].covers(id) {
		return
	}
	before := i > 0 && all[i-1].ledger == id.Ledger && all[i-1].to+1 == id.Entry
	after := i < len(all) && all[i].ledger == id.Ledger && all[i].from-1 == id.Entry
	switch {
	case before && after:
		all[i-1].to = all[i].to
		*s = slices.Delete(all, i, i+1)
	case before:
		all[i-1].to = id.Entry
	case after:
		all[i].from = id.Entry
	default:
		*s = slices.Insert(all, i, span{id.Ledger, id.Entry, id.Entry})
	}
}
