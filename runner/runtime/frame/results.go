package frame

import (
	"encoding/binary"
	"fmt"
	"math"

	"github.com/functionmesh/terraform-provider-functionmesh/runner/pipeline"
)

// The kinds of result; the package comment has their bodies.
const (
	kindNone byte = iota
	kindValue
	kindOutputs
	kindError
)

// UserError is a failure that user code reported.
type UserError struct{ Text string }

// Error returns the text as user code gave it.
func (e *UserError) Error() string { return e.Text }

// Results is one decoded RESULTS payload.
type Results struct {
	ID      uint64
	Results []pipeline.Result
	Metrics []Metric
}

// Metric is what user code observed under one name during the batch.
type Metric struct {
	Name   string
	Values []float64
}

// Observe hands every observation to observe, which may be nil.
func Observe(metrics []Metric, observe func(name string, value float64)) {
	if observe == nil {
		return
	}
	for _, m := range metrics {
		for _, v := range m.Values {
			observe(m.Name, v)
		}
	}
}

// DecodeResults reads the answer to the batch in. The results share the payload's
// memory; destinations are as user code wrote them, the sink gives them their full name.
func DecodeResults(payload []byte, in []pipeline.Message) (Results, error) {
	c := cursor{b: payload}
	out := Results{ID: c.u64()}
	n := int(c.u32())
	if c.bad || n != len(in) {
		return out, fmt.Errorf("%w: results for %d messages, batch had %d", ErrMalformed, n, len(in))
	}
	kinds := c.take(n)
	lengths := c.take(4 * n)
	if c.bad {
		return out, fmt.Errorf("%w: truncated results", ErrMalformed)
	}
	out.Results = make([]pipeline.Result, n)
	plain := make([]pipeline.Message, 0, n)
	for i := range n {
		body := c.take(int(binary.BigEndian.Uint32(lengths[4*i:])))
		if c.bad {
			return out, fmt.Errorf("%w: result %d is truncated", ErrMalformed, i)
		}
		if kinds[i] == kindValue {
			plain = append(plain, pipeline.Message{Key: in[i].Key, Value: body, EventTime: in[i].EventTime})
			out.Results[i].Outputs = plain[len(plain)-1 : len(plain) : len(plain)]
			continue
		}
		if !decodeResult(kinds[i], body, &out.Results[i]) {
			return out, fmt.Errorf("%w: result %d of kind %d", ErrMalformed, i, kinds[i])
		}
	}
	out.Metrics = c.metrics()
	if c.bad || len(c.b) != 0 {
		return out, fmt.Errorf("%w: results end in the wrong place", ErrMalformed)
	}
	return out, nil
}

// decodeResult reads a result that is not a plain value.
func decodeResult(kind byte, body []byte, r *pipeline.Result) (ok bool) {
	switch kind {
	case kindNone:
		return true
	case kindOutputs:
		r.Outputs = decodeOutputs(body)
		return r.Outputs != nil
	case kindError:
		r.Err = &UserError{Text: string(body)}
		return true
	default:
		return false
	}
}

// decodeOutputs returns nil when the body breaks the layout.
func decodeOutputs(body []byte) []pipeline.Message {
	c := cursor{b: body}
	n := int(c.u32())
	if c.bad || n > len(c.b)/outputLen {
		return nil
	}
	outs := make([]pipeline.Message, n)
	for i := range outs {
		c.output(&outs[i])
	}
	if c.bad || len(c.b) != 0 {
		return nil
	}
	return outs
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

// cursor reads a payload from the front; after a read past the end everything is
// zero and bad is set.
type cursor struct {
	b   []byte
	bad bool
}

func (c *cursor) take(n int) []byte {
	if c.bad || n < 0 || n > len(c.b) {
		c.bad = true
		return nil
	}
	out := c.b[:n:n]
	c.b = c.b[n:]
	return out
}

func (c *cursor) u32() uint32 {
	if b := c.take(4); b != nil {
		return binary.BigEndian.Uint32(b)
	}
	return 0
}

func (c *cursor) u64() uint64 {
	if b := c.take(8); b != nil {
		return binary.BigEndian.Uint64(b)
	}
	return 0
}

func (c *cursor) nullable(n uint32) []byte {
	if n == null {
		return nil
	}
	b := c.take(int(n))
	if b == nil && !c.bad {
		return []byte{}
	}
	return b
}

func (c *cursor) output(m *pipeline.Message) {
	topic := c.u32()
	m.EventTime = int64(c.u64()) //nolint:gosec // two's complement is the layout
	key, value, props := c.u32(), c.u32(), c.u32()
	m.Topic = string(c.take(int(topic)))
	m.Key = c.nullable(key)
	m.Value = c.nullable(value)
	if c.bad || int(props) > len(c.b)/propertyLen {
		c.bad = true
		return
	}
	if props > 0 {
		m.Properties = make(map[string]string, props)
	}
	for range props {
		k, v := c.u32(), c.u32()
		name := string(c.take(int(k)))
		m.Properties[name] = string(c.take(int(v)))
	}
}

func (c *cursor) metrics() []Metric {
	n := int(c.u32())
	if c.bad || n > len(c.b)/propertyLen {
		c.bad = true
		return nil
	}
	out := make([]Metric, 0, n)
	for range n {
		name, count := int(c.u32()), int(c.u32())
		m := Metric{Name: string(c.take(name))}
		raw := c.take(8 * count)
		m.Values = make([]float64, 0, len(raw)/8)
		for ; len(raw) > 0; raw = raw[8:] {
			m.Values = append(m.Values, math.Float64frombits(binary.BigEndian.Uint64(raw)))
		}
		out = append(out, m)
	}
	return out
}
