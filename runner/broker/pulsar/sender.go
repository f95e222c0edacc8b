package pulsar

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"sync"

	"github.com/functionmesh/terraform-provider-functionmesh/runner/broker/pulsar/conn"
	"github.com/functionmesh/terraform-provider-functionmesh/runner/broker/pulsar/conn/pulsarpb"
	"github.com/functionmesh/terraform-provider-functionmesh/runner/broker/pulsar/publisher"
	"github.com/functionmesh/terraform-provider-functionmesh/runner/pipeline"
)

// sender is one lane's way into the sink, or that of one Write at a time.
type sender struct {
	sink *Sink
	asm  assembler
	own  *outlet            // nil with effectively_once
	of   map[origin]*outlet // with effectively_once: of the input lanes seen

	mu          sync.Mutex
	outstanding int   // sends not waited for
	poison      error // of a send that failed, until Resume
	failing     bool  // one that was waited for has failed
	spare       []*pending
}

// errAfter fails sends that follow one that failed.
var errAfter = errors.New("an earlier send failed")

func newSender(s *Sink) *sender {
	w := &sender{sink: s}
	w.asm.init(w)
	if !s.exact {
		w.own = s.newOutlet()
	} else {
		w.of = map[origin]*outlet{}
	}
	return w
}

// Send implements pipeline.Sender. Everything is copied before it returns.
func (w *sender) Send(ctx context.Context, out []pipeline.Message) pipeline.Pending {
	p := w.begin(len(out))
	if p.err != nil {
		return p
	}
	if w.sink.exact {
		w.sendExact(ctx, p, out)
	} else {
		w.sendPlain(ctx, p, out)
	}
	if p.err != nil {
		w.mu.Lock()
		w.poison = p.err
		w.mu.Unlock()
	}
	return p
}

// Resume implements pipeline.Sender.
func (w *sender) Resume() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.poison, w.failing = nil, false
}

// begin is the state of another send; it fails when an earlier one has.
func (w *sender) begin(total int) *pending {
	w.mu.Lock()
	defer w.mu.Unlock()
	p := &pending{}
	if n := len(w.spare); n > 0 {
		p, w.spare = w.spare[n-1], w.spare[:n-1]
	}
	*p = pending{sender: w, sends: p.sends[:0], total: total, most: -1}
	switch {
	case w.poison == nil:
	case isRefusal(w.poison): // of another message: these are as good as before
		p.fail(0, fmt.Errorf("%w: %s", errAfter, w.poison)) //nolint:errorlint // see above
	default:
		p.fail(0, fmt.Errorf("%w: %w", errAfter, w.poison))
	}
	w.outstanding++
	return p
}

// alone says whether no other send is under way.
func (w *sender) alone() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.outstanding == 1
}

// sendPlain puts outputs of whatever inputs together.
func (w *sender) sendPlain(ctx context.Context, p *pending, out []pipeline.Message) {
	w.own.using.Lock()
	defer w.own.using.Unlock()
	w.own.alone = w.alone()
	n, err := w.asm.plan(ctx, w.own, out, nil)
	if err != nil {
		p.fail(n, err)
	}
	w.asm.send(ctx, shipment{pending: p, outlet: w.own, out: out})
}

// sendExact makes the outputs of each input entry entries of their own.
func (w *sender) sendExact(ctx context.Context, p *pending, out []pipeline.Message) {
	for from := 0; from < len(out) && p.err == nil; {
		to := groupEnd(out, from)
		if err := w.sendGroup(ctx, p, out[from:to], from); err != nil {
			p.fail(from, err)
		}
		from = to
	}
}

// groupEnd is behind the last output that is of the same input entry as the first.
func groupEnd(out []pipeline.Message, from int) int {
	first := out[from].Cause
	for to := from + 1; to < len(out); to++ {
		in := out[to].Cause
		if first == nil || in == nil || in.Partition != first.Partition || !in.Position.SameEntry(first.Position) || in.Topic != first.Topic {
			return to
		}
	}
	return len(out)
}

// errNoCause is a message that no input made: there is nothing to number it by.
var errNoCause = errors.New("effectively_once: a message without the input that it was made of cannot be numbered")

func (w *sender) sendGroup(ctx context.Context, p *pending, group []pipeline.Message, base int) error {
	in := group[0].Cause
	if in == nil {
		return &pipeline.MessageError{Err: errNoCause}
	}
	if _, err := sequence(idOf(in), 0); err != nil {
		return &pipeline.TerminalError{Reason: reasonNotNumbered, Err: err}
	}
	o, err := w.outlet(ctx, origin{in.Topic, in.Partition})
	if err != nil {
		return err
	}
	o.using.Lock()
	defer o.using.Unlock()
	o.alone = w.alone() && base == 0
	n, err := w.asm.plan(ctx, o, group, in)
	if err != nil {
		if refused, ok := errors.AsType[*pipeline.MessageError](err); ok {
			return &pipeline.MessageError{Err: refused.Err, At: n}
		}
		return err // R3: nothing of the entry is written unless all of it can be
	}
	w.asm.send(ctx, shipment{pending: p, outlet: o, out: group, base: base, in: in})
	return nil
}

func (w *sender) outlet(ctx context.Context, from origin) (*outlet, error) {
	if o := w.of[from]; o != nil {
		return o, nil
	}
	o, err := w.sink.lane(ctx, from)
	if err == nil {
		w.of[from] = o
	}
	return o, err
}

// Check implements pipeline.Checker.
func (w *sender) Check(ctx context.Context, out []pipeline.Message) error {
	if !w.sink.exact || len(out) == 0 || out[0].Cause == nil {
		return nil
	}
	in := out[0].Cause
	o, err := w.outlet(ctx, origin{in.Topic, in.Partition})
	if err != nil {
		return err
	}
	o.using.Lock()
	defer o.using.Unlock()
	o.alone = true // what was sent before is known, or nothing would be checked
	n, err := w.asm.plan(ctx, o, out, in)
	if refused, ok := errors.AsType[*pipeline.MessageError](err); ok {
		return &pipeline.MessageError{Err: refused.Err, At: n}
	}
	return err
}

// Close implements pipeline.Sender: it closes the lane's producers.
func (w *sender) Close(ctx context.Context) error {
	if w.own != nil {
		w.own.using.Lock()
		defer w.own.using.Unlock()
		return w.own.close(ctx)
	}
	var err error
	for from, o := range w.of {
		err = errors.Join(err, w.sink.leave(ctx, o))
		delete(w.of, from)
	}
	return err
}

// waited takes a send back.
func (w *sender) waited(p *pending, err error) {
	w.mu.Lock()
	first := err != nil && !w.failing
	if err != nil {
		// What was sent after it cannot be stopped, what comes can.
		w.failing = true
		w.poison = cmp.Or(w.poison, err)
	}
	w.mu.Unlock()
	if first {
		p.renumber()
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.outstanding--
	p.sender = nil
	w.spare = append(w.spare, p)
}

// pending is one Send under way.
type pending struct {
	sender *sender
	sends  []sent
	total  int
	at     int   // messages from here on were not sent because of err
	most   int   // last message that was handed to a producer
	err    error // of the send itself
}

// sent is one entry under way.
type sent struct {
	receipt *publisher.Receipt
	outlet  *outlet
	dest    *dest
	number  uint64
	first   int // message that counts as not durable with it
}

// fail ends the send before message at.
func (p *pending) fail(at int, err error) {
	if p.err == nil || at < p.at {
		p.at, p.err = at, err
	}
}

// Wait implements pipeline.Pending.
func (p *pending) Wait(ctx context.Context) (int, error) {
	n, failure := p.total, error(nil)
	if p.err != nil {
		n, failure = p.at, p.err
	}
	repeats := 0
	for i := range p.sends {
		_, repeat, err := p.sends[i].receipt.Wait(ctx)
		if repeat {
			repeats++
		}
		if err != nil && p.sends[i].first < n {
			n, failure = p.sends[i].first, p.explain(ctx, err)
		}
	}
	w, unsent := p.sender, p.most < n
	w.sink.repeated(repeats)
	if failure != nil && unsent && !isRefusal(failure) {
		failure = fmt.Errorf("%w: %w", pipeline.ErrUnsent, failure)
	}
	w.waited(p, failure)
	return n, failure
}

func isRefusal(err error) bool {
	_, ok := errors.AsType[*pipeline.MessageError](err)
	return ok
}

// explain says what the failure of an entry means for its messages.
func (p *pending) explain(ctx context.Context, err error) error {
	var server *conn.ServerError
	switch {
	case ctx.Err() != nil:
		return context.Cause(ctx)
	case errors.Is(err, publisher.ErrTooBig):
		return &pipeline.MessageError{Err: fmt.Errorf("%w: %w", ErrTooLarge, err)}
	case errors.Is(err, publisher.ErrFenced):
		return fmt.Errorf("publish: %w", err)
	case errors.As(err, &server) && server.Code == pulsarpb.Code_NOT_ALLOWED && !p.sender.sink.exact:
		return &pipeline.MessageError{Err: err}
	}
	return fmt.Errorf("publish: %w", classed(err))
}

// renumber makes the next attempt at the same input entries give them the same numbers.
func (p *pending) renumber() {
	if !p.sender.sink.exact {
		return
	}
	for i := len(p.sends) - 1; i >= 0; i-- {
		s := &p.sends[i]
		s.outlet.using.Lock()
		s.dest.last, s.dest.chunk = numbered(s.number), int(s.number&(1<<chunkBits-1))
		s.outlet.using.Unlock()
	}
}
