package frame

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"

	"github.com/functionmesh/terraform-provider-functionmesh/runner/pipeline"
)

// The kinds of result; the package comment has their bodies.
const (
	kindNone byte = iota
	kindValue
	kindOutputs
	kindError
)

// What an acknowledgement says: done, to be delivered again, or that the message at work
// is done itself.
const (
	_ byte = iota
	ackAgain
	ackItself
)

const outputLen = 24 // fixed part of an output

// UserError is a failure that user code reported.
type UserError struct{ Text string }

// Error returns the text as user code gave it.
func (e *UserError) Error() string { return e.Text }

// Results is one decoded RESULTS payload. Its memory is used again by the next Decode
// into it.
type Results struct {
	Payload []byte // where Receive puts what Decode reads; the results share it
	ID      uint64
	Results []pipeline.Result
	Metrics []Metric
	Logs    []LogRecord

	outputs []pipeline.Message
	acks    []pipeline.Ack
}

// reset makes room for n results with total outputs. What was there is written over or
// forgotten: what is behind the lengths must not keep alive what it pointed to.
func (r *Results) reset(n, total int) {
	if n < len(r.Results) {
		clear(r.Results[n:])
	}
	if total < len(r.outputs) {
		clear(r.outputs[total:])
	}
	clear(r.acks)
	r.Results = slices.Grow(r.Results[:0], n+1)[:n]
	// Never grown later: results point into it, and lie open to its end, so that the
	// pipeline need not copy them to have them in one piece.
	r.outputs = slices.Grow(r.outputs[:0], total)
	r.acks, r.Metrics, r.Logs = r.acks[:0], nil, nil
	// Behind the end, where nobody looks: Owner finds its way back from there.
	r.Results[:n+1][n] = pipeline.Result{Err: owner{r}}
}

// Receive makes room for a payload of n bytes and returns it.
func (r *Results) Receive(n int) []byte {
	if cap(r.Payload) < n {
		r.Payload = make([]byte, n)
	}
	r.Payload = r.Payload[:n]
	return r.Payload
}

// owner is a mark and never an error that anybody sees.
type owner struct{ of *Results }

func (owner) Error() string { return "results end here" }

// Owner is what the results were decoded into, nil when they are not all of one Decode.
func Owner(results []pipeline.Result) *Results {
	if len(results) == cap(results) {
		return nil
	}
	mark, ok := errors.AsType[owner](results[:len(results)+1][len(results)].Err)
	if !ok || len(mark.of.Results) != len(results) {
		return nil
	}
	return mark.of
}

// Decode reads the answer to the batch in, r.Payload, into r. The results share its
// memory; destinations are as user code wrote them, the sink gives them their full name.
func (c Codec) Decode(in []pipeline.Message, r *Results) error {
	p := cursor{b: r.Payload}
	r.ID = p.u64()
	n := int(p.u32())
	if p.bad || n != len(in) {
		return fmt.Errorf("%w: results for %d messages, batch had %d", ErrMalformed, n, len(in))
	}
	kinds := p.take(n)
	lengths := p.take(4 * n)
	if p.bad {
		return fmt.Errorf("%w: truncated results", ErrMalformed)
	}
	total, ok := countOutputs(p.b, kinds, lengths)
	if !ok {
		return fmt.Errorf("%w: bodies are truncated", ErrMalformed)
	}
	r.reset(n, total)
	for i, kind := range kinds {
		body := p.take(int(binary.BigEndian.Uint32(lengths[4*i:])))
		if kind == kindValue {
			at := len(r.outputs)
			r.outputs = r.outputs[:at+1]
			// In place, field by field: a value that is formed elsewhere and copied waits
			// for the stores that formed it. What only inputs have was never set.
			out := &r.outputs[at]
			out.Key, out.Value, out.EventTime = in[i].Key, body, in[i].EventTime
			out.Topic, out.Properties, out.Cause, out.Forward = "", nil, nil, 0
			result := &r.Results[i]
			result.Outputs, result.Err, result.Acks, result.Done = r.outputs[at:at+1], nil, nil, false
			continue
		}
		r.Results[i] = pipeline.Result{}
		if !r.result(kind, body, &r.Results[i]) {
			return fmt.Errorf("%w: result %d of kind %d", ErrMalformed, i, kind)
		}
	}
	r.Metrics = p.metrics()
	if c.Version > 1 {
		r.settled(&p, in)
		r.Logs = p.logs(in)
	}
	if p.bad || len(p.b) != 0 {
		return fmt.Errorf("%w: results end in the wrong place", ErrMalformed)
	}
	return nil
}

// countOutputs is how many messages the bodies hold; false when they do not fit.
func countOutputs(bodies, kinds, lengths []byte) (n int, ok bool) {
	if n = bytes.Count(kinds, []byte{kindValue}); n == len(kinds) {
		return n, true // the usual case; bodies that do not fit are found when they are taken
	}
	at := 0
	for i, kind := range kinds {
		size := int(binary.BigEndian.Uint32(lengths[4*i:]))
		if size > len(bodies)-at {
			return 0, false
		}
		if kind == kindOutputs {
			if size < 4 {
				return 0, false
			}
			count := int(binary.BigEndian.Uint32(bodies[at:]))
			if count > (size-4)/outputLen {
				return 0, false
			}
			n += count
		}
		at += size
	}
	return n, true
}

// result reads a result that is not a plain value.
func (r *Results) result(kind byte, body []byte, into *pipeline.Result) (ok bool) {
	switch kind {
	case kindNone:
		return true
	case kindOutputs:
		return r.decodeOutputs(body, into)
	case kindError:
		into.Err = &UserError{Text: string(body)}
		return true
	default:
		return false
	}
}

func (r *Results) decodeOutputs(body []byte, into *pipeline.Result) (ok bool) {
	c := cursor{b: body}
	n, from := int(c.u32()), len(r.outputs)
	r.outputs = r.outputs[:from+n]
	clear(r.outputs[from:])
	into.Outputs = r.outputs[from : from+n]
	topic := ""
	for i := range into.Outputs {
		c.output(&into.Outputs[i], &topic)
	}
	return !c.bad && len(c.b) == 0
}

// settled reads what user code acknowledged by itself, in the order of its messages.
func (r *Results) settled(c *cursor, in []pipeline.Message) {
	n := int(c.u32())
	if c.bad || n > len(c.b)/ackLen {
		c.bad = true
		return
	}
	last, topic := 0, ""
	if len(in) > 0 {
		topic = in[0].Topic
	}
	for range n {
		i, said := int(c.u32()), c.u8()
		if c.bad || said > ackItself || i < last || i >= len(in) {
			c.bad = true
			return
		}
		last = i
		switch {
		case said != ackItself:
			r.said(i, c.ack(said == ackAgain, &topic))
		case r.Results[i].Acks == nil:
			r.Results[i].Done = true
		default: // what was said of it before goes first
			r.said(i, pipeline.Ack{Topic: in[i].Topic, Partition: in[i].Partition, Position: in[i].Position})
		}
	}
}

// said adds an acknowledgement to a result; those of one follow each other.
func (r *Results) said(i int, a pipeline.Ack) {
	r.acks = append(r.acks, a)
	at, into := len(r.acks), &r.Results[i]
	into.Acks = r.acks[at-len(into.Acks)-1 : at : at]
}

// DecodeProgress reads a PROGRESS payload.
func DecodeProgress(payload []byte) (id uint64, index int, err error) {
	c := cursor{b: payload}
	id, index = c.u64(), int(c.u32())
	if c.bad || len(c.b) != 0 {
		return 0, 0, fmt.Errorf("%w: progress of %d bytes", ErrMalformed, len(payload))
	}
	return id, index, nil
}

// DecodeLogs reads a LOG payload; messages are those of a batch under way.
func DecodeLogs(payload []byte, messages func(batch uint64) []pipeline.Message) ([]LogRecord, error) {
	c := cursor{b: payload}
	records := c.logs(messages(c.u64()))
	if c.bad || len(c.b) != 0 {
		return nil, fmt.Errorf("%w: log of %d bytes", ErrMalformed, len(payload))
	}
	return records, nil
}
