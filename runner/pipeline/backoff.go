package pipeline

import (
	"context"
	"time"

	"github.com/cenkalti/backoff/v5"
)

// waits are the pauses between attempts, doubled up to a most.
type waits struct{ first, most time.Duration }

// delay is the pause before retry number n, counted from 0.
func (w waits) delay(n int) time.Duration {
	b := backoff.ExponentialBackOff{InitialInterval: w.first, Multiplier: 2, MaxInterval: w.most}
	d := b.NextBackOff()
	for ; n > 0 && d < w.most; n-- {
		d = b.NextBackOff()
	}
	return min(d, w.most)
}

// wait pauses before retry number n; the end of ctx or of stop ends it early with that
// context's cause.
func (w waits) wait(ctx context.Context, stop <-chan struct{}, n int) error {
	t := time.NewTimer(w.delay(n))
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-stop:
		return errDrained
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}
