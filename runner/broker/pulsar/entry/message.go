//nolint:gosec // two's complement is the protocol's encoding, and lengths are bounded by the frame
package entry

import (
	"encoding/base64"
	"encoding/binary"
)

// Message is one message of an entry, read or to be written. Slices alias the entry.
type Message struct {
	Index       int    // in its entry
	Value       []byte // nil: a null value, which differs from an empty one
	Key         []byte // as on the wire; nil: none. KeyBytes undoes the encoding
	KeyEncoded  bool   // Key is in base64
	NullKey     bool   // the producer set a null key
	OrderingKey []byte // instead of Key where keys are dispatched
	EventTime   int64  // ms since the epoch; 0: not set
	Sequence    uint64
	Compacted   bool // compaction took the message out: there is nothing but its index
	Properties  Properties

	null  bool
	plain bool // nothing was set but Index, Value, Sequence and size
	size  uint64
}

// KeyBytes is the key as its producer gave it. Only an encoded key is copied; one that
// says so and is not valid is returned as it is.
func (m *Message) KeyBytes() []byte {
	if !m.KeyEncoded || len(m.Key) == 0 {
		return m.Key
	}
	k, err := base64.StdEncoding.AppendDecode(nil, m.Key)
	if err != nil {
		return m.Key
	}
	return k
}

// Messages walks the messages of an entry. It is a value and allocates nothing.
type Messages struct {
	entry *Entry
	rest  []byte
	next  int
	err   error
}

// Messages starts at the first one.
func (e *Entry) Messages() Messages {
	return Messages{entry: e, rest: e.payload}
}

// Err is the defect that ended the walk early; nil after a whole one.
func (w *Messages) Err() error { return w.err }

// Next reads one message into m, in which nobody else wrote since the last Next. False:
// there are no more, or Err says why not.
func (w *Messages) Next(m *Message) bool {
	e := w.entry
	if w.next >= e.Count || w.err != nil {
		return false
	}
	if !e.Batched {
		*m = e.shared
		m.Sequence = e.Sequence
		if !m.null {
			m.Value = e.payload
		}
		w.next++
		return true
	}
	if !w.batched(m) {
		w.err = defect(BatchFraming, "message %d of %d does not fit", w.next, e.Count)
		return false
	}
	w.next++
	return true
}

func (w *Messages) batched(m *Message) bool {
	b := w.rest
	if len(b) < 4 {
		return false
	}
	n := binary.BigEndian.Uint32(b)
	b = b[4:]
	if uint64(n) > uint64(len(b)) {
		return false
	}
	if !m.plain {
		*m = Message{}
	}
	m.Index, m.Sequence = w.next, w.entry.Sequence+uint64(w.next)
	// Most messages have a size and a number and nothing else.
	i := m.usual(b[:n])
	if m.plain = i == int(n); !m.plain && (i == bad || !m.decode(b[:n:n])) {
		return false
	}
	b = b[n:]
	if m.size > uint64(len(b)) {
		return false
	}
	if m.Value = b[:m.size:m.size]; m.null {
		m.Value = nil
	}
	w.rest = b[m.size:]
	return true
}

// usual reads a size of one or two bytes, and a number after it, and returns where it
// stopped.
func (m *Message) usual(b []byte) int {
	if len(b) < 3 || b[0] != singleSize {
		return 0
	}
	i := 2
	m.size = uint64(b[1])
	if b[1] >= 0x80 {
		if b[2] >= 0x80 {
			return 0
		}
		m.size = uint64(b[1]&0x7f) | uint64(b[2])<<7
		i = 3
	}
	if i < len(b) && b[i] == singleSequence {
		m.Sequence, i = uvarint(b, i+1)
	}
	return i
}

// Tags of the fields of the protocol's SingleMessageMetadata, with their wire type.
const (
	singleKey         = 2<<3 | 2
	singleSize        = 3 << 3
	singleCompacted   = 4 << 3
	singleEventTime   = 5 << 3
	singleKeyEncoded  = 6 << 3
	singleOrderingKey = 7<<3 | 2
	singleSequence    = 8 << 3
	singleNullValue   = 9 << 3
	singleNullKey     = 10 << 3
)

func (m *Message) decode(b []byte) bool {
	sized := false
	for i := 0; i < len(b); {
		tag, at := uvarint(b, i)
		switch {
		case at == bad:
			return false
		case tag == singleSize:
			m.size, i = uvarint(b, at)
			sized = true
		case tag == batchProperty:
			_, next := span(b, at)
			m.Properties.add(b, i, next, batchProperty)
			i = next
		case tag&7 == 0:
			i = m.number(b, at, tag)
		case tag == singleKey:
			m.Key, i = span(b, at)
		case tag == singleOrderingKey:
			m.OrderingKey, i = span(b, at)
		default:
			i = skip(b, at, tag)
		}
		if i == bad {
			return false
		}
	}
	if m.NullKey {
		m.Key = nil
	}
	return sized
}

func (m *Message) number(b []byte, i int, tag uint64) int {
	v, i := uvarint(b, i)
	switch tag {
	case singleCompacted:
		m.Compacted = v != 0
	case singleEventTime:
		m.EventTime = int64(v)
	case singleKeyEncoded:
		m.KeyEncoded = v != 0
	case singleSequence:
		m.Sequence = v
	case singleNullValue:
		m.null = v != 0
	case singleNullKey:
		m.NullKey = v != 0
	}
	return i
}
