package wire

import (
	"encoding/binary"
	"math/bits"
	"slices"
)

const (
	murmurC1 = 0xcc9e2d51
	murmurC2 = 0x1b873593
)

// murmur3 is the x86 32-bit variant with seed 0.
func murmur3(data []byte) uint32 {
	var h, length uint32
	for ; len(data) >= 4; data = data[4:] {
		length += 4
		h ^= murmurMix(binary.LittleEndian.Uint32(data))
		h = bits.RotateLeft32(h, 13)*5 + 0xe6546b64
	}
	var tail uint32
	for _, b := range slices.Backward(data) {
		tail = tail<<8 | uint32(b)
		length++
	}
	h ^= murmurMix(tail)
	h ^= length
	h ^= h >> 16
	h *= 0x85ebca6b
	h ^= h >> 13
	h *= 0xc2b2ae35
	return h ^ h>>16
}

func murmurMix(k uint32) uint32 {
	return bits.RotateLeft32(k*murmurC1, 15) * murmurC2
}
