package pipeline

import (
	"context"
	"errors"
	"time"
)

// settleFor is how long an unordered lane repeats an acknowledgement that the broker
// does not confirm. Then the messages come again: a duplicate, never a loss.
const settleFor = time.Minute

// claim settles a batch before the function sees it, with at-most-once. One whose
// acknowledgement is not confirmed is lost to us.
func (l *lane) claim(ctx context.Context, w *work) error {
	if !l.once {
		return nil
	}
	// R2: the function sees nothing that the broker could deliver again.
	err := l.source.Settle(ctx, w.Batch, l.alike(len(w.Messages), Verdict{}))
	if err == nil {
		return nil
	}
	if stop := l.stops(ctx, err); stop != nil {
		return stop
	}
	l.failed(System, err)
	w.lost = true
	return nil
}

// finish writes what is not written yet of an invoked batch, and settles it.
func (l *lane) finish(ctx context.Context, w *work) error {
	var err error
	switch {
	case l.once:
		return l.atMostOnce(ctx, w)
	case l.exact:
		err = l.byEntry(ctx, w)
	case l.source.Ordered():
		err = l.inOrder(ctx, w)
	default:
		err = l.anyOrder(ctx, w)
	}
	if err == nil {
		err = l.byHand(ctx, w) // R1: what the calls caused is confirmed
	}
	return err
}

// done accounts for a batch and gives back what it held.
func (l *lane) done(w *work, err error) {
	l.Observer.Processed(w.processed, w.took)
	w.hold.release()
	if err == nil {
		if l.reuser != nil && w.reusable {
			l.reuser.Reuse(w.results)
		}
		if l.releaser != nil {
			l.releaser.Release(w.Batch)
		}
	}
	w.reset()
}

func (l *lane) atMostOnce(ctx context.Context, w *work) error {
	for at := 0; at < len(w.results); at++ {
		done, err := l.deliver(ctx, w, at, len(w.results))
		var refused *MessageError
		switch {
		case err == nil:
			return nil
		case errors.As(err, &refused):
			l.failed(l.refusal(), err)
			at = done
		case errors.Is(err, errUnknown):
			return nil
		default:
			return err
		}
	}
	return nil
}

// anyOrder settles a batch of an unordered lane: a failing message is delivered again
// later, alone, and holds up nothing.
func (l *lane) anyOrder(ctx context.Context, w *work) error {
	for at := 0; at < len(w.results); {
		done, err := l.deliver(ctx, w, at, len(w.results))
		if at = done; err == nil {
			break
		}
		if _, ok := errors.AsType[*MessageError](err); !ok {
			return err
		}
		l.refused(w, err)
	}
	verdicts, err := l.verdicts(ctx, w)
	if err != nil {
		return err
	}
	return l.settle(ctx, w, verdicts) // R1: everything above is confirmed
}

// inOrder settles a batch of an ordered lane: what comes after a failing message waits
// until that one is done or given up.
func (l *lane) inOrder(ctx context.Context, w *work) error {
	for at := 0; at < len(w.results); {
		done, err := l.deliver(ctx, w, at, w.nextFailed(at))
		if done > at {
			// R1: the outputs of these are confirmed.
			if err := l.settle(ctx, w, l.orderly(w, at, done)); err != nil {
				return err
			}
		}
		at = done
		var refused *MessageError
		switch {
		case errors.As(err, &refused):
			l.refused(w, err)
		case err != nil:
			return err
		}
		if at < len(w.results) && w.results[at].Err != nil {
			// R4: retried in place; the results after it are kept and not written.
			if err := l.resolve(ctx, w, at); err != nil {
				return err
			}
		}
	}
	return nil
}

// orderly are the verdicts over messages from..to of an ordered lane, all of them done.
func (l *lane) orderly(w *work, from, to int) []Verdict {
	v := l.undecided(w, from, to)
	for i := range w.buried {
		if from <= i && i < to {
			v[i-from] = Verdict{}
		}
	}
	return v
}

// undecided are the verdicts over messages from..to that did not fail: user code keeps
// those that it acknowledges by itself and has not yet.
func (l *lane) undecided(w *work, from, to int) []Verdict {
	v := l.alike(to-from, Verdict{})
	if l.hand == nil {
		return v
	}
	for i := range v {
		v[i].Keep = !w.results[from+i].Done
	}
	return v
}

// alike is a slice of n equal verdicts, good until the next call.
func (l *lane) alike(n int, each Verdict) []Verdict {
	if cap(l.same) < n {
		l.same = make([]Verdict, n)
	}
	v := l.same[:n]
	if each == (Verdict{}) {
		clear(v)
		return v
	}
	for i := range v {
		v[i] = each
	}
	return v
}

// settle repeats until the broker confirms.
func (l *lane) settle(ctx context.Context, w *work, v []Verdict) error {
	began := time.Time{}
	for attempt := 0; ; attempt++ {
		err := l.source.Settle(ctx, w.Batch, v)
		if err == nil {
			return nil
		}
		if stop := l.stops(ctx, err); stop != nil {
			return stop
		}
		l.failed(System, err)
		if began.IsZero() {
			began = time.Now()
		}
		if !l.source.Ordered() && time.Since(began) > settleFor {
			l.Logger.Warn("acknowledgement is not confirmed; the messages may come again",
				"lane", l.source.Name(), "messages", len(v), "error", err)
			return nil
		}
		if err := l.retry.wait(ctx, nil, attempt); err != nil {
			return err
		}
	}
}
