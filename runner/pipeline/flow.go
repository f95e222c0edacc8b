package pipeline

import (
	"context"
	"errors"
	"io"
)

// depth is how many batches of one lane are between their read and their end. With
// at-most-once they are acknowledged already, and lost with the instance or with what
// was sent to a broker that goes away: one is settled, one invoked and one written.
const (
	depth     = 8
	onceDepth = 3
)

// flow has several batches of a lane under way: its front reads, invokes and sends while
// its back waits for receipts and settles, in order. Whatever is out of the ordinary is
// the back's: it lets what was sent before come to its end and then goes the slow way,
// step by step, as a lane without a Sender does.
type flow struct {
	*lane
	free  chan *work
	queue chan *work    // has room for all of them
	alone chan struct{} // with at-most-once: holds one while nothing sent is under way
	begun bool          // something was read since the flow last rested
	stuck bool          // with the turn: what was sent could not be brought to its end
	ended chan struct{}
	err   error // the back's, once it has ended
}

func (l *lane) flow(ctx, read context.Context) error {
	read, stop := context.WithCancel(read)
	defer stop()
	f := &flow{lane: l, free: make(chan *work, depth), queue: make(chan *work, depth), alone: make(chan struct{}, 1), ended: make(chan struct{})}
	f.alone <- struct{}{}
	most := depth
	if l.once {
		most = onceDepth
	}
	for range most {
		f.free <- l.newWork()
	}
	go func() {
		defer close(f.ended)
		defer stop()
		f.err = f.back(ctx)
	}()
	err := f.front(ctx, read)
	close(f.queue)
	<-f.ended
	for w := range f.queue { // left by a back that failed
		w.hold.release()
	}
	if f.err != nil {
		return f.err
	}
	return err
}

// front reads, invokes and sends until reading ends.
func (f *flow) front(ctx, read context.Context) error {
	fetch, stop := f.fetch, func() {}
	if f.once {
		fetch, stop = f.ahead(ctx, read)
	}
	defer stop()
	for {
		w, err := fetch(ctx, read)
		if err != nil {
			return err
		}
		slow, err := f.begin(ctx, w)
		if err != nil {
			f.done(w, err)
			return err
		}
		if slow == nil {
			continue
		}
		// R4: what follows a failed message of an ordered lane is not even sent.
		select {
		case <-slow:
		case <-f.ended:
		}
	}
}

// fetch reads a batch, and settles it when that comes first.
func (f *flow) fetch(ctx, read context.Context) (*work, error) {
	for {
		var w *work
		select {
		case w = <-f.free:
		case <-read.Done():
			return nil, f.stopped(ctx)
		}
		err := f.next(ctx, read, w)
		if f.begun && !f.once && errors.Is(err, io.EOF) {
			// What is under way may come again.
			f.free <- w
			f.rest(read)
			f.begun = false
			continue
		}
		if err == nil {
			f.begun = true
			if err = f.claim(ctx, w); err != nil {
				f.done(w, err)
			}
		}
		return w, err
	}
}

// ahead reads and settles the next batch while one is invoked: with at-most-once the
// broker's confirmation is waited for before the function may see a message. It is a
// fetch, and a function that waits for its goroutine.
func (f *flow) ahead(ctx, read context.Context) (fetch func(_, _ context.Context) (*work, error), stop func()) {
	type fetched struct {
		w   *work
		err error
	}
	next := make(chan fetched)
	read, cancel := context.WithCancel(read)
	go func() {
		defer close(next)
		for {
			w, err := f.fetch(ctx, read)
			next <- fetched{w, err}
			if err != nil {
				return
			}
		}
	}()
	fetch = func(context.Context, context.Context) (*work, error) {
		got := <-next
		return got.w, got.err
	}
	return fetch, func() {
		cancel()
		for got := range next { // of a lane that ends with an error
			if got.err == nil {
				got.w.hold.release()
			}
		}
	}
}

// rest waits until nothing is under way.
func (f *flow) rest(read context.Context) {
	var all [depth]*work
	for i := range all {
		select {
		case all[i] = <-f.free:
		case <-read.Done():
			return
		}
	}
	for _, w := range all {
		f.free <- w
	}
}

// begin takes a batch as far as it goes without waiting for the broker; it is the back's
// then. The channel, unless nil, is closed when it is done, and nothing is sent before.
func (f *flow) begin(ctx context.Context, w *work) (<-chan struct{}, error) {
	f.turn.Lock()
	defer f.turn.Unlock()
	if f.stuck {
		return nil, errDrained // R4: nothing may pass what the back has given up
	}
	if err := f.invokeAll(ctx, w); err != nil {
		return nil, err
	}
	if f.once && !f.wait() {
		return nil, errDrained
	}
	if w.failed > 0 && !f.once && f.source.Ordered() {
		w.slow = make(chan struct{})
	} else if out := w.outputs(0, len(w.results)); len(out) > 0 {
		w.pending = f.sender.Send(ctx, out)
	}
	slow := w.slow
	f.queue <- w
	return slow, nil
}

// wait gives the turn away until nothing sent is under way. What was sent to a broker
// that then gives the topic up may not be sent again, what was not sent can wait for the
// next one. False: the back has ended.
func (f *flow) wait() bool {
	f.turn.Unlock()
	defer f.turn.Lock()
	select {
	case <-f.alone:
		return true
	case <-f.ended:
		return false
	}
}

// back settles in order what the front began.
func (f *flow) back(ctx context.Context) error {
	for w := range f.queue {
		if w.slow != nil || w.wait(ctx) != nil {
			if err := f.slowly(ctx, w); err != nil {
				return err
			}
			continue
		}
		err := f.finish(ctx, w)
		f.give(w, err)
		if err != nil {
			return err
		}
	}
	return nil
}

// slowly takes a batch that failed, and all that were sent after it, to their end while
// the front may not send.
func (f *flow) slowly(ctx context.Context, first *work) error {
	f.turn.Lock()
	defer f.turn.Unlock()
	all := f.sent(ctx, first)
	f.sender.Resume() // R4: with the turn, or the front would send past what failed
	for i, w := range all {
		err := f.finish(ctx, w)
		f.give(w, err)
		if err != nil {
			f.stuck = true
			for _, rest := range all[i+1:] {
				rest.hold.release()
			}
			return err
		}
	}
	return nil
}

// sent is first and what was sent after it, all of it waited for.
func (f *flow) sent(ctx context.Context, first *work) []*work {
	all := []*work{first}
	for {
		select {
		case w, ok := <-f.queue:
			if !ok {
				return all
			}
			_ = w.wait(ctx) // kept in w
			all = append(all, w)
		default:
			return all
		}
	}
}

// give returns a finished batch's place to the front.
func (f *flow) give(w *work, err error) {
	slow := w.slow
	f.done(w, err)
	if slow != nil {
		close(slow)
	}
	if f.once {
		f.alone <- struct{}{}
	}
	f.free <- w
}
