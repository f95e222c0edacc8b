package frame

import (
	"encoding/binary"
	"slices"

	"github.com/functionmesh/terraform-provider-functionmesh/runner/pipeline"
)

const (
	null        = 0xffffffff
	hasMetas    = 1  // flag of a batch
	headLen     = 13 // id, n and flags of a batch
	fixedLen    = 72 // fixed part of a meta
	propertyLen = 8  // fixed part of a property
	countersLen = 12 // id and n
)

// appendValues appends the two columns that every batch has.
func appendValues(dst []byte, in []pipeline.Message) []byte {
	lengths := len(dst)
	dst = slices.Grow(dst, 4*len(in))[:lengths+4*len(in)]
	for i := range in {
		v := in[i].Value
		binary.BigEndian.PutUint32(dst[lengths+4*i:], size(v))
		dst = append(dst, v...)
	}
	return dst
}

// topics gives every topic and schema version of a batch a number. A batch has few,
// and neighbours have the same.
type topics struct {
	names []string
	last  int
}

func (t *topics) number(name string) int {
	if len(t.names) > 0 && t.names[t.last] == name {
		return t.last
	}
	if t.last = slices.Index(t.names, name); t.last < 0 {
		t.names, t.last = append(t.names, name), len(t.names)
	}
	return t.last
}

// appendMetas appends the topics, the fixed parts, and then the variable parts.
func appendMetas(dst []byte, in []pipeline.Message) []byte {
	var t topics
	for i := range in {
		t.number(in[i].Topic)
	}
	dst = appendLen(dst, len(t.names))
	for _, name := range t.names {
		dst = append(appendLen(dst, len(name)), name...)
	}
	fixed := len(dst)
	dst = slices.Grow(dst, fixedLen*len(in))[:fixed+fixedLen*len(in)]
	rest := len(dst)
	for i := range in {
		m := &in[i]
		putFixed(dst[fixed+fixedLen*i:], m, t.number(m.Topic), len(dst)-rest)
		dst = appendVariable(dst, m)
	}
	return dst
}

//nolint:gosec // two's complement is the layout, and sizes are bounded by the frame limit
func putFixed(dst []byte, m *pipeline.Message, topic, at int) {
	be := binary.BigEndian
	be.PutUint32(dst, uint32(topic))
	be.PutUint32(dst[4:], uint32(partition(m)))
	be.PutUint32(dst[8:], uint32(m.Redelivery))
	be.PutUint32(dst[12:], uint32(m.Position.Index))
	be.PutUint32(dst[16:], uint32(m.Position.Count))
	be.PutUint64(dst[20:], uint64(m.Position.Ledger))
	be.PutUint64(dst[28:], uint64(m.Position.Entry))
	be.PutUint64(dst[36:], uint64(m.EventTime))
	be.PutUint64(dst[44:], uint64(m.PublishTime))
	be.PutUint32(dst[52:], size(m.Key))
	be.PutUint32(dst[56:], size(m.Schema))
	be.PutUint32(dst[60:], uint32(len(m.Properties)))
	be.PutUint32(dst[64:], uint32(at))
	be.PutUint32(dst[68:], 0)
}

// partition is -1 where the broker knows none.
func partition(m *pipeline.Message) int {
	if m.Unpartitioned {
		return -1
	}
	return m.Partition
}

func size(b []byte) uint32 {
	if b == nil {
		return null
	}
	return uint32(len(b)) //nolint:gosec // bounded by the frame limit
}

func appendVariable(dst []byte, m *pipeline.Message) []byte {
	dst = append(append(dst, m.Key...), m.Schema...)
	if len(m.Properties) > 0 {
		for k, v := range m.Properties {
			dst = appendProperty(dst, k, v)
		}
	}
	return dst
}

func appendProperty(dst []byte, name, value string) []byte {
	dst = appendLen(appendLen(dst, len(name)), len(value))
	return append(append(dst, name...), value...)
}
