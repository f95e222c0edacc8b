package pulsar

import (
	"container/heap"
	"context"
	"sync"
	"time"

	"github.com/functionmesh/terraform-provider-functionmesh/runner/broker/pulsar/entry"
)

// laterMost bounds the redeliveries that wait; what comes beyond it is asked for at once.
const laterMost = 1 << 14

// later asks for entries again when their delay is over. One goroutine runs it.
type later struct {
	ask  func(ctx context.Context, ids []entry.ID)
	wake chan struct{}

	mu      sync.Mutex
	waiting dues
}

type due struct {
	at time.Time
	id entry.ID
}

// dues is a heap, the earliest first.
type dues []due

func (d dues) Len() int           { return len(d) }
func (d dues) Less(i, j int) bool { return d[i].at.Before(d[j].at) }
func (d dues) Swap(i, j int)      { d[i], d[j] = d[j], d[i] }
func (d *dues) Push(x any)        { *d = append(*d, x.(due)) }
func (d *dues) Pop() any {
	n := len(*d) - 1
	last := (*d)[n]
	*d = (*d)[:n]
	return last
}

func newLater(ask func(ctx context.Context, ids []entry.ID)) *later {
	return &later{ask: ask, wake: make(chan struct{}, 1)}
}

// add asks for an entry no earlier than at; earlier only when too many wait.
func (l *later) add(id entry.ID, at time.Time) {
	l.mu.Lock()
	if len(l.waiting) >= laterMost {
		l.waiting[0].at = time.Time{}
	}
	heap.Push(&l.waiting, due{at, id})
	l.mu.Unlock()
	select {
	case l.wake <- struct{}{}:
	default:
	}
}

// ripe takes out what is due, and tells how long the next one has.
func (l *later) ripe(now time.Time) (ids []entry.ID, wait time.Duration) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for len(l.waiting) > 0 {
		if wait = l.waiting[0].at.Sub(now); wait > 0 {
			return ids, wait
		}
		ids = append(ids, heap.Pop(&l.waiting).(due).id) //nolint:forcetypeassert // Push takes nothing else
	}
	return ids, time.Hour
}

// run works until ctx ends.
func (l *later) run(ctx context.Context) {
	t := time.NewTimer(time.Hour)
	defer t.Stop()
	for {
		ids, wait := l.ripe(time.Now())
		if len(ids) > 0 {
			l.ask(ctx, ids)
			continue
		}
		t.Reset(wait)
		select {
		case <-t.C:
		case <-l.wake:
		case <-ctx.Done():
			return
		}
	}
}
