package conn

import (
	"math/bits"
	"sync"
)

// Frames are read into buffers of powers of two, so that few sizes serve all.
const (
	smallestBuffer = 9  // 512 bytes
	largestBuffer  = 24 // 16 MiB; larger ones are not kept
)

// buffers is a set of pools, one per size.
type buffers struct {
	pools [largestBuffer + 1]sync.Pool
}

// buffer is a piece of memory that goes back to its pool.
type buffer struct {
	bytes []byte
	pool  *sync.Pool // nil: of no pool
}

// get returns a buffer with exactly n bytes of whatever was in it.
func (b *buffers) get(n int) *buffer {
	class := max(smallestBuffer, bits.Len(uint(max(n, 1)-1)))
	if class > largestBuffer {
		return &buffer{bytes: make([]byte, n)}
	}
	pool := &b.pools[class]
	if kept, ok := pool.Get().(*buffer); ok {
		kept.bytes = kept.bytes[:n]
		return kept
	}
	return &buffer{bytes: make([]byte, n, 1<<class), pool: pool}
}

func (b *buffer) release() {
	if b.pool != nil {
		b.pool.Put(b)
	}
}
