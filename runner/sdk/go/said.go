package function

import (
	"encoding/binary"
	"time"
)

// said is what user code did during a batch besides returning results.
type said struct {
	metrics map[string][]float64
	acks    []byte // encoded
	ackN    int
	logs    []byte // encoded
	logN    int
}

// append appends what follows the bodies of results.
func (s *said) append(b []byte, version int) []byte {
	b = appendMetrics(b, s.metrics)
	if version == 1 {
		return b
	}
	b = append(appendLen(b, s.ackN), s.acks...)
	return append(appendLen(b, s.logN), s.logs...)
}

// appendDone appends that the message at work, that of index, is done.
func appendDone(b []byte, index int) []byte { return append(appendLen(b, index), 2) }

// appendAck appends what is said of any message while that of index is at work.
func appendAck(b []byte, index int, m *Message, nack bool) []byte {
	flag := byte(0)
	if nack {
		flag = 1
	}
	b = append(appendLen(b, index), flag)
	b = appendLen(b, len(m.Topic))
	b = appendLen(b, m.partition())
	b = binary.BigEndian.AppendUint64(b, uint64(m.Position.Ledger)) //nolint:gosec // two's complement is the layout
	b = binary.BigEndian.AppendUint64(b, uint64(m.Position.Entry))  //nolint:gosec // two's complement is the layout
	b = appendLen(b, int(m.Position.Index))
	b = appendLen(b, int(m.Position.Count))
	return append(b, m.Topic...)
}

func appendRecord(b []byte, level byte, index int, at time.Time, text string) []byte {
	b = append(b, level)
	b = appendLen(b, index)
	b = binary.BigEndian.AppendUint64(b, uint64(at.UnixMilli()))
	return append(appendLen(b, len(text)), text...)
}
