package pipeline

import (
	"context"
	"errors"
	"fmt"
	"io"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"
)

// closeTimeout bounds how long Run waits for one part to close.
const closeTimeout = 5 * time.Second

// Run moves messages until the source is finished, Drain is closed or ctx ends.
//
//   - Drain closed: nil once everything read is settled, ErrGrace when that took longer
//     than Limits.GraceMs.
//   - ctx cancelled: stops at once with the context's cause; nothing unsettled is lost.
//   - a *TerminalError of any part ends all lanes and is returned.
//
// An instance all of whose lanes were taken over, or that has none, waits for Drain:
// ending would have it restarted, and take them back.
func Run(ctx context.Context, c Config) error {
	c = c.withDefaults()
	hard, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	defer closeAll(ctx, c)

	open, cancel := context.WithCancel(hard)
	defer cancel()
	lanes, err := untilOpen(open, cancel, c)
	switch {
	case err != nil && hard.Err() == nil && over(c.Drain):
		return nil // R7: nothing was read
	case err != nil:
		return fmt.Errorf("open source: %w", err)
	}
	r := &run{Config: c, drained: make(chan struct{}), hands: &hands{}, lanes: numbers{tell: c.Lanes}}
	watch := r.watchDrain(hard, stop)
	err = r.move(hard, lanes)
	if err == nil && r.idle(len(lanes)) {
		r.waitDrain(hard)
	}
	if cause := context.Cause(hard); cause != nil {
		err = cause
	}
	stop(nil)
	<-watch
	return err
}

// untilOpen opens the source, and cancels its context when Drain is closed meanwhile: a
// broker that is away must not use up the grace period. What was opened may go on with
// the context.
func untilOpen(ctx context.Context, cancel context.CancelFunc, c Config) ([]Lane, error) {
	opened, watch := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(watch)
		select {
		case <-c.Drain:
			cancel()
		case <-opened:
		}
	}()
	lanes, err := c.Source.Open(ctx)
	close(opened)
	<-watch
	return lanes, err
}

func over(c <-chan struct{}) bool {
	select {
	case <-c:
		return true
	default:
		return false
	}
}

// run is what all lanes share.
type run struct {
	Config
	drained chan struct{} // closed by watchDrain when Drain is
	fenced  atomic.Int32
	hands   *hands
	lanes   numbers
	told    told
}

// watchDrain turns the end of the grace period into a hard stop. The channel it returns
// is closed when its goroutine has ended.
func (r *run) watchDrain(hard context.Context, stop context.CancelCauseFunc) <-chan struct{} {
	done := make(chan struct{})
	go func() {
		defer close(done)
		select {
		case <-r.Drain:
		case <-hard.Done():
			return
		}
		close(r.drained)
		t := time.NewTimer(time.Duration(r.Limits.GraceMs) * time.Millisecond)
		defer t.Stop()
		select {
		case <-t.C:
			stop(ErrGrace) // R7: within the grace period, or not at all
		case <-hard.Done():
		}
	}()
	return done
}

// move runs one goroutine per lane and waits for all, and for those that appear.
func (r *run) move(hard context.Context, lanes []Lane) error {
	group, ctx := errgroup.WithContext(hard)
	r.begin(ctx, group, lanes)
	if g, ok := r.Source.(Growing); ok {
		group.Go(func() error { return r.grow(ctx, group, g) })
	}
	return group.Wait()
}

func (r *run) begin(ctx context.Context, group *errgroup.Group, lanes []Lane) {
	for i, number := range r.lanes.take(len(lanes)) {
		source := lanes[i]
		group.Go(func() error {
			defer r.lanes.give(number)
			return r.lane(ctx, source, number)
		})
	}
}

func (r *run) lane(ctx context.Context, source Lane, number int) error {
	f, err := r.function(ctx, number)
	if err != nil {
		return fmt.Errorf("lane %s: %w", source.Name(), err)
	}
	defer r.closed(ctx, "function", f.Close)
	l, err := newLane(ctx, r, source, f, number)
	if err != nil {
		return fmt.Errorf("lane %s: %w", source.Name(), err)
	}
	defer l.close(ctx)
	return l.loop(ctx)
}

// grow takes up lanes that appear, until reading ends.
func (r *run) grow(ctx context.Context, group *errgroup.Group, source Growing) error {
	read, stop := until(ctx, r.drained)
	defer stop()
	retry := waits{
		first: time.Duration(r.Delivery.BackoffMs) * time.Millisecond,
		most:  time.Duration(r.Delivery.MaxBackoffMs) * time.Millisecond,
	}
	for attempt := 0; ; {
		lanes, err := source.Grown(read)
		r.begin(ctx, group, lanes)
		switch {
		case read.Err() != nil, errors.Is(err, io.EOF):
			return nil
		case err == nil:
			attempt = 0
			continue
		case terminal(err):
			return err
		}
		r.Observer.Failed(SourceFailure, err)
		r.Logger.Warn("cannot look for more partitions", "error", err)
		if retry.wait(read, nil, attempt) != nil {
			return nil
		}
		attempt++
	}
}

// share is what one lane may read at once. Half of the budget is for what lanes wait to
// read, so that idle ones starve nobody; the rest is for batches under way.
func (r *run) share() int64 {
	return max(1, min(r.Limits.BatchBytes, r.Budget.limit/int64(2*max(1, r.lanes.active()))))
}

func (r *run) function(ctx context.Context, lane int) (Function, error) {
	if r.Functions == nil {
		return newUnchanged(), nil
	}
	return r.Functions.ForLane(ctx, lane)
}

// idle says whether Run must wait although no lane is left.
func (r *run) idle(lanes int) bool { return lanes == 0 || r.fenced.Load() > 0 }

func (r *run) waitDrain(hard context.Context) {
	select {
	case <-r.drained:
	case <-hard.Done():
	}
}

// closeAll closes what Run was given, each part once, in the direction of the data.
func closeAll(ctx context.Context, c Config) {
	r := run{Config: c}
	r.closed(ctx, "source", c.Source.Close)
	r.closed(ctx, "sink", c.Sink.Close)
	if c.DeadLetter != nil {
		r.closed(ctx, "dead letter sink", c.DeadLetter.Close)
	}
}

// closed runs close even when ctx has ended. A failure is only worth a line: whatever
// was settled is durable already.
func (r *run) closed(ctx context.Context, what string, closing func(context.Context) error) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), closeTimeout)
	defer cancel()
	if err := closing(ctx); err != nil {
		r.Logger.Warn("cannot close "+what, "error", err)
	}
}

// terminal says whether no retry can help.
func terminal(err error) bool {
	var t *TerminalError
	return errors.As(err, &t)
}
