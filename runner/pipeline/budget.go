package pipeline

import (
	"context"
	"sync/atomic"

	"golang.org/x/sync/semaphore"
)

// Budget bounds the bytes that all lanes of an instance hold at once.
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

func (b *Budget) acquire(ctx context.Context, n int64) error {
	if err := b.sem.Acquire(ctx, n); err != nil {
		return err
	}
	used := b.used.Add(n)
	for {
		peak := b.peak.Load()
		if used <= peak || b.peak.CompareAndSwap(peak, used) {
			return nil
		}
	}
}

func (b *Budget) release(n int64) {
	b.used.Add(-n)
	b.sem.Release(n)
}
