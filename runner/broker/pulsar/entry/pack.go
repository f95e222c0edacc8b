//nolint:gosec // two's complement is the protocol's encoding, and lengths are bounded by the frame
package entry

import (
	"bytes"

	"github.com/klauspost/compress/snappy"
	"github.com/klauspost/compress/zlib"
	"github.com/klauspost/compress/zstd"
	"github.com/pierrec/lz4/v4"
)

// packer holds what the codecs keep between entries.
type packer struct {
	lz4  lz4.Compressor
	zstd *zstd.Encoder
	zlib *zlib.Writer
	out  bytes.Buffer
}

// pack appends the packed form of src to dst.
func (p *packer) pack(c Codec, dst, src []byte) ([]byte, error) {
	switch c {
	case LZ4:
		return p.packLZ4(dst, src)
	case Zstd:
		if p.zstd == nil {
			w, err := zstd.NewWriter(nil, zstd.WithEncoderConcurrency(1), zstd.WithWindowSize(1<<20))
			if err != nil {
				return nil, err
			}
			p.zstd = w
		}
		return p.zstd.EncodeAll(src, dst), nil
	case Snappy:
		n := len(dst)
		dst = grow(dst, snappy.MaxEncodedLen(len(src)))
		return dst[:n+len(snappy.Encode(dst[n:cap(dst)], src))], nil
	case Zlib:
		p.out.Reset()
		if p.zlib == nil {
			p.zlib = zlib.NewWriter(&p.out)
		} else {
			p.zlib.Reset(&p.out)
		}
		if _, err := p.zlib.Write(src); err != nil {
			return nil, err
		}
		if err := p.zlib.Close(); err != nil {
			return nil, err
		}
		return append(dst, p.out.Bytes()...), nil
	default:
		return nil, defect(Compression, "%s", c)
	}
}

func (p *packer) packLZ4(dst, src []byte) ([]byte, error) {
	n, room := len(dst), lz4.CompressBlockBound(len(src))
	dst = grow(dst, room)
	k, err := p.lz4.CompressBlock(src, dst[n:n+room])
	if err != nil {
		return nil, err
	}
	if k > 0 {
		return dst[:n+k], nil
	}
	return appendLiterals(dst[:n], src), nil
}

// appendLiterals writes src as an LZ4 block of literals alone: the library gives up on
// what it cannot shorten, but an entry that says LZ4 must hold LZ4.
func appendLiterals(dst, src []byte) []byte {
	n := len(src)
	if n < 15 {
		return append(append(dst, byte(n<<4)), src...)
	}
	dst = append(dst, 0xf0)
	for n -= 15; n >= 255; n -= 255 {
		dst = append(dst, 255)
	}
	return append(append(dst, byte(n)), src...)
}

// grow makes room for n more bytes behind dst.
func grow(dst []byte, n int) []byte {
	if cap(dst)-len(dst) >= n {
		return dst
	}
	return append(make([]byte, 0, len(dst)+n+n/8), dst...)
}
