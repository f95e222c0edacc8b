package function

import (
	"context"
	"fmt"
)

// Result is what the batch form made of one message: outputs or a failure.
type Result struct {
	Outputs []Message
	Err     error
}

// Handler is the set of forms that a function may have:
//
//   - a value in, a value out; a nil value publishes nothing
//   - a message in, any number of messages out, each to its own topic if it names one
//   - a batch in, one Result per message out, in order; an error fails the whole batch
type Handler interface {
	func([]byte) ([]byte, error) |
		func(context.Context, Message) ([]Message, error) |
		func(context.Context, []Message) ([]Result, error)
}

// Main hands the function to the runner. In a worker process it serves until the
// runner ends it and then exits the process; in a WASM module it returns at once and
// the runner's calls follow. Call it last in main.
func Main[H Handler](handler H) {
	switch h := any(handler).(type) {
	case func([]byte) ([]byte, error):
		serve(&program{value: h})
	case func(context.Context, Message) ([]Message, error):
		serve(&program{message: h})
	case func(context.Context, []Message) ([]Result, error):
		serve(&program{batch: h})
	}
}

// program is a handler and what it runs in. Exactly one form is set.
type program struct {
	value   func([]byte) ([]byte, error)
	message func(context.Context, Message) ([]Message, error)
	batch   func(context.Context, []Message) ([]Result, error)

	version  int // of the protocol
	instance *Instance
	ctx      context.Context //nolint:containedctx // the life of the program, handed to every call
	in       []Message       // reused from batch to batch
	out      encoder
	said     said            // of the batch before, whose memory is used again
	progress func(index int) // told before each message; nil: nobody asks
}

// run calls user code for every message of the BATCH payload and returns the RESULTS
// frame, valid until the next run.
func (p *program) run(payload []byte) ([]byte, error) {
	b, err := decodeBatch(payload, p.version)
	if err != nil {
		return nil, err
	}
	p.out.reset(b.id, b.n, p.instance.maxFrame())
	if p.value == nil {
		if p.in, err = b.messages(p.in); err != nil {
			return nil, err
		}
	}
	first := 0
	if p.batch != nil {
		first = none
	}
	p.instance.begin(b.id, p.in, first)
	switch {
	case p.batch != nil:
		p.runBatch()
	case p.value != nil:
		for i := 0; i < b.n; {
			i = p.valuesFrom(&b, i)
		}
	default:
		for i := 0; i < b.n; {
			i = p.messagesFrom(i)
		}
	}
	p.said = p.instance.take(p.said)
	return p.out.finish(&p.said, p.version), nil
}

// valuesFrom calls the value form until the end, or until a panic, and returns where
// to go on: one recover for many messages.
func (p *program) valuesFrom(b *columns, from int) (next int) {
	defer p.recovered(&next)
	for next = from; next < b.n; next++ {
		p.step(next)
		value, err := p.value(b.next(next))
		switch {
		case err != nil:
			p.out.fail(err)
		case value == nil:
			p.out.none()
		default:
			p.out.value(value)
		}
	}
	return next
}

// messagesFrom is valuesFrom for the message form.
func (p *program) messagesFrom(from int) (next int) {
	defer p.recovered(&next)
	for next = from; next < len(p.in); next++ {
		p.step(next)
		outs, err := p.message(p.ctx, p.in[next])
		p.result(Result{Outputs: outs, Err: err})
	}
	return next
}

// recovered turns a panic of user code into the failure of message *next (R5).
func (p *program) recovered(next *int) {
	if r := recover(); r != nil {
		p.out.fail(fmt.Errorf("panic: %v", r))
		*next++
	}
}

func (p *program) step(i int) {
	p.instance.at(i)
	if p.progress != nil {
		p.progress(i)
	}
}

func (p *program) runBatch() {
	results, err := p.callBatch()
	if err == nil && len(results) != len(p.in) {
		err = fmt.Errorf("the function returned %d results for %d messages", len(results), len(p.in))
	}
	for i := range p.in {
		if err != nil {
			p.out.fail(err)
			continue
		}
		p.result(results[i])
	}
}

func (p *program) callBatch() (out []Result, err error) {
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("panic: %v", r)
		}
	}()
	return p.batch(p.ctx, p.in)
}

func (p *program) result(r Result) {
	switch {
	case r.Err != nil:
		p.out.fail(r.Err)
	case len(r.Outputs) == 0:
		p.out.none()
	case len(r.Outputs) == 1 && r.Outputs[0].plain():
		p.out.value(r.Outputs[0].Value)
	default:
		p.out.outputs(r.Outputs)
	}
}
