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
// form that its clients can read back. The ids of one entry differ in their end only, so
// their beginning is kept.
type inputIDs struct {
	entry     Position // whose beginning it is; its Index says nothing
	partition int
	raw       [64]byte
	length    int // of the beginning, in raw
	whole     int // of it, what needs not be encoded again: a multiple of three
	text      [96]byte
	encoded   int
}

// of is the id of a message, valid until the next call.
func (t *inputIDs) of(m *Message) []byte {
	p := m.Position
	if p.Ledger < 0 {
		var b [64]byte
		return base64.StdEncoding.AppendEncode(t.text[:0], m.AppendID(b[:0]))
	}
	if p.Index = 0; t.length == 0 || t.entry != p || t.partition != m.pulsarPartition() {
		t.begin(p, m.pulsarPartition())
	}
	end := t.raw[:t.length]
	if p.Count > 0 {
		end = appendField(end, tagBatchIndex, int64(m.Position.Index))
		end = appendField(end, tagBatchSize, int64(p.Count))
	}
	return base64.StdEncoding.AppendEncode(t.text[:t.encoded], end[t.whole:])
}

// begin encodes what the ids of an entry have in common.
func (t *inputIDs) begin(p Position, partition int) {
	t.entry, t.partition = p, partition
	b := appendField(t.raw[:0], tagLedger, p.Ledger)
	b = appendField(b, tagEntry, p.Entry)
	if partition >= 0 {
		b = appendField(b, tagPartition, int64(partition))
	}
	t.length, t.whole = len(b), len(b)/3*3
	t.encoded = base64.StdEncoding.EncodedLen(t.whole)
	base64.StdEncoding.Encode(t.text[:], t.raw[:t.whole])
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
