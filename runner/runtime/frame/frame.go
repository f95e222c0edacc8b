package frame

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
)

// Type is the second field of a frame.
type Type uint8

// The types of frame; the package comment says who sends which.
const (
	TypeHello Type = iota + 1
	TypeStart
	TypeReady
	TypeFailed
	TypeBatch
	TypeResults
	TypeStop
	TypeProgress
	TypeLog
	TypeBatchAt
	TypeResultsAt
)

// DefaultMaxFrame bounds a frame in both directions unless the instance sets another
// bound.
const DefaultMaxFrame = 64 << 20

const headerLen = 5

// ErrTooLarge means that a frame is longer than the reader accepts.
var ErrTooLarge = errors.New("frame is larger than the limit")

// ErrMalformed means that a frame or payload breaks the layout.
var ErrMalformed = errors.New("malformed frame")

// Append appends a frame to dst.
func Append(dst []byte, t Type, payload []byte) []byte {
	dst = binary.BigEndian.AppendUint32(dst, uint32(len(payload)+1)) //nolint:gosec // callers bound payloads far below 4 GiB
	dst = append(dst, byte(t))
	return append(dst, payload...)
}

// Begin reserves a frame's header at the end of dst; Finish fills it in once the
// payload has been appended. It saves the copy that Append makes.
func Begin(dst []byte, t Type) (out []byte, start int) {
	start = len(dst)
	return append(dst, 0, 0, 0, 0, byte(t)), start
}

// Finish completes the frame that Begin started at start.
func Finish(dst []byte, start int) []byte {
	binary.BigEndian.PutUint32(dst[start:], uint32(len(dst)-start-4)) //nolint:gosec // as in Append
	return dst
}

// ReadHead reads a frame's header and returns how many bytes of payload follow, at most
// limit. io.EOF means the end between two frames.
func ReadHead(r io.Reader, limit int) (Type, int, error) {
	var head [headerLen]byte
	if _, err := io.ReadFull(r, head[:]); err != nil {
		return 0, 0, err
	}
	n := int64(binary.BigEndian.Uint32(head[:])) - 1
	t := Type(head[4])
	switch {
	case n < 0:
		return 0, 0, fmt.Errorf("%w: length 0", ErrMalformed)
	case n > int64(limit):
		return t, 0, fmt.Errorf("%w: %d bytes, limit %d", ErrTooLarge, n, limit)
	}
	return t, int(n), nil
}

// ReadPayload fills payload, which ReadHead said how long it is.
func ReadPayload(r io.Reader, payload []byte) error {
	_, err := io.ReadFull(r, payload)
	if errors.Is(err, io.EOF) {
		return io.ErrUnexpectedEOF
	}
	return err
}

// Read reads one frame of at most limit bytes. The payload is freshly allocated and
// the caller's to keep. io.EOF means the end between two frames.
func Read(r io.Reader, limit int) (Type, []byte, error) {
	t, n, err := ReadHead(r, limit)
	if err != nil {
		return t, nil, err
	}
	payload := make([]byte, n)
	if err := ReadPayload(r, payload); err != nil {
		return t, nil, err
	}
	return t, payload, nil
}
