package pipeline

import (
	"encoding/base64"
	"encoding/binary"
	"strconv"
)

// Position is a place in one partition. Messages of one entry are stored, and
// deduplicated, together; where a broker stores messages one by one each is its own
// entry.
type Position struct {
	Ledger int64 // below 0: there are none, Entry alone numbers the messages
	Entry  int64
	Index  int32 // of the message in its entry
	Count  int32 // of messages in the entry; 0: stored alone
}

// Numbered is a position where messages have one number each.
func Numbered(n int64) Position { return Position{Ledger: -1, Entry: n} }

// Number is the position's own where messages have one number each.
func (p Position) Number() (n int64, ok bool) { return p.Entry, p.Ledger < 0 }

// SameEntry says whether two messages of one partition lie in one entry.
func (p Position) SameEntry(q Position) bool { return p.Ledger == q.Ledger && p.Entry == q.Entry }

// Last says whether no message of the entry follows.
func (p Position) Last() bool { return p.Index+1 >= p.Count }

// Before orders the positions of one partition.
func (p Position) Before(q Position) bool {
	switch {
	case p.Ledger != q.Ledger:
		return p.Ledger < q.Ledger
	case p.Entry != q.Entry:
		return p.Entry < q.Entry
	}
	return p.Index < q.Index
}

// ID is the message's id as people and user code see it, unique within the topic: a
// number, or, as Pulsar prints it, ledger:entry:partition and the index in a batch.
func (m *Message) ID() string {
	var b [64]byte
	return string(m.AppendID(b[:0]))
}

// AppendID appends ID to dst.
func (m *Message) AppendID(dst []byte) []byte {
	p := m.Position
	if p.Ledger < 0 {
		return strconv.AppendInt(dst, p.Entry, 10)
	}
	dst = append(strconv.AppendInt(dst, p.Ledger, 10), ':')
	dst = append(strconv.AppendInt(dst, p.Entry, 10), ':')
	dst = strconv.AppendInt(dst, int64(m.pulsarPartition()), 10)
	if p.Count > 0 {
		dst = strconv.AppendInt(append(dst, ':'), int64(p.Index), 10)
	}
	return dst
}

func (m *Message) pulsarPartition() int {
	if m.Unpartitioned {
		return -1
	}
	return m.Partition
}

// Fields of Pulsar's MessageIdData, as tags.
const (
	tagLedger     = 1 << 3
	tagEntry      = 2 << 3
	tagPartition  = 3 << 3
	tagBatchIndex = 4 << 3
	tagBatchSize  = 6 << 3
)

// inputIDs makes values of the property InputID: the id in base64, of a Pulsar in the
// form that its clients can read back. The ids of one entry differ in the index only, in
// four characters as long as it takes as many bytes: the rest is kept.
type inputIDs struct {
	entry     Position // whose ids they are; its Index says nothing
	partition int
	text      [96]byte
	length    int // of text; 0: nothing is kept
	width     int // bytes of the index; 0: there is none in the id
	at        int // of the four characters
	bits      uint32
	shift     int // of the index in bits
}

// of is the id of a message, valid until the next call.
func (t *inputIDs) of(m *Message) []byte {
	if m.Position.Ledger < 0 {
		var b [64]byte
		t.length = 0
		return base64.StdEncoding.AppendEncode(t.text[:0], m.AppendID(b[:0]))
	}
	if differing, ok := t.differing(m); !ok {
		t.begin(m)
	} else if t.width > 0 {
		binary.LittleEndian.PutUint32(t.text[t.at:], differing)
	}
	return t.text[:t.length]
}

// differing are the characters, in the order of bytes, in which the id of m is not that
// of the message before; false when it differs in others.
func (t *inputIDs) differing(m *Message) (chars uint32, ok bool) {
	p := m.Position
	index := uint32(p.Index) //nolint:gosec // never negative
	if p.Index = 0; t.length == 0 || t.entry != p || t.partition != m.pulsarPartition() {
		return 0, false
	}
	switch {
	case t.width == 0:
		return 0, true
	case t.width == 1 && index < 1<<7:
	case t.width == 2 && index >= 1<<7 && index < 1<<14:
		index = (index&0x7f|0x80)<<8 | index>>7
	default:
		return 0, false
	}
	b := t.bits | index<<t.shift
	return uint32(alphabet[b>>18]) | uint32(alphabet[b>>12&63])<<8 | uint32(alphabet[b>>6&63])<<16 | uint32(alphabet[b&63])<<24, true
}

const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"

// begin encodes the id of a message that is of another entry.
func (t *inputIDs) begin(m *Message) {
	p := m.Position
	t.entry, t.partition, t.width = p, m.pulsarPartition(), 0
	t.entry.Index = 0
	var raw [64]byte
	b := appendField(raw[:0], tagLedger, p.Ledger)
	b = appendField(b, tagEntry, p.Entry)
	if t.partition >= 0 {
		b = appendField(b, tagPartition, int64(t.partition))
	}
	if p.Count > 0 {
		index := len(b) + 1
		b = appendField(b, tagBatchIndex, int64(p.Index))
		width := len(b) - index
		b = appendField(b, tagBatchSize, int64(p.Count))
		t.keep(b, index, width)
	}
	t.length = len(base64.StdEncoding.AppendEncode(t.text[:0], b))
}

// keep notes where in the id b its index lies. Four characters hold 24 bits, which are
// enough for two bytes wherever they begin. The size behind the index ends the 24 bits.
func (t *inputIDs) keep(b []byte, index, width int) {
	if width > 2 {
		t.width = -1 // begun anew each time
		return
	}
	first := index * 8 / 6 * 6 // bit of the first of the characters
	lead := index*8 - first
	t.width, t.at, t.shift = width, first/6, 24-lead-8*width
	t.bits = 0
	for i := range 4 {
		at := first/8 + i // the bytes that the 24 bits lie in
		if at >= index && at < index+width || at >= len(b) {
			continue
		}
		if s := 24 + first - 8*at - 8; s >= 0 {
			t.bits |= uint32(b[at]) << s
		} else {
			t.bits |= uint32(b[at]) >> -s
		}
	}
	t.bits &= 1<<24 - 1
}

func appendField(dst []byte, tag byte, v int64) []byte {
	return binary.AppendUvarint(append(dst, tag), uint64(v)) //nolint:gosec // two's complement is the encoding
}

// Size is what the message counts against byte limits.
func (m *Message) Size() int64 {
	n := len(m.Key) + len(m.Value) + 80
	if m.Properties != nil {
		for k, v := range m.Properties {
			n += len(k) + len(v) + 16
		}
	}
	return int64(n)
}
