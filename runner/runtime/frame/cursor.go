package frame

import (
	"encoding/binary"
	"math"
	"time"

	"github.com/functionmesh/terraform-provider-functionmesh/runner/pipeline"
)

const (
	ackLen    = 5  // what every acknowledgement has
	recordLen = 17 // fixed part of a record of the log
)

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

func (c *cursor) u8() byte {
	if b := c.take(1); b != nil {
		return b[0]
	}
	return 0
}

func (c *cursor) u32() uint32 {
	if b := c.take(4); b != nil {
		return binary.BigEndian.Uint32(b)
	}
	return 0
}

func (c *cursor) i32() int32 { return int32(c.u32()) } //nolint:gosec // two's complement is the layout

func (c *cursor) u64() uint64 {
	if b := c.take(8); b != nil {
		return binary.BigEndian.Uint64(b)
	}
	return 0
}

func (c *cursor) i64() int64 { return int64(c.u64()) } //nolint:gosec // two's complement is the layout

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

// text takes n bytes as a string. The same text as before costs nothing.
func (c *cursor) text(n int, before *string) string {
	if b := c.take(n); string(b) != *before {
		*before = string(b)
	}
	return *before
}

func (c *cursor) output(m *pipeline.Message, topic *string) {
	size := c.u32()
	m.EventTime = c.i64()
	key, value, props := c.u32(), c.u32(), c.u32()
	m.Topic = c.text(int(size), topic)
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

func (c *cursor) ack(nack bool, topic *string) pipeline.Ack {
	a := pipeline.Ack{Nack: nack}
	size := int(c.u32())
	a.Partition = int(max(c.i32(), 0))
	a.Position.Ledger, a.Position.Entry = c.i64(), c.i64()
	a.Position.Index, a.Position.Count = c.i32(), c.i32()
	a.Topic = c.text(size, topic)
	return a
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

func (c *cursor) logs(in []pipeline.Message) []LogRecord {
	n := int(c.u32())
	if c.bad || n > len(c.b)/recordLen {
		c.bad = true
		return nil
	}
	out := make([]LogRecord, 0, n)
	for range n {
		r := LogRecord{Level: Level(c.u8())}
		at := c.u32()
		r.Time = time.UnixMilli(c.i64())
		r.Text = string(c.take(int(c.u32())))
		if at != null && int(at) < len(in) {
			r.Message = in[at].ID()
		}
		out = append(out, r)
	}
	return out
}
