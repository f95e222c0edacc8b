//nolint:gosec // two's complement is the protocol's encoding, and lengths are bounded by the frame
package entry

import "iter"

// Properties are those of one message as they lie in its metadata; nothing is built
// until they are asked for. The zero value has none.
type Properties struct {
	meta     []byte
	from, to int  // from the first property to behind the last; other fields may lie between
	tag      byte // of a property
	count    int
	gaps     bool // other fields lie between
}

// Tags of a property in the metadata of an entry and of a message in a batch.
const (
	entryProperty = 4<<3 | 2
	batchProperty = 1<<3 | 2
)

// Len is how many there are; a key may be there twice.
func (p *Properties) Len() int { return p.count }

// All yields keys and values in their order. They alias the entry.
func (p *Properties) All() iter.Seq2[[]byte, []byte] {
	return func(yield func(k, v []byte) bool) {
		raw := p.meta[p.from:p.to]
		for i := 0; i < len(raw); {
			tag, at := uvarint(raw, i)
			if at == bad {
				return
			}
			if tag != uint64(p.tag) {
				if i = skip(raw, at, tag); i == bad {
					return
				}
				continue
			}
			pair, next := span(raw, at)
			if next == bad {
				return
			}
			i = next
			if k, v, ok := keyValue(pair); ok && !yield(k, v) {
				return
			}
		}
	}
}

// Map copies them; nil for none. Of two equal keys the last counts.
func (p *Properties) Map() map[string]string {
	if p.count == 0 {
		return nil
	}
	m := make(map[string]string, p.count)
	for k, v := range p.All() {
		m[string(k)] = string(v)
	}
	return m
}

// dense tells whether nothing but properties lies between the first and the last.
func (p *Properties) dense() bool { return !p.gaps }

// add takes one more property in, which lies at meta[from:to].
func (p *Properties) add(meta []byte, from, to int, tag byte) {
	if p.count == 0 {
		p.meta, p.from, p.tag = meta, from, tag
	}
	p.gaps = p.gaps || p.count > 0 && p.to != from
	p.to = to
	p.count++
}

func keyValue(b []byte) (k, v []byte, ok bool) {
	for i := 0; i < len(b); {
		tag, at := uvarint(b, i)
		if at == bad {
			return nil, nil, false
		}
		switch tag {
		case 1<<3 | 2:
			k, i = span(b, at)
		case 2<<3 | 2:
			v, i = span(b, at)
		default:
			i = skip(b, at, tag)
		}
		if i == bad {
			return nil, nil, false
		}
	}
	return k, v, true
}

// appendProperty writes one property under the given tag.
func appendProperty[K, V string | []byte](b []byte, tag byte, k K, v V) []byte {
	n := 2 + sizeUvarint(uint64(len(k))) + len(k) + sizeUvarint(uint64(len(v))) + len(v)
	b = appendUvarint(append(b, tag), uint64(n))
	b = append(appendUvarint(append(b, 1<<3|2), uint64(len(k))), k...)
	return append(appendUvarint(append(b, 2<<3|2), uint64(len(v))), v...)
}
