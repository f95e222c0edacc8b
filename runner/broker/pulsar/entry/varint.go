//nolint:gosec // two's complement is the protocol's encoding, and lengths are bounded by the frame
package entry

// bad is the position that a reader of the protocol's encoding returns for input that
// is cut short or no encoding at all.
const bad = -1

// uvarint reads a number at b[i:]. One byte is the usual case and is inlined.
func uvarint(b []byte, i int) (v uint64, next int) {
	if i < len(b) && b[i] < 0x80 {
		return uint64(b[i]), i + 1
	}
	return longVarint(b, i)
}

func longVarint(b []byte, i int) (v uint64, next int) {
	for shift := uint(0); shift < 64; shift += 7 {
		if i >= len(b) {
			return 0, bad
		}
		c := b[i]
		i++
		if shift == 63 && c > 1 {
			return 0, bad
		}
		v |= uint64(c&0x7f) << shift
		if c < 0x80 {
			return v, i
		}
	}
	return 0, bad
}

// span reads a length and what it covers at b[i:].
func span(b []byte, i int) (s []byte, next int) {
	n, i := uvarint(b, i)
	if i == bad || n > uint64(len(b)-i) {
		return nil, bad
	}
	end := i + int(n)
	return b[i:end:end], end
}

// skip passes over the value of a field that is not looked at.
func skip(b []byte, i int, tag uint64) int {
	switch tag & 7 {
	case 0:
		_, i = uvarint(b, i)
		return i
	case 1:
		i += 8
	case 2:
		_, i = span(b, i)
		return i
	case 5:
		i += 4
	default: // groups are not used by this protocol
		return bad
	}
	if i > len(b) {
		return bad
	}
	return i
}

func appendUvarint(b []byte, v uint64) []byte {
	for v >= 0x80 {
		b = append(b, byte(v)|0x80)
		v >>= 7
	}
	return append(b, byte(v))
}

// appendNumber writes a field that holds a number; fields below 16 have one-byte tags.
func appendNumber(b []byte, field int, v uint64) []byte {
	return appendUvarint(appendUvarint(b, uint64(field)<<3), v)
}

func appendBytes(b []byte, field int, v []byte) []byte {
	b = appendUvarint(appendUvarint(b, uint64(field)<<3|2), uint64(len(v)))
	return append(b, v...)
}

func appendString(b []byte, field int, v string) []byte {
	b = appendUvarint(appendUvarint(b, uint64(field)<<3|2), uint64(len(v)))
	return append(b, v...)
}

func sizeUvarint(v uint64) int {
	n := 1
	for v >= 0x80 {
		v >>= 7
		n++
	}
	return n
}
