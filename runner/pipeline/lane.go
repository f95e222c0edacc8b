package pipeline

import (
	"context"
	"errors"
	"io"
	"time"
)

// settleFor is how long an unordered lane repeats an acknowledgement that the broker
// does not confirm. Then the messages come again: a duplicate, never a loss.
const settleFor = time.Minute

// lane is one goroutine's work: read, invoke, write, settle, in this order, one batch
// at a time.
type lane struct {
	*run
	source   Lane
	function Function
	share    int64
	hold     hold
	retry    waits
	once     bool
	forward  Forward
}

func newLane(r *run, source Lane, f Function, share int64) *lane {
	forward := ForwardTrace
	if r.Delivery.ForwardProperties {
		forward = ForwardAll
	}
	return &lane{
		run: r, forward: forward, source: source, function: f, share: share,
		hold: hold{budget: r.Budget},
		retry: waits{
			first: time.Duration(r.Delivery.BackoffMs) * time.Millisecond,
			most:  time.Duration(r.Delivery.MaxBackoffMs) * time.Millisecond,
		},
		once: r.Delivery.Guarantee == atMostOnce,
	}
}

// loop ends with nil when the source is finished, the instance drains or another one
// took the lane over.
func (l *lane) loop(ctx context.Context) error {
	read, stop := until(ctx, l.drained)
	defer stop()
	for {
		b, err := l.next(ctx, read)
		if err == nil {
			err = l.batch(ctx, b)
			l.hold.release()
		}
		switch {
		case err == nil:
		case errors.Is(err, io.EOF), errors.Is(err, errDrained):
			return nil
		case errors.Is(err, ErrFenced):
			// R4: a fenced lane stops; what it wrote since its last position is written
			// again, in the same order, by the instance that has the lane now.
			l.fenced.Add(1)
			l.Logger.Info("lane was taken over", "lane", l.source.Name())
			return nil
		default:
			return err
		}
	}
}

// until is ctx, ended also by stop. The function it returns waits for its goroutine.
func until(ctx context.Context, stop <-chan struct{}) (context.Context, func()) {
	c, cancel := context.WithCancel(ctx)
	done := make(chan struct{})
	go func() {
		defer close(done)
		defer cancel()
		select {
		case <-stop:
		case <-c.Done():
		}
	}()
	return c, func() { cancel(); <-done }
}

// next reads a batch. The lane holds room for it before it reads and reads nothing
// while an earlier batch is unsettled.
func (l *lane) next(ctx, read context.Context) (Batch, error) {
	for attempt := 0; ; {
		// R6: no room, no read. A slow sink keeps the room taken.
		if err := l.hold.lease(read, l.share); err != nil {
			return Batch{}, l.stopped(ctx)
		}
		b, err := l.source.Read(read, l.Limits.BatchMessages, l.share)
		if err == nil && len(b.Messages) > 0 {
			l.hold.count(size(b.Messages))
			l.Observer.Received(len(b.Messages))
			return b, nil
		}
		l.hold.release()
		switch {
		case read.Err() != nil: // R7: reading stops first
			return Batch{}, l.stopped(ctx)
		case err == nil:
			continue
		case errors.Is(err, io.EOF), errors.Is(err, ErrFenced), terminal(err):
			return Batch{}, err
		}
		l.failed(SourceFailure, err)
		if err := l.retry.wait(ctx, l.drained, attempt); err != nil {
			return Batch{}, err
		}
		attempt++
	}
}

func (l *lane) stopped(ctx context.Context) error {
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	return errDrained
}

// batch takes one batch through the function and the sink.
func (l *lane) batch(ctx context.Context, b Batch) error {
	w := &work{Batch: b}
	defer func() { l.Observer.Processed(w.processed, w.took) }()
	if l.once {
		return l.atMostOnce(ctx, w)
	}
	if err := l.invokeAll(ctx, w); err != nil {
		return err
	}
	if l.source.Ordered() {
		return l.inOrder(ctx, w)
	}
	return l.anyOrder(ctx, w)
}

// atMostOnce settles first. Whatever then goes wrong is counted and dropped.
func (l *lane) atMostOnce(ctx context.Context, w *work) error {
	// R2: the function sees nothing that the broker could deliver again.
	if err := l.source.Settle(ctx, w.Batch, make([]Verdict, len(w.Messages))); err != nil {
		if stop := l.stops(ctx, err); stop != nil {
			return stop
		}
		l.failed(System, err)
		return nil
	}
	if err := l.invokeAll(ctx, w); err != nil {
		return err
	}
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
		l.failed(l.refusal(), err)
		w.results[at] = Result{Err: l.lasting(err)}
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
			if err := l.settle(ctx, w, make([]Verdict, done-at)); err != nil {
				return err
			}
		}
		at = done
		var refused *MessageError
		switch {
		case errors.As(err, &refused):
			l.failed(l.refusal(), err)
			w.results[at] = Result{Err: l.lasting(err)}
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

// settle repeats until the broker confirms.
func (l *lane) settle(ctx context.Context, w *work, v []Verdict) error {
	began := time.Now()
	for attempt := 0; ; attempt++ {
		err := l.source.Settle(ctx, w.Batch, v)
		if err == nil {
			return nil
		}
		if stop := l.stops(ctx, err); stop != nil {
			return stop
		}
		l.failed(System, err)
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

// stops is the error that ends the lane because of err, nil when err can be retried.
func (l *lane) stops(ctx context.Context, err error) error {
	switch {
	case ctx.Err() != nil:
		return context.Cause(ctx)
	case errors.Is(err, ErrFenced), terminal(err):
		return err
	}
	return nil
}
