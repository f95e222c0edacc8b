package frame

import (
	"encoding/binary"
	"fmt"

	"github.com/functionmesh/terraform-provider-functionmesh/runner/pipeline"
)

// Codec encodes batches for, and decodes results of, one worker or module.
type Codec struct {
	Version    int  // negotiated
	ValuesOnly bool // from protocol 2 on: user code said that it looks at values only
}

// Ready is the codec for user code that answered start with r.
func (c Codec) Ready(r Ready) Codec {
	c.ValuesOnly = r.ValuesOnly && c.Version > 1
	return c
}

// AppendBatch appends the BATCH payload of in to dst. Callers refuse what is longer than
// a frame may be, so lengths fit 32 bits.
func (c Codec) AppendBatch(dst []byte, id uint64, in []pipeline.Message) []byte {
	if c.Version == 1 {
		return appendBatch1(dst, id, in)
	}
	be := binary.BigEndian
	dst = appendLen(be.AppendUint64(dst, id), len(in))
	if c.ValuesOnly {
		return appendValues(append(dst, 0), in)
	}
	return appendMetas(appendValues(append(dst, hasMetas), in), in)
}

// Place is where in shared memory a payload lies.
type Place struct{ Offset, Length uint32 }

// End is where it ends.
func (p Place) End() uint64 { return uint64(p.Offset) + uint64(p.Length) }

// AppendPlace appends the payload of a BATCH_AT frame.
func AppendPlace(dst []byte, p Place) []byte {
	return binary.BigEndian.AppendUint32(binary.BigEndian.AppendUint32(dst, p.Offset), p.Length)
}

// DecodePlace reads the payload of a RESULTS_AT frame.
func DecodePlace(payload []byte) (Place, error) {
	c := cursor{b: payload}
	p := Place{Offset: c.u32(), Length: c.u32()}
	if c.bad || len(c.b) != 0 {
		return p, fmt.Errorf("%w: place of %d bytes", ErrMalformed, len(payload))
	}
	return p, nil
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
