package engine

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/cenkalti/backoff/v5"
)

const (
	defaultPoll     = 50 * time.Millisecond
	defaultMaxPoll  = 500 * time.Millisecond
	defaultReadBack = 10 * time.Second
	defaultConflict = 10
	defaultOutage   = 30 * time.Second
	defaultRecover  = 5 * time.Second
	// recoverTries is how often a platform that just failed is asked what it holds.
	recoverTries = 3
)

// withDefaults replaces zero fields.
func (t Timing) withDefaults() Timing {
	for _, d := range []struct {
		field *time.Duration
		value time.Duration
	}{
		{&t.Poll, defaultPoll},
		{&t.MaxPoll, defaultMaxPoll},
		{&t.ReadBack, defaultReadBack},
		{&t.Outage, defaultOutage},
		{&t.Recover, defaultRecover},
	} {
		if *d.field == 0 {
			*d.field = d.value
		}
	}
	if t.Conflict == 0 {
		t.Conflict = defaultConflict
	}
	return t
}

// backOff makes one sequence of pauses.
func (t Timing) backOff() backoff.BackOff {
	b := backoff.NewExponentialBackOff()
	b.InitialInterval, b.MaxInterval, b.Multiplier = t.Poll, t.MaxPoll, 1.5
	return b
}

// raced runs op again while it loses races, a bounded number of times.
func raced[T any](ctx context.Context, t Timing, op func() (T, error)) (T, error) {
	t = t.withDefaults()
	return backoff.Retry(ctx, func() (T, error) {
		out, err := op()
		if err != nil && (!Is(err, Conflict) || ctx.Err() != nil) {
			return out, backoff.Permanent(err)
		}
		return out, err
	}, backoff.WithBackOff(t.backOff()), backoff.WithMaxTries(t.Conflict), backoff.WithMaxElapsedTime(0))
}

// errPending asks poll for another observation.
var errPending = errors.New("not yet")

// poll observes until done says so. An unreachable platform is asked again until it
// has been so for Timing.Outage. The last successful observation is returned beside
// an error too; limit 0 leaves the bound to ctx.
func (e *Engine[S]) poll(ctx context.Context, key Key, limit time.Duration, done func(Observed[S]) (bool, error)) (Observed[S], error) {
	t := e.Timing.withDefaults()
	var last Observed[S]
	var downSince time.Time
	var down error
	_, err := backoff.Retry(ctx, func() (struct{}, error) {
		have, err := e.Client.Observe(ctx, key)
		switch {
		case Is(err, Unavailable):
			if downSince.IsZero() {
				downSince = time.Now()
			}
			down = err
			if time.Since(downSince) >= t.Outage {
				err = backoff.Permanent(err)
			}
			return struct{}{}, err
		case err != nil:
			return struct{}{}, backoff.Permanent(err)
		}
		downSince, down, last = time.Time{}, nil, have
		ok, err := done(have)
		if err != nil {
			return struct{}{}, backoff.Permanent(err)
		}
		if !ok {
			return struct{}{}, errPending
		}
		return struct{}{}, nil
	}, backoff.WithBackOff(t.backOff()), backoff.WithMaxElapsedTime(limit))
	if err != nil && down != nil && !Is(err, Unavailable) {
		err = fmt.Errorf("%w: %w", down, err) // the caller's time ended; this is what it was spent on
	}
	return last, err
}

// look observes an object whose write just failed: also after the caller's context
// has ended, because what exists must reach the caller's state.
func (e *Engine[S]) look(ctx context.Context, key Key) (Observed[S], error) {
	t := e.Timing.withDefaults()
	probe, cancel := context.WithTimeout(context.WithoutCancel(ctx), t.Recover)
	defer cancel()
	return backoff.Retry(probe, func() (Observed[S], error) {
		have, err := e.Client.Observe(probe, key)
		if err != nil && !Is(err, Unavailable) {
			err = backoff.Permanent(err)
		}
		return have, err
	}, backoff.WithBackOff(t.backOff()), backoff.WithMaxTries(recoverTries), backoff.WithMaxElapsedTime(0))
}
