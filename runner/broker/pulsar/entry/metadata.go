//nolint:gosec // two's complement is the protocol's encoding, and lengths are bounded by the frame
package entry

import "encoding/binary"

// Tags of the fields of the protocol's MessageMetadata, with their wire type.
const (
	metaProducer    = 1<<3 | 2
	metaSequence    = 2 << 3
	metaPublishTime = 3 << 3
	metaReplicated  = 5<<3 | 2
	metaKey         = 6<<3 | 2
	metaCodec       = 8 << 3
	metaUnpacked    = 9 << 3
	metaCount       = 11 << 3
	metaEventTime   = 12 << 3
	metaEncryption  = 13<<3 | 2
	metaSchema      = 16<<3 | 2
	metaKeyEncoded  = 17 << 3
	metaOrderingKey = 18<<3 | 2
	metaDeliverAt   = 19 << 3
	metaMarker      = 20 << 3
	metaTxnLeast    = 22 << 3
	metaTxnMost     = 23 << 3
	metaHighest     = 24 << 3
	metaNullValue   = 25 << 3
	metaUUID        = 26<<3 | 2
	metaChunks      = 27 << 3
	metaChunkTotal  = 28 << 3
	metaChunkID     = 29 << 3
	metaNullKey     = 30 << 3
)

// decodeMetadata reads the metadata of an entry. Unknown fields are passed over.
func (e *Entry) decodeMetadata(b []byte) error {
	e.Count = 1
	var seen uint64
	for i := 0; i < len(b); {
		start := i
		tag, at := uvarint(b, i)
		if at == bad || tag < 8 {
			return defect(Metadata, "no tag at byte %d", i)
		}
		switch tag & 7 {
		case 0:
			var v uint64
			if v, i = uvarint(b, at); i != bad {
				e.number(tag, v)
			}
		case 2:
			var s []byte
			if s, i = span(b, at); i != bad {
				if tag == entryProperty {
					e.shared.Properties.add(b, start, i, entryProperty)
				} else {
					e.bytes(tag, s)
				}
			}
		default:
			i = skip(b, at, tag)
		}
		if i == bad {
			return defect(Metadata, "field %d at byte %d does not fit", tag>>3, start)
		}
		if tag>>3 < 64 {
			seen |= 1 << (tag >> 3)
		}
	}
	return e.complete(seen)
}

// complete checks what must be there.
func (e *Entry) complete(seen uint64) error {
	const required = 1<<1 | 1<<2 | 1<<3
	if seen&required != required {
		return defect(Metadata, "producer, sequence id or publish time is missing")
	}
	if e.shared.NullKey {
		e.shared.Key = nil
	}
	e.shared.EventTime = max(e.shared.EventTime, 0)
	return nil
}

//nolint:gocyclo // one case for each field of the protocol's message
func (e *Entry) number(tag, v uint64) {
	switch tag {
	case metaSequence:
		e.Sequence = v
	case metaPublishTime:
		e.PublishTime = int64(v)
	case metaCodec:
		e.Codec = Codec(min(v, uint64(unknownCodec)))
	case metaUnpacked:
		e.unpacked = v & (1<<32 - 1)
	case metaCount:
		e.Batched, e.Count = true, int(int32(v))
	case metaEventTime:
		e.shared.EventTime = int64(v)
	case metaKeyEncoded:
		e.shared.KeyEncoded = v != 0
	case metaDeliverAt:
		e.DeliverAt = int64(v)
	case metaMarker:
		e.MarkerType = int32(v)
	case metaTxnLeast:
		e.TxnLeast, e.InTxn = v, true
	case metaTxnMost:
		e.TxnMost, e.InTxn = v, true
	case metaHighest:
		e.Highest = v
	case metaNullValue:
		e.shared.null = v != 0
	case metaChunks:
		e.Chunk.Of = int32(v)
	case metaChunkTotal:
		e.Chunk.Total = int32(v)
	case metaChunkID:
		e.Chunk.ID = int32(v)
	case metaNullKey:
		e.shared.NullKey = v != 0
	}
}

func (e *Entry) bytes(tag uint64, s []byte) {
	switch tag {
	case metaProducer:
		e.Producer = s
	case metaReplicated:
		e.Replicated = s
	case metaKey:
		e.shared.Key = s
	case metaEncryption:
		e.encrypted = true
	case metaSchema:
		e.Schema = s
	case metaOrderingKey:
		e.shared.OrderingKey = s
	case metaUUID:
		e.Chunk.UUID = s
	}
}

// Count is how many messages an entry says it holds, without opening or checking it; 1
// for what cannot be read.
func Count(section []byte) int {
	b := section
	if len(b) >= 6 && binary.BigEndian.Uint16(b) == magicEntryMetadata {
		b = b[min(uint64(len(b)), 6+uint64(binary.BigEndian.Uint32(b[2:]))):]
	}
	if len(b) >= 6 && binary.BigEndian.Uint16(b) == magicChecksum {
		b = b[6:]
	}
	if len(b) < 4 {
		return 1
	}
	n := uint64(binary.BigEndian.Uint32(b))
	b = b[4:]
	b = b[:min(n, uint64(len(b)))]
	for i := 0; i < len(b); {
		tag, at := uvarint(b, i)
		if at == bad {
			break
		}
		if tag == metaCount {
			v, _ := uvarint(b, at)
			return max(1, int(int32(v)))
		}
		if i = skip(b, at, tag); i == bad {
			break
		}
	}
	return 1
}
