package pipeline

import (
	"context"
	"errors"
	"io"
	"sync"
	"time"
)

// lane takes batches from one source lane through read, invoke, write and settle, in
// this order. Where the sink can have several writes under way, so has the lane: see
// flow. Otherwise one goroutine does one batch at a time.
type lane struct {
	*run
	source   Lane
	function Function
	sender   Sender   // nil: the sink takes one write at a time
	releaser Releaser // nil: batches are garbage
	reuser   Reuser   // nil: results are garbage
	hand     *hand    // nil: user code does not acknowledge
	replaced int64    // how often user code had begun anew
	retry    waits
	pace     *pace
	once     bool // at-most-once
	exact    bool // effectively-once
	forward  Forward
	same     []Verdict // for batches that are settled alike

	turn sync.Mutex // held by whoever calls the function or the sink
}

// newLane opens the lane's way into the sink; number is the lane's.
func newLane(ctx context.Context, r *run, source Lane, f Function, number int) (*lane, error) {
	l := &lane{
		run: r, source: source, function: f, forward: ForwardTrace,
		retry: waits{
			first: time.Duration(r.Delivery.BackoffMs) * time.Millisecond,
			most:  time.Duration(r.Delivery.MaxBackoffMs) * time.Millisecond,
		},
		once:  r.Delivery.Guarantee == AtMostOnce,
		exact: r.Delivery.Guarantee == EffectivelyOnce,
	}
	most := r.Limits.BatchMessages
	if l.once {
		most = r.Limits.ClaimMessages
	}
	l.pace = newPace(r.Limits.BatchMessages, most)
	switch {
	case r.Functions == nil:
		l.forward = ForwardNothing
	case r.Delivery.ForwardProperties:
		l.forward = ForwardAll
	}
	l.releaser, _ = source.(Releaser)
	l.reuser, _ = f.(Reuser)
	if r.Delivery.Guarantee == Manual {
		var err error
		if l.hand, err = r.hands.add(source); err != nil {
			return nil, err
		}
		if user, ok := f.(Replacing); ok {
			l.replaced = user.Replaced()
		}
	}
	if s, ok := r.Sink.(Asynchronous); ok {
		var err error
		if l.sender, err = s.Sender(ctx, number); err != nil {
			return nil, err
		}
	}
	return l, nil
}

// close gives the lane's way into the sink back.
func (l *lane) close(ctx context.Context) {
	if l.hand != nil {
		l.hands.remove(l.hand)
	}
	if l.sender != nil {
		l.closed(ctx, "sender", l.sender.Close)
	}
}

// loop ends with nil when the source is finished, the instance drains or another one
// took the lane over.
func (l *lane) loop(ctx context.Context) error {
	read, stop := until(ctx, l.drained)
	defer stop()
	move := l.oneByOne
	if l.sender != nil {
		move = l.flow
	}
	err := move(ctx, read)
	switch {
	case errors.Is(err, io.EOF), errors.Is(err, errDrained):
		return nil
	case errors.Is(err, ErrFenced):
		// R4: a fenced lane stops; what it wrote since its last position is written
		// again, in the same order, by the instance that has the lane now.
		l.fenced.Add(1)
		l.Logger.Info("lane was taken over", "lane", l.source.Name())
		return nil
	}
	return err
}

// oneByOne takes one batch at a time.
func (l *lane) oneByOne(ctx, read context.Context) error {
	w := l.newWork()
	for {
		err := l.next(ctx, read, w)
		if err != nil {
			return err
		}
		if err = l.claim(ctx, w); err == nil {
			err = l.invokeAll(ctx, w)
		}
		if err == nil {
			err = l.finish(ctx, w)
		}
		l.done(w, err)
		if err != nil {
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

// next reads a batch into w. The lane holds room for it before it reads.
func (l *lane) next(ctx, read context.Context, w *work) error {
	for attempt := 0; ; {
		if l.hand.room(read, l) != nil {
			return l.stopped(ctx)
		}
		// R6: no room, no read. A slow sink keeps the room taken.
		share := l.share()
		if err := w.hold.lease(read, share); err != nil {
			return l.stopped(ctx)
		}
		b, err := l.source.Read(read, l.pace.size(), share)
		if err == nil && len(b.Messages) > 0 {
			return l.took(w, b)
		}
		w.hold.release()
		switch {
		case read.Err() != nil: // R7: reading stops first
			return l.stopped(ctx)
		case err == nil:
			continue
		case errors.Is(err, io.EOF), errors.Is(err, ErrFenced), terminal(err):
			return err
		}
		l.failed(SourceFailure, err)
		if err := l.retry.wait(read, l.drained, attempt); err != nil {
			return l.stopped(ctx)
		}
		attempt++
	}
}

// took accounts for a batch that was read.
func (l *lane) took(w *work, b Batch) error {
	w.Batch = b
	bytes := b.Bytes
	if bytes == 0 {
		bytes = size(b.Messages)
	}
	w.hold.count(bytes)
	w.hold.trim()
	l.Observer.Received(len(b.Messages))
	if l.hand != nil {
		l.hands.learn(l.hand, b.Messages)
	}
	err := l.whole(b)
	if err != nil {
		w.hold.release()
	}
	return err
}

func (l *lane) stopped(ctx context.Context) error {
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	return errDrained
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
