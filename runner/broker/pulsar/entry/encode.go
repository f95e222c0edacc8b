//nolint:gosec // two's complement is the protocol's encoding, and lengths are bounded by the frame
package entry

import (
	"bytes"
	"encoding/base64"
	"encoding/binary"
	"hash/crc32"
	"sync"
	"unicode/utf8"
)

// Header is what all messages of an entry share.
type Header struct {
	Producer    string // name, as the broker gave or took it
	Codec       Codec
	Schema      []byte // version; nil: none
	Batched     bool   // false: exactly one message, framed alone
	PublishTime int64  // ms since the epoch
	Sequence    uint64 // of the first message
	Numbered    bool   // messages of a batch count on from Sequence; false: the entry has that one number
	DeliverAt   int64  // ms since the epoch; 0: at once
	Replicated  string // cluster that the entry is said to come from; "": none
}

// Encoded is one entry as a frame that is ready to be sent. The publisher writes it as
// it is, but for the producer's id, which it sets.
type Encoded struct {
	Frame    []byte
	Sequence uint64
	Highest  uint64 // Sequence again where the entry has one number
	Count    int    // messages

	pool   *Pool
	memory []byte // what Frame is the end of
}

// Release gives the memory back; Frame must not be used any more. Twice is safe.
func (e *Encoded) Release() {
	if e.pool != nil && e.Frame != nil {
		e.pool.put(e.memory)
	}
	e.Frame, e.pool, e.memory = nil, nil, nil
}

// Size is the part that a broker's largest message bounds: metadata and payload.
func (e *Encoded) Size() int { return len(e.Frame) - fixedHead - commandSize(e) }

// Pool keeps memory of frames. The zero value is ready; safe for concurrent use.
type Pool struct {
	pool sync.Pool
}

// largestKept bounds what one odd huge entry leaves behind.
const largestKept = 1 << 20

func (p *Pool) get() []byte {
	if b, ok := p.pool.Get().(*[]byte); ok {
		return (*b)[:0]
	}
	return make([]byte, 0, 16<<10)
}

func (p *Pool) put(b []byte) {
	if cap(b) <= largestKept {
		p.pool.Put(&b)
	}
}

// Encoder forms entries: Begin, Append for each message, Finish. It keeps its buffers,
// so a lane has one of its own. The zero value with a nil Pool is ready.
type Encoder struct {
	Pool *Pool // nil: frames are not reused

	header Header
	count  int
	body   []byte // messages, behind room for what comes before them
	meta   []byte
	staged []byte // properties of the message to come
	single Message
	key    []byte // shared by all messages so far
	mixed  bool   // they do not share one
	keyed  Message
	pack   packer
	mould  *Mould // of the message to come; nil: none
	fill   uint32
}

// room is kept in front of the messages, so that they need not be moved behind a
// usual command and metadata.
const room = 256

// Begin starts an entry and drops one that was not finished.
func (e *Encoder) Begin(h Header) {
	e.header = h
	e.count, e.mixed = 0, false
	e.staged, e.key, e.mould = e.staged[:0], e.key[:0], nil
	e.keyed = Message{}
	if cap(e.body) < room {
		e.body = e.take()
	}
	e.body = e.body[:room]
}

func (e *Encoder) take() []byte {
	if e.Pool != nil {
		if b := e.Pool.get(); cap(b) >= room {
			return b
		}
	}
	return make([]byte, 0, 16<<10)
}

// Count and Size tell how many messages were appended and their bytes unpacked.
func (e *Encoder) Count() int { return e.count }

// Size is what Append added, before compression.
func (e *Encoder) Size() int { return max(0, len(e.body)-room) }

// Property adds one to the message that is appended next.
func (e *Encoder) Property(key, value string) {
	e.staged = appendProperty(e.staged, e.tag(), key, value)
}

// Cast gives the message that is appended next the properties of a mould, with these four
// bytes in their place.
func (e *Encoder) Cast(m *Mould, fill uint32) {
	if e.header.Batched && len(e.staged) == 0 {
		e.mould, e.fill = m, fill
		return
	}
	e.staged = m.append(e.staged, e.tag(), fill)
}

// Forward adds all properties of a message that was read to the one appended next,
// without building them.
func (e *Encoder) Forward(p *Properties) {
	tag := e.tag()
	if p.count > 0 && p.tag == tag && p.dense() {
		e.staged = append(e.staged, p.meta[p.from:p.to]...)
		return
	}
	for k, v := range p.All() {
		e.staged = appendProperty(e.staged, tag, k, v)
	}
}

func (e *Encoder) tag() byte {
	if e.header.Batched {
		return batchProperty
	}
	return entryProperty
}

// Append adds a message with the properties it has and those added before. Index and
// Sequence of it are not used. A key that is no text is written in base64, as Pulsar
// does. The message is copied, so m may change afterwards.
func (e *Encoder) Append(m *Message) {
	if m.Properties.count > 0 {
		e.Forward(&m.Properties)
	}
	if len(m.Key) > 0 && !m.KeyEncoded && !utf8.Valid(m.Key) {
		coded := *m
		coded.Key, coded.KeyEncoded = base64.StdEncoding.AppendEncode(nil, m.Key), true
		m = &coded
	}
	if !e.header.Batched {
		e.appendOnly(m)
		return
	}
	if !e.mixed {
		e.shareKey(m)
	}
	e.appendSingle(m)
	e.staged = e.staged[:0]
	e.count++
}

// appendOnly takes the message of an entry that has no other.
func (e *Encoder) appendOnly(m *Message) {
	e.single = Message{
		Key: bytes.Clone(m.Key), KeyEncoded: m.KeyEncoded, NullKey: m.NullKey, OrderingKey: bytes.Clone(m.OrderingKey),
		EventTime: m.EventTime, null: m.Value == nil,
	}
	e.body = append(e.body[:room], m.Value...)
	e.count++
}

// shareKey remembers the key of a batch as long as all its messages have the same one:
// brokers dispatch the batch by it then.
func (e *Encoder) shareKey(m *Message) {
	switch e.count {
	case 0:
		e.keyed = Message{KeyEncoded: m.KeyEncoded}
		e.key = append(e.key[:0], m.Key...)
		e.keyed.OrderingKey = append(e.keyed.OrderingKey[:0], m.OrderingKey...)
		e.mixed = m.Key == nil && m.OrderingKey == nil
	default:
		e.mixed = !bytes.Equal(e.key, m.Key) || m.KeyEncoded != e.keyed.KeyEncoded || !bytes.Equal(e.keyed.OrderingKey, m.OrderingKey)
	}
}

// singleRoom is more than the fields of a message in a batch take that have a fixed
// size: its length, and size, times, flags and numbers.
const singleRoom = 4 + 6 + 2 + 11 + 11 + 2 + 2

func (e *Encoder) appendSingle(m *Message) {
	b := e.body
	at := len(b)
	if cap(b)-at < singleRoom+len(m.Value) {
		b = grow(b, max(len(b), singleRoom+len(m.Value)))
	}
	b = b[:at+4]
	if e.mould != nil {
		b = e.mould.append(b, batchProperty, e.fill)
		e.mould = nil
	}
	if len(e.staged) > 0 || m.Key != nil || m.OrderingKey != nil {
		b = append(b, e.staged...)
		b = appendKeys(b, m)
	}
	b = appendUvarint(append(b, singleSize), uint64(len(m.Value)))
	if m.Compacted || m.EventTime != 0 || m.Value == nil || m.NullKey {
		b = appendRare(b, m)
	}
	if e.header.Numbered {
		b = appendUvarint(append(b, singleSequence), e.header.Sequence+uint64(e.count))
	}
	binary.BigEndian.PutUint32(b[at:], uint32(len(b)-at-4))
	b = append(b, m.Value...)
	e.body = b
}

func appendRare(b []byte, m *Message) []byte {
	if m.Compacted {
		b = append(b, singleCompacted, 1)
	}
	if m.EventTime != 0 {
		b = appendUvarint(append(b, singleEventTime), uint64(m.EventTime))
	}
	if m.Value == nil {
		b = append(b, singleNullValue, 1)
	}
	if m.NullKey {
		b = append(b, singleNullKey, 1)
	}
	return b
}

func appendKeys(b []byte, m *Message) []byte {
	if m.Key != nil {
		b = append(appendUvarint(append(b, singleKey), uint64(len(m.Key))), m.Key...)
		if m.KeyEncoded {
			b = append(b, singleKeyEncoded, 1)
		}
	}
	if m.OrderingKey != nil {
		b = append(appendUvarint(append(b, singleOrderingKey), uint64(len(m.OrderingKey))), m.OrderingKey...)
	}
	return b
}

// Finish forms the frame. The encoder can begin the next entry at once.
func (e *Encoder) Finish() (Encoded, error) {
	if e.count == 0 || !e.header.Batched && e.count != 1 {
		return Encoded{}, defect(BatchFraming, "%d messages, batched: %t", e.count, e.header.Batched)
	}
	out := Encoded{Sequence: e.header.Sequence, Highest: e.header.Sequence, Count: e.count, pool: e.Pool}
	if e.header.Batched && e.header.Numbered {
		out.Highest += uint64(e.count) - 1
	}
	unpacked := len(e.body) - room
	whole := e.body
	if e.header.Codec != None {
		packed, err := e.pack.pack(e.header.Codec, e.take()[:room], e.body[room:])
		if err != nil {
			return Encoded{}, err
		}
		whole = packed
	} else {
		e.body = nil // it leaves with the frame
	}
	e.meta = e.appendMetadata(e.meta[:0], &out, unpacked)
	out.Frame = e.frame(whole, &out)
	return out, nil
}

// fixedHead is the bytes of a frame beside command, metadata and payload: two lengths,
// magic, checksum, one length.
const fixedHead = 4 + 4 + 2 + 4 + 4

// frame puts command and metadata in front of the payload in whole[room:], in the room
// before it where they fit.
func (e *Encoder) frame(whole []byte, out *Encoded) []byte {
	command := commandSize(out)
	head := fixedHead + command + len(e.meta)
	if head > room {
		moved := make([]byte, head, head+len(whole)-room)
		whole = append(moved, whole[room:]...)
		out.memory = whole
	} else {
		out.memory = whole
		whole = whole[room-head:]
	}
	binary.BigEndian.PutUint32(whole, uint32(len(whole)-4))
	binary.BigEndian.PutUint32(whole[4:], uint32(command))
	appendCommand(whole[8:8:8+command], out)
	b := whole[8+command:]
	binary.BigEndian.PutUint16(b, magicChecksum)
	binary.BigEndian.PutUint32(b[6:], uint32(len(e.meta)))
	copy(b[10:], e.meta)
	binary.BigEndian.PutUint32(b[2:], crc32.Checksum(b[6:], castagnoli))
	return whole
}

// Detach gives Frame new memory and leaves the old to the garbage collector, because a
// connection may still read it.
func (e *Encoded) Detach(frame []byte) {
	e.Frame, e.pool, e.memory = frame, nil, nil
}
