package entry

import "encoding/binary"

// Mould is properties that many messages have alike but for four bytes: they are encoded
// once, and what differs is written where it lies. The zero value has none.
type Mould struct {
	single []byte // as properties of a message in a batch
	whole  []byte // as those of an entry
	hole   int    // where in either the four bytes lie
}

// Reset drops all properties.
func (m *Mould) Reset() { m.single, m.whole = m.single[:0], m.whole[:0] }

// Add adds a property. The last one has the hole: four bytes from that one of its value on.
func (m *Mould) Add(key string, value []byte, hole int) {
	m.single = appendProperty(m.single, batchProperty, key, value)
	m.whole = appendProperty(m.whole, entryProperty, key, value)
	m.hole = len(m.single) - len(value) + hole
}

func (m *Mould) append(b []byte, tag byte, fill uint32) []byte {
	from := m.single
	if tag == entryProperty {
		from = m.whole
	}
	at := len(b) + m.hole
	b = append(b, from...)
	// One store: smaller ones would have to leave the store buffer before the checksum
	// can load them in one.
	binary.LittleEndian.PutUint32(b[at:], fill)
	return b
}
