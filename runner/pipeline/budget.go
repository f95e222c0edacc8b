package pipeline

import (
	"context"
	"sync/atomic"

	"golang.org/x/sync/semaphore"
)

// Budget bounds the bytes that all lanes of an instance hold at once. Room for what a
// lane reads is taken before it reads. What a call of user code returns is counted
// when it returns and may exceed the bound until it is written, by at most one call's
// outputs per lane.
type Budget struct {
	limit int64
	sem   *semaphore.Weighted
	used  atomic.Int64
	peak  atomic.Int64
}

// NewBudget makes a budget of limit bytes.
func NewBudget(limit int64) *Budget {
	limit = max(limit, 1)
	return &Budget{limit: limit, sem: semaphore.NewWeighted(limit)}
}

// InUse is how many bytes are held now.
func (b *Budget) InUse() int64 { return b.used.Load() }

// Peak is the most that was ever held.
func (b *Budget) Peak() int64 { return b.peak.Load() }

// hold is one lane's part of the budget.
type hold struct {
	budget *Budget
	leased int64 // taken from the semaphore
	used   int64 // what InUse counts
}

// lease takes room for n bytes before they exist.
func (h *hold) lease(ctx context.Context, n int64) error {
	// R6: whoever finds no room waits here, and the source with it.
	if err := h.budget.sem.Acquire(ctx, n); err != nil {
		return err
	}
	h.leased += n
	return nil
}

// count says that n more bytes exist. It never waits: all lanes waiting for room while
// each holds some would wait for ever.
func (h *hold) count(n int64) {
	h.used += n
	if over := h.used - h.leased; over > 0 && h.budget.sem.TryAcquire(over) {
		h.leased += over
	}
	used := h.budget.used.Add(n)
	for peak := h.budget.peak.Load(); used > peak; peak = h.budget.peak.Load() {
		if h.budget.peak.CompareAndSwap(peak, used) {
			return
		}
	}
}

// trim gives back what was leased and is not used.
func (h *hold) trim() {
	if over := h.leased - h.used; over > 0 {
		h.budget.sem.Release(over)
		h.leased -= over
	}
}

// release gives everything back.
func (h *hold) release() {
	h.budget.used.Add(-h.used)
	h.budget.sem.Release(h.leased)
	h.used, h.leased = 0, 0
}
