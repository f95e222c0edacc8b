package wire

// PartitionFor is the partition of a key among n, as Pulsar's clients with
// Murmur3_32Hash choose it: the sign bit of the 32-bit murmur3 hash is dropped. n < 2
// means one lane, partition 0.
func PartitionFor(key []byte, n int) int {
	if n < 2 {
		return 0
	}
	return int(murmur3(key)&0x7fffffff) % n
}
