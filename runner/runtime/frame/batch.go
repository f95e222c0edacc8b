package frame

import (
	"encoding/binary"

	"github.com/functionmesh/terraform-provider-functionmesh/runner/pipeline"
)

const (
	null        = 0xffffffff
	metaLen     = 40 // fixed part of a meta
	outputLen   = 24 // fixed part of an output
	propertyLen = 8  // fixed part of a property
	countersLen = 12 // id and n
	idLen       = 64 // enough for any message id
)

// BatchSize returns how many bytes AppendBatch will append for in.
func BatchSize(in []pipeline.Message) int64 {
	n := int64(countersLen)
	for i := range in {
		m := &in[i]
		n += int64(8+metaLen) + int64(len(m.Value)+len(m.Topic)+len(m.ID())+len(m.Key))
		for k, v := range m.Properties {
			n += int64(propertyLen + len(k) + len(v))
		}
	}
	return n
}

// AppendBatch appends the BATCH payload of in to dst. Callers bound BatchSize first,
// so lengths fit 32 bits.
func AppendBatch(dst []byte, id uint64, in []pipeline.Message) []byte {
	be := binary.BigEndian
	dst = be.AppendUint64(dst, id)
	dst = appendLen(dst, len(in))
	for i := range in {
		dst = appendBytesLen(dst, in[i].Value)
	}
	for i := range in {
		dst = appendLen(dst, metaSize(&in[i]))
	}
	for i := range in {
		dst = append(dst, in[i].Value...)
	}
	for i := range in {
		dst = appendMeta(dst, &in[i])
	}
	return dst
}

func metaSize(m *pipeline.Message) int {
	n := metaLen + len(m.Topic) + len(m.ID()) + len(m.Key)
	for k, v := range m.Properties {
		n += propertyLen + len(k) + len(v)
	}
	return n
}

func appendMeta(dst []byte, m *pipeline.Message) []byte {
	be := binary.BigEndian
	dst = appendLen(dst, m.Partition)
	dst = appendLen(dst, int(m.Redelivery))
	dst = be.AppendUint64(dst, uint64(m.EventTime))   //nolint:gosec // two's complement is the layout
	dst = be.AppendUint64(dst, uint64(m.PublishTime)) //nolint:gosec // two's complement is the layout
	dst = appendLen(dst, len(m.Topic))
	var b [idLen]byte
	id := m.AppendID(b[:0])
	dst = appendLen(dst, len(id))
	dst = appendBytesLen(dst, m.Key)
	dst = appendLen(dst, len(m.Properties))
	dst = append(dst, m.Topic...)
	dst = append(dst, id...)
	dst = append(dst, m.Key...)
	for k, v := range m.Properties {
		dst = appendLen(dst, len(k))
		dst = appendLen(dst, len(v))
		dst = append(dst, k...)
		dst = append(dst, v...)
	}
	return dst
}

func appendLen(dst []byte, n int) []byte {
	return binary.BigEndian.AppendUint32(dst, uint32(n)) //nolint:gosec // bounded by the frame limit
}

func appendBytesLen(dst, b []byte) []byte {
	if b == nil {
		return binary.BigEndian.AppendUint32(dst, null)
	}
	return appendLen(dst, len(b))
}
