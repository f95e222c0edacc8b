package function

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"slices"
)

const (
	null        = 0xffffffff
	kindNone    = 0
	kindValue   = 1
	kindOutputs = 2
	kindError   = 3
	maxErrText  = 4096
)

var errMalformed = errors.New("malformed batch")

// columns are a BATCH payload taken apart; everything shares its memory.
type columns struct {
	id       uint64
	n        int
	lengths  []byte // of values
	metaLens []byte
	values   []byte
	metas    []byte
}

// decodeBatch finds the columns and checks that they fit.
func decodeBatch(payload []byte) (columns, error) {
	c := cursor{b: payload}
	out := columns{id: c.u64(), n: int(c.u32())}
	out.lengths, out.metaLens = c.take(4*out.n), c.take(4*out.n)
	if c.bad {
		return out, errMalformed
	}
	var values, metas uint64
	for i := 0; i < len(out.lengths); i += 4 {
		if n := binary.BigEndian.Uint32(out.lengths[i:]); n != null {
			values += uint64(n)
		}
		metas += uint64(binary.BigEndian.Uint32(out.metaLens[i:]))
	}
	if values+metas != uint64(len(c.b)) {
		return out, errMalformed
	}
	out.values, out.metas = c.b[:values:values], c.b[values:]
	return out, nil
}

// next takes the value of message i off the front; calls are made in order.
func (b *columns) next(i int) []byte {
	n := binary.BigEndian.Uint32(b.lengths[4*i:])
	if n == null {
		return nil
	}
	v := b.values[:n:n]
	b.values = b.values[n:]
	return v
}

// messages decodes everything into dst, which is reused from batch to batch.
func (b *columns) messages(dst []Message) ([]Message, error) {
	dst = slices.Grow(dst[:0], b.n)[:b.n]
	text := string(b.metas) // one allocation for all strings of the batch
	for i := range dst {
		dst[i] = Message{Value: b.next(i)}
		size := int(binary.BigEndian.Uint32(b.metaLens[4*i:]))
		m := cursor{b: b.metas[:size:size]}
		decodeMeta(&m, text[:size], &dst[i])
		if m.bad || len(m.b) != 0 {
			return nil, errMalformed
		}
		b.metas, text = b.metas[size:], text[size:]
	}
	return dst, nil
}

func decodeMeta(c *cursor, text string, m *Message) {
	size := len(c.b)
	str := func(n uint32) string {
		at := size - len(c.b)
		if c.take(int(n)) == nil {
			return ""
		}
		return text[at : at+int(n)]
	}
	m.Partition, m.Redelivery = int(c.u32()), int(c.u32())
	m.EventTime, m.PublishTime = int64(c.u64()), int64(c.u64()) //nolint:gosec // two's complement is the layout
	topic, id, key, props := c.u32(), c.u32(), c.u32(), c.u32()
	m.Topic, m.ID = str(topic), str(id)
	m.Key = c.nullable(key)
	if c.bad || int(props) > len(c.b)/8 {
		c.bad = true
		return
	}
	if props > 0 {
		m.Properties = make(map[string]string, props)
	}
	for range props {
		k, v := c.u32(), c.u32()
		name := str(k)
		m.Properties[name] = str(v)
	}
}

// encoder builds a RESULTS payload column by column; its buffers live on from batch
// to batch.
type encoder struct {
	id      uint64
	limit   int
	kinds   []byte
	lengths []byte
	bodies  []byte
	payload []byte
}

func (e *encoder) reset(id uint64, limit int) {
	e.id, e.limit = id, limit
	e.kinds, e.lengths, e.bodies = e.kinds[:0], e.lengths[:0], e.bodies[:0]
}

// done closes the body that began at start, or turns it into a failure when the
// payload would pass the limit: the message is retried in a smaller batch.
func (e *encoder) done(kind byte, start int) {
	if size := len(e.bodies) - start; len(e.bodies) > e.limit-(1<<16)-5*len(e.kinds) {
		e.bodies = e.bodies[:start]
		e.fail(fmt.Errorf("a result of %d bytes passes the limit of %d bytes for the results of a batch", size, e.limit))
		return
	}
	e.kinds = append(e.kinds, kind)
	e.lengths = binary.BigEndian.AppendUint32(e.lengths, uint32(len(e.bodies)-start)) //nolint:gosec // below limit
}

func (e *encoder) none() {
	e.kinds = append(e.kinds, kindNone)
	e.lengths = append(e.lengths, 0, 0, 0, 0)
}

func (e *encoder) value(v []byte) {
	start := len(e.bodies)
	e.bodies = append(e.bodies, v...)
	e.done(kindValue, start)
}

func (e *encoder) fail(err error) {
	text := err.Error()
	if len(text) > maxErrText {
		text = text[:maxErrText]
	}
	e.kinds = append(e.kinds, kindError)
	e.lengths = binary.BigEndian.AppendUint32(e.lengths, uint32(len(text))) //nolint:gosec // at most maxErrText
	e.bodies = append(e.bodies, text...)
}

func (e *encoder) outputs(outs []Message) {
	start := len(e.bodies)
	e.bodies = appendLen(e.bodies, len(outs))
	for i := range outs {
		e.bodies = appendOutput(e.bodies, &outs[i])
	}
	e.done(kindOutputs, start)
}

func (e *encoder) finish(metrics map[string][]float64) []byte {
	b := binary.BigEndian.AppendUint64(e.payload[:0], e.id)
	b = appendLen(b, len(e.kinds))
	b = append(b, e.kinds...)
	b = append(b, e.lengths...)
	b = append(b, e.bodies...)
	e.payload = appendMetrics(b, metrics)
	return e.payload
}

func appendMetrics(b []byte, metrics map[string][]float64) []byte {
	b = appendLen(b, len(metrics))
	names := make([]string, 0, len(metrics))
	for name := range metrics {
		names = append(names, name)
	}
	slices.Sort(names)
	for _, name := range names {
		b = appendLen(b, len(name))
		b = appendLen(b, len(metrics[name]))
		b = append(b, name...)
		for _, v := range metrics[name] {
			b = binary.BigEndian.AppendUint64(b, math.Float64bits(v))
		}
	}
	return b
}

func appendOutput(b []byte, m *Message) []byte {
	b = appendLen(b, len(m.Topic))
	b = binary.BigEndian.AppendUint64(b, uint64(m.EventTime)) //nolint:gosec // two's complement is the layout
	b = appendBytesLen(b, m.Key)
	b = appendBytesLen(b, m.Value)
	b = appendLen(b, len(m.Properties))
	b = append(b, m.Topic...)
	b = append(b, m.Key...)
	b = append(b, m.Value...)
	for k, v := range m.Properties {
		b = appendLen(b, len(k))
		b = appendLen(b, len(v))
		b = append(b, k...)
		b = append(b, v...)
	}
	return b
}

func appendLen(b []byte, n int) []byte {
	return binary.BigEndian.AppendUint32(b, uint32(n)) //nolint:gosec // bounded by the frame limit
}

func appendBytesLen(b, v []byte) []byte {
	if v == nil {
		return binary.BigEndian.AppendUint32(b, null)
	}
	return appendLen(b, len(v))
}

// cursor reads from the front; after a read past the end everything is zero and bad
// is set.
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
