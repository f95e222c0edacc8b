package pipeline

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// errUnknown ends an at-most-once write whose fate nobody knows.
var errUnknown = errors.New("dropped: writing again could duplicate")

// lastingError is a failure that another attempt cannot change.
type lastingError struct{ err error }

func (e *lastingError) Error() string { return e.err.Error() }
func (e *lastingError) Unwrap() error { return e.err }

// work is a batch on its way.
type work struct {
	Batch
	hold      hold
	results   []Result
	reusable  bool // results are as one call of the function returned them
	failed    int  // results with an error when the function returned
	acks      []Ack
	attempts  map[int]int  // of messages retried in place
	buried    map[int]bool // messages of an ordered lane that became dead letters
	lost      bool         // at-most-once: the broker may deliver it to another
	refused   int          // whose output the sink refused last
	processed int
	took      time.Duration

	own     []Message // memory for outputs
	pending Pending   // under way
	sent    bool      // waited for, with this outcome
	n       int
	err     error
	slow    chan struct{} // not nil: nothing is sent; closed when all is done
}

func (l *lane) newWork() *work { return &work{hold: hold{budget: l.Budget}} }

// reset forgets the batch and keeps the memory that is worth it.
func (w *work) reset() {
	clear(w.own)
	*w = work{hold: hold{budget: w.hold.budget}, own: w.own[:0], acks: w.acks[:0]}
}

// wait takes the outcome of what was sent.
func (w *work) wait(ctx context.Context) error {
	if w.pending == nil {
		return nil
	}
	w.n, w.err = w.pending.Wait(ctx)
	w.pending, w.sent = nil, true
	return w.err
}

// nextFailed is the first message from at on whose function failed.
func (w *work) nextFailed(at int) int {
	if w.reusable && w.failed == 0 {
		return len(w.results)
	}
	for ; at < len(w.results); at++ {
		if w.results[at].Err != nil {
			break
		}
	}
	return at
}

// outputs brings what messages from..to made into one slice. Failed messages have
// nothing. It is good until the next call.
func (w *work) outputs(from, to int) []Message {
	if out := adjoining(w.results[from:to]); out != nil {
		return out
	}
	w.own = w.own[:0]
	for i := from; i < to; i++ {
		if w.results[i].Err == nil {
			w.own = append(w.own, w.results[i].Outputs...)
		}
	}
	return w.own
}

// owner is which of messages from..to made number n of their outputs; to when there are
// fewer.
func (w *work) owner(from, to, n int) int {
	for ; from < to; from++ {
		if w.results[from].Err != nil {
			continue
		}
		if n -= len(w.results[from].Outputs); n < 0 {
			break
		}
	}
	return from
}

// adjoining is what all results hold, without a copy, when it lies in one array, one
// behind the other; else nil.
func adjoining(results []Result) []Message {
	var all []Message
	n := 0
	for i := range results {
		out := results[i].Outputs
		if len(out) == 0 || results[i].Err != nil {
			continue
		}
		if all == nil {
			all = out[:cap(out)]
		}
		if len(all)-n < len(out) || &all[n] != &out[0] {
			return nil
		}
		n += len(out)
	}
	return all[:n:n]
}

func size(messages []Message) int64 {
	n := int64(0)
	for i := range messages {
		n += messages[i].Size()
	}
	return n
}

// refusal is whose failure a refused message is.
func (l *lane) refusal() FailureClass {
	if l.Functions == nil {
		return SinkFailure
	}
	return User
}

// lasting marks a failure that a connector would only repeat; a function may make
// another message the next time.
func (l *lane) lasting(err error) error {
	if l.Functions == nil {
		return &lastingError{err}
	}
	return err
}

// refused turns a refusal of the sink into the failure of the message behind it.
func (l *lane) refused(w *work, err error) {
	l.failed(l.refusal(), err)
	w.reusable = false
	r := &w.results[w.refused]
	l.spell(w, &w.Messages[w.refused], r)
	*r = Result{Err: l.lasting(err)}
}

// invokeAll fills w.results and counts every failure.
func (l *lane) invokeAll(ctx context.Context, w *work) error {
	if w.lost {
		return nil
	}
	results, took, err := l.invoke(ctx, w, w.Messages)
	w.took += took
	if err != nil {
		return err
	}
	w.results = results
	bytes := int64(0)
	for i := range results {
		r := &results[i]
		bytes += l.received(w, &w.Messages[i], r)
		if r.Err != nil {
			w.failed++
		}
	}
	w.hold.count(bytes)
	l.pace.tell(len(results), w.failed, took)
	return nil
}

// received accounts for one result, completes its outputs and returns their size.
func (l *lane) received(w *work, in *Message, r *Result) int64 {
	if len(r.Acks) > 0 && l.hand != nil {
		w.acks = append(w.acks, r.Acks...)
	}
	if r.Err == nil {
		return complete(in, r.Outputs, l.forward)
	}
	l.spell(w, in, r)
	if _, lasting := errors.AsType[*lastingError](r.Err); !lasting {
		l.failed(User, r.Err) // R5: counted, whatever becomes of the message
	}
	return 0
}

// invoke calls the function until it has answered for every message. When the runtime
// itself fails, smaller calls find the message that makes it fail; one that alone uses
// up all retries has failed for good. At-most-once never calls twice.
func (l *lane) invoke(ctx context.Context, w *work, in []Message) ([]Result, time.Duration, error) {
	var results []Result
	took := time.Duration(0)
	for size, attempt := len(in), 0; len(results) < len(in); {
		part := in[len(results):min(len(results)+size, len(in))]
		began := time.Now()
		got, err := l.function.Invoke(ctx, part)
		took += time.Since(began)
		if err = answered(len(part), got, err); err == nil {
			if w.reusable = len(got) == len(w.Messages); w.reusable {
				return got, took, nil
			}
			results = append(results, got...)
			size, attempt = min(2*size, len(in)), 0
			continue
		}
		if stop := l.stops(ctx, err); stop != nil {
			return nil, took, stop
		}
		l.failed(System, err)
		switch {
		case l.once:
			results = append(results, failures(part, err)...)
			continue
		case len(part) > 1:
			size = len(part) / 2
		case attempt >= l.Delivery.MaxRetries:
			results, attempt = append(results, failures(part, err)...), 0
			continue
		}
		if err := l.retry.wait(ctx, l.drained, attempt); err != nil {
			return nil, took, err
		}
		if len(part) == 1 {
			attempt++
		}
	}
	return results, took, nil
}

// answered is err, or that there is not one result for each message.
func answered(messages int, got []Result, err error) error {
	if err == nil && len(got) != messages {
		return fmt.Errorf("the runtime answered %d messages with %d results", messages, len(got))
	}
	return err
}

func failures(part []Message, err error) []Result {
	results := make([]Result, len(part))
	for i := range results {
		results[i].Err = &lastingError{err}
	}
	return results
}

// write writes through the lane's own way into the sink, if it has one. Nothing is under
// way there.
func (l *lane) write(ctx context.Context, out []Message) (int, error) {
	if l.sender == nil {
		return l.Sink.Write(ctx, out)
	}
	defer l.sender.Resume()
	return l.sender.Send(ctx, out).Wait(ctx)
}

// attempt is the outcome of what was sent already, or of another write.
func (l *lane) attempt(ctx context.Context, w *work, out []Message) (int, error) {
	if w.sent {
		w.sent = false
		return w.n, w.err
	}
	return l.write(ctx, out)
}

// deliver writes the outputs of messages from..to and returns the first message whose
// outputs are not all durable, or to. A sink that fails is tried again: what follows
// the durable prefix waits, so order holds. What was sent already is the first attempt.
func (l *lane) deliver(ctx context.Context, w *work, from, to int) (int, error) {
	if w.sent && w.err == nil {
		w.sent = false
		w.count(from, to)
		return to, nil
	}
	out, at := w.outputs(from, to), 0
	for attempt := 0; at < len(out); attempt++ {
		n, err := l.attempt(ctx, w, out[at:])
		if at += n; err == nil || at == len(out) {
			break
		}
		if n > 0 {
			attempt = 0
		}
		done := w.owner(from, to, at)
		if l.exact {
			done = w.entryStart(done)
		}
		if stop := l.stops(ctx, err); stop != nil {
			return done, stop
		}
		if behind, ended := l.ends(err); ended != nil {
			w.refused = w.owner(from, to, min(at+behind, len(out)-1))
			w.count(from, done)
			return done, ended
		}
		l.failed(SinkFailure, err)
		if err := l.retry.wait(ctx, nil, attempt); err != nil {
			return done, err
		}
	}
	w.count(from, to)
	return to, nil
}

// ends is the error that ends a delivery because of err: a message is refused, the one
// so many behind what is durable, or, R2, what failed may be stored already.
func (l *lane) ends(err error) (behind int, ended error) {
	if refused, ok := errors.AsType[*MessageError](err); ok {
		return max(refused.At, 0), err
	}
	if !l.once || errors.Is(err, ErrUnsent) {
		return 0, nil
	}
	l.failed(SinkFailure, err)
	return 0, errUnknown
}

// count counts the messages from..to that the function processed.
func (w *work) count(from, to int) {
	if w.reusable && w.failed == 0 {
		w.processed += to - from
		return
	}
	for i := from; i < to; i++ {
		if w.results[i].Err == nil {
			w.processed++
		}
	}
}
