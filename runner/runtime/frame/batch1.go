package frame

import (
	"encoding/binary"

	"github.com/functionmesh/terraform-provider-functionmesh/runner/pipeline"
)

const (
	metaLen1 = 40 // fixed part of a meta of protocol 1
	idLen    = 64 // enough for any message id
)

// appendBatch1 is AppendBatch for protocol 1.
func appendBatch1(dst []byte, id uint64, in []pipeline.Message) []byte {
	dst = binary.BigEndian.AppendUint64(dst, id)
	dst = appendLen(dst, len(in))
	for i := range in {
		dst = appendBytesLen(dst, in[i].Value)
	}
	for i := range in {
		dst = appendLen(dst, metaSize1(&in[i]))
	}
	for i := range in {
		dst = append(dst, in[i].Value...)
	}
	for i := range in {
		dst = appendMeta1(dst, &in[i])
	}
	return dst
}

func metaSize1(m *pipeline.Message) int {
	var b [idLen]byte
	n := metaLen1 + len(m.Topic) + len(m.AppendID(b[:0])) + len(m.Key)
	for k, v := range m.Properties {
		n += propertyLen + len(k) + len(v)
	}
	return n
}

func appendMeta1(dst []byte, m *pipeline.Message) []byte {
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
		dst = appendProperty(dst, k, v)
	}
	return dst
}
