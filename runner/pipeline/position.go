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

// appendInputID appends the value of the property InputID: the id in base64, of a
// Pulsar in the form that its clients can read back.
func (m *Message) appendInputID(dst []byte) []byte {
	var b [64]byte
	id := b[:0]
	p := m.Position
	if p.Ledger < 0 {
		return base64.StdEncoding.AppendEncode(dst, m.AppendID(id))
	}
	id = appendField(id, tagLedger, p.Ledger)
	id = appendField(id, tagEntry, p.Entry)
	if !m.Unpartitioned {
		id = appendField(id, tagPartition, int64(m.Partition))
	}
	if p.Count > 0 {
		id = appendField(id, tagBatchIndex, int64(p.Index))
		id = appendField(id, tagBatchSize, int64(p.Count))
	}
	return base64.StdEncoding.AppendEncode(dst, id)
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
