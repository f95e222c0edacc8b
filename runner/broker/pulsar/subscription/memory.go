package subscription

import (
	"time"

	"github.com/functionmesh/terraform-provider-functionmesh/runner/broker/pulsar/entry"
)

// memory remembers what was acknowledged in the last seconds. A broker makes
// acknowledgements durable once a second, so one that dies forgets the last ones; they
// are sent again on the next connection before anything is asked for.
type memory struct {
	young, old generation
	turned     time.Time
}

const (
	generationTime = 3 * time.Second
	generationMost = 1 << 15 // runs
)

// generation holds runs of whole entries, and partial acknowledgements as they were.
type generation struct {
	runs    []run
	partial []Ack
}

// run is entries of one ledger from first to last.
type run struct{ ledger, first, last int64 }

func (m *memory) add(acks []Ack, now time.Time) {
	if now.Sub(m.turned) > generationTime || len(m.young.runs)+len(m.young.partial) > generationMost {
		m.old, m.young = m.young, generation{runs: m.old.runs[:0], partial: m.old.partial[:0]}
		m.turned = now
	}
	for i := range acks {
		m.young.add(&acks[i])
	}
}

func (g *generation) add(a *Ack) {
	if a.Set != nil {
		g.partial = append(g.partial, *a)
		return
	}
	if n := len(g.runs); n > 0 {
		if last := &g.runs[n-1]; last.ledger == a.ID.Ledger && last.last+1 == a.ID.Entry {
			last.last++
			return
		}
	}
	g.runs = append(g.runs, run{a.ID.Ledger, a.ID.Entry, a.ID.Entry})
}

// forget is for a subscription that was moved: what was acknowledged may come again.
func (m *memory) forget() { *m = memory{} }

// all is everything remembered.
func (m *memory) all() []Ack {
	var out []Ack
	for _, g := range []*generation{&m.old, &m.young} {
		for _, r := range g.runs {
			for e := r.first; e <= r.last; e++ {
				out = append(out, Ack{ID: entry.ID{Ledger: r.ledger, Entry: e}})
			}
		}
		out = append(out, g.partial...)
	}
	return out
}
