package function

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"slices"
)

const (
	typeHello    = 1
	typeStart    = 2
	typeReady    = 3
	typeFailed   = 4
	typeBatch    = 5
	typeResults  = 6
	typeStop     = 7
	typeProgress = 8
	typeLog      = 9

	typeBatchAt   = 10
	typeResultsAt = 11
	slots         = 2 // of the shared memory
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

const (
	hasMetas = 1
	fixedLen = 72 // of a meta
	frameLen = 5  // of a frame's header
)

// columns are a BATCH payload taken apart; everything shares its memory.
type columns struct {
	id       uint64
	n        int
	lengths  []byte // of values
	values   []byte
	metas    []byte // what is not a value; nil: none was asked for
	metaLens []byte // protocol 1
	v1       bool
}

// decodeBatch finds the columns and checks that they fit.
func decodeBatch(payload []byte, version int) (columns, error) {
	c := cursor{b: payload}
	out := columns{id: c.u64(), n: int(c.u32()), v1: version == 1}
	flags := byte(hasMetas)
	if out.v1 {
		out.lengths, out.metaLens = c.take(4*out.n), c.take(4*out.n)
	} else {
		flags, out.lengths = c.u8(), c.take(4*out.n)
	}
	values := uint64(0)
	for b := out.lengths; len(b) >= 4; b = b[4:] {
		if n := binary.BigEndian.Uint32(b); n != null {
			values += uint64(n)
		}
	}
	if c.bad || values > uint64(len(c.b)) {
		return out, errMalformed
	}
	out.values = c.take(int(values))
	if flags&hasMetas != 0 {
		out.metas = c.b
	} else if len(c.b) != 0 {
		return out, errMalformed
	}
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
	if b.v1 {
		return dst, b.messages1(dst)
	}
	c := cursor{b: b.metas}
	topics := c.topics()
	fixed := c.take(fixedLen * b.n)
	if c.bad {
		return nil, errMalformed
	}
	text := string(c.b) // one allocation for all strings of the batch
	for i := range dst {
		dst[i] = Message{Value: b.next(i)}
		if !decodeFixed(fixed[fixedLen*i:], c.b, text, topics, &dst[i]) {
			return nil, errMalformed
		}
	}
	return dst, nil
}

func (c *cursor) topics() []string {
	n := int(c.u32())
	if c.bad || n > len(c.b)/4 {
		c.bad = true
		return nil
	}
	names := make([]string, n)
	for i := range names {
		names[i] = string(c.take(int(c.u32())))
	}
	return names
}

// decodeFixed reads one meta: its fixed part, and what that says about the variable
// part in rest, of which text is the same.
//
//nolint:gosec // two's complement is the layout
func decodeFixed(fixed, rest []byte, text string, topics []string, m *Message) bool {
	f := cursor{b: fixed[:fixedLen]}
	topic, partition := f.u32(), int32(f.u32())
	m.Redelivery = int(f.u32())
	m.Position.Index, m.Position.Count = int32(f.u32()), int32(f.u32())
	m.Position.Ledger, m.Position.Entry = int64(f.u64()), int64(f.u64())
	m.EventTime, m.PublishTime = int64(f.u64()), int64(f.u64())
	key, schema, props, at := f.u32(), f.u32(), f.u32(), f.u32()
	if int(topic) >= len(topics) || int(at) > len(rest) {
		return false
	}
	m.Topic, m.Partition, m.Unpartitioned = topics[topic], int(max(partition, 0)), partition < 0
	c := cursor{b: rest[at:]}
	m.Key, m.Schema = c.nullable(key), c.nullable(schema)
	m.Properties = c.properties(int(props), text[at:])
	return !c.bad
}

// properties reads n pairs; text is what the cursor began with.
func (c *cursor) properties(n int, text string) map[string]string {
	if c.bad || n > len(c.b)/8 {
		c.bad = true
		return nil
	}
	if n == 0 {
		return nil
	}
	found := make(map[string]string, n)
	for range n {
		k, v := int(c.u32()), int(c.u32())
		at := len(text) - len(c.b)
		if c.take(k); c.take(v) == nil && c.bad {
			return nil
		}
		found[text[at:at+k]] = text[at+k : at+k+v]
	}
	return found
}

// messages1 is messages for protocol 1.
func (b *columns) messages1(dst []Message) error {
	for i := range dst {
		dst[i] = Message{Value: b.next(i)}
		size := int(binary.BigEndian.Uint32(b.metaLens[4*i:]))
		if size > len(b.metas) {
			return errMalformed
		}
		m := cursor{b: b.metas[:size:size]}
		decodeMeta1(&m, &dst[i])
		if m.bad || len(m.b) != 0 {
			return errMalformed
		}
		b.metas = b.metas[size:]
	}
	if len(b.metas) != 0 {
		return errMalformed
	}
	return nil
}

func decodeMeta1(c *cursor, m *Message) {
	m.Partition, m.Redelivery = int(c.u32()), int(c.u32())
	m.EventTime, m.PublishTime = int64(c.u64()), int64(c.u64()) //nolint:gosec // two's complement is the layout
	topic, id, key, props := c.u32(), c.u32(), c.u32(), c.u32()
	m.Topic, m.id = string(c.take(int(topic))), string(c.take(int(id)))
	m.Key = c.nullable(key)
	m.Properties = c.properties(int(props), string(c.b))
}

// encoder builds a RESULTS frame in one buffer that lives on from batch to batch: the
// columns have their place from the start, and bodies are written where they stay.
type encoder struct {
	limit  int
	n      int // of results so far
	of     int
	buf    []byte
	placed []byte // where it should be; nil: anywhere
	own    []byte // the buffer where there is no other place
	bodies int    // where they begin
}

// place is where the next results go; nil: into memory of the encoder's own.
func (e *encoder) place(b []byte) {
	if !e.inPlace() {
		e.own = e.buf
	}
	if e.placed = b; b == nil {
		b = e.own
	}
	e.buf = b[:0]
}

// inPlace says whether the results are where place said: they leave it when they grow
// too large.
func (e *encoder) inPlace() bool {
	return cap(e.placed) > 0 && cap(e.buf) > 0 && &e.buf[:1][0] == &e.placed[:1][0]
}

func (e *encoder) reset(id uint64, n, limit int) {
	const counters = frameLen + 12
	e.n, e.of, e.limit, e.bodies = 0, n, limit, counters+5*n
	e.buf = slices.Grow(e.buf[:0], e.bodies)[:e.bodies]
	e.buf[4] = typeResults
	binary.BigEndian.PutUint64(e.buf[frameLen:], id)
	binary.BigEndian.PutUint32(e.buf[frameLen+8:], uint32(n)) //nolint:gosec // n came in 32 bits
}

// add closes the body that began at start.
func (e *encoder) add(kind byte, start int) {
	columns := e.buf[frameLen+12:]
	columns[e.n] = kind
	binary.BigEndian.PutUint32(columns[e.of+4*e.n:], uint32(len(e.buf)-start)) //nolint:gosec // below limit
	e.n++
}

// done is add, unless the payload would pass the limit: then the message fails, and is
// retried in a smaller batch.
func (e *encoder) done(kind byte, start int) {
	if len(e.buf)-e.bodies > e.limit-(1<<16)-5*e.n {
		size := len(e.buf) - start
		e.buf = e.buf[:start]
		e.fail(fmt.Errorf("a result of %d bytes passes the limit of %d bytes for the results of a batch", size, e.limit))
		return
	}
	e.add(kind, start)
}

func (e *encoder) none() { e.add(kindNone, len(e.buf)) }

func (e *encoder) value(v []byte) {
	start := len(e.buf)
	e.buf = append(e.buf, v...)
	e.done(kindValue, start)
}

func (e *encoder) fail(err error) {
	text, start := err.Error(), len(e.buf)
	e.buf = append(e.buf, text[:min(len(text), maxErrText)]...)
	e.add(kindError, start)
}

func (e *encoder) outputs(outs []Message) {
	start := len(e.buf)
	e.buf = appendLen(e.buf, len(outs))
	for i := range outs {
		e.buf = appendOutput(e.buf, &outs[i])
	}
	e.done(kindOutputs, start)
}

// finish appends the sections after the bodies and returns the whole frame.
func (e *encoder) finish(s *said, version int) []byte {
	e.buf = s.append(e.buf, version)
	binary.BigEndian.PutUint32(e.buf, uint32(len(e.buf)-4)) //nolint:gosec // bounded by the limit
	return e.buf
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
