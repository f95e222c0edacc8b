package entry

import (
	"bytes"
	"errors"
	"fmt"
	"io"

	"github.com/klauspost/compress/snappy"
	"github.com/klauspost/compress/zlib"
	"github.com/klauspost/compress/zstd"
	"github.com/pierrec/lz4/v4"
)

// Codec is how the messages of an entry are compressed, by the protocol's numbers.
type Codec uint8

// The codecs of the protocol; higher numbers are none of them.
const (
	None Codec = iota
	LZ4
	Zlib
	Zstd
	Snappy
	unknownCodec Codec = 255
)

var codecNames = [...]string{"none", "lz4", "zlib", "zstd", "snappy"}

// String is the name in settings.
func (c Codec) String() string {
	if int(c) < len(codecNames) {
		return codecNames[c]
	}
	return fmt.Sprintf("codec %d", uint8(c))
}

// ErrUnknownCodec is returned for a name that is no codec.
var ErrUnknownCodec = errors.New("unknown compression")

// ParseCodec reads a name of settings; "" is Pulsar's default of its runtimes, lz4.
func ParseCodec(name string) (Codec, error) {
	if name == "" {
		return LZ4, nil
	}
	for i, n := range codecNames {
		if n == name {
			return Codec(i), nil
		}
	}
	return None, fmt.Errorf("%w %q: use none, lz4, zlib, zstd or snappy", ErrUnknownCodec, name)
}

// unpacker holds what the codecs keep between entries.
type unpacker struct {
	zstd *zstd.Decoder
	zlib io.ReadCloser
	in   bytes.Reader
}

// mostForNothing is more than any codec needs for an empty value.
const mostForNothing = 32

// unpack writes the size bytes that src is the packed form of over dst, which grows.
func (u *unpacker) unpack(c Codec, dst, src []byte, size int) ([]byte, error) {
	if c > Snappy {
		return nil, defect(Compression, "%s", c)
	}
	if size == 0 && len(src) > mostForNothing {
		return nil, defect(Decompress, "%s: %d bytes are stated to be nothing unpacked", c, len(src))
	}
	if size == 0 {
		return []byte{}, nil // not nil, which would be a null value
	}
	if cap(dst) < size {
		dst = make([]byte, size)
	}
	n, err := u.into(c, dst[:size], src)
	if err != nil {
		return nil, &Error{Defect: Decompress, Detail: c.String(), Err: err}
	}
	if n != size {
		return nil, defect(Decompress, "%s: %d bytes unpacked, %d were stated", c, n, size)
	}
	return dst[:size], nil
}

var errLonger = errors.New("unpacked size is more than stated")

func (u *unpacker) into(c Codec, dst, src []byte) (int, error) {
	switch c {
	case LZ4:
		return lz4.UncompressBlock(src, dst)
	case Zstd:
		return u.unzstd(dst, src)
	case Snappy:
		n, err := snappy.DecodedLen(src)
		if err != nil || n > len(dst) {
			return n, errors.Join(err, errLonger)
		}
		out, err := snappy.Decode(dst, src)
		return len(out), err
	default:
		return u.inflate(dst, src)
	}
}

func (u *unpacker) unzstd(dst, src []byte) (int, error) {
	if u.zstd == nil {
		d, err := zstd.NewReader(nil, zstd.WithDecoderConcurrency(1), zstd.WithDecoderMaxMemory(1<<30), zstd.WithDecodeAllCapLimit(true))
		if err != nil {
			return 0, err
		}
		u.zstd = d
	}
	out, err := u.zstd.DecodeAll(src, dst[:0:len(dst)])
	return len(out), err
}

func (u *unpacker) inflate(dst, src []byte) (int, error) {
	u.in.Reset(src)
	var err error
	if u.zlib == nil {
		u.zlib, err = zlib.NewReader(&u.in)
	} else {
		err = u.zlib.(zlib.Resetter).Reset(&u.in, nil)
	}
	if err != nil {
		return 0, err
	}
	n, err := io.ReadFull(u.zlib, dst)
	if err != nil {
		return n, err
	}
	var one [1]byte
	if k, _ := u.zlib.Read(one[:]); k > 0 {
		return n, errLonger
	}
	return n, nil
}
