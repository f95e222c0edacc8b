//nolint:gosec // two's complement is the protocol's encoding, and lengths are bounded by the frame
package entry

import (
	"encoding/binary"
	"hash/crc32"
)

// Entry is what one delivery holds: metadata that its messages share, and the messages
// themselves, opened by a Decoder and walked by Messages. Slices alias the frame or the
// entry's own buffer and hold until the next Decode into it.
type Entry struct {
	Producer    []byte
	Sequence    uint64 // of the first message
	Highest     uint64 // of the last; 0: not given
	PublishTime int64  // ms since the epoch
	Schema      []byte // version; nil: none
	Codec       Codec
	Batched     bool
	Count       int // messages inside; 1 unless Batched
	MarkerType  int32
	Replicated  []byte // cluster that it was copied from; nil: none
	TxnMost     uint64 // with TxnLeast the transaction, when InTxn
	TxnLeast    uint64
	InTxn       bool
	DeliverAt   int64 // ms since the epoch; 0: at once
	Chunk       Chunk

	shared    Message // what the metadata says of the one message, or of a batch
	encrypted bool
	unpacked  uint64 // size before compression
	payload   []byte
	buffer    []byte // of decompressed payloads
}

// Chunk is which part of a message an entry is.
type Chunk struct {
	UUID  []byte // nil: the entry is no part
	ID    int32  // from 0
	Of    int32  // how many there are
	Total int32  // bytes of all
}

// Encrypted tells whether the value needs a key.
func (e *Entry) Encrypted() bool { return e.encrypted }

// Key is what the metadata of the entry itself gives: of a single message its key, of
// a batch the one that brokers dispatch it by.
func (e *Entry) Key() []byte { return e.shared.Key }

// Size is the bytes of the messages, unpacked, with their framing.
func (e *Entry) Size() int { return len(e.payload) }

// DefaultMaxUnpacked bounds what an entry may be after decompression. Brokers bound
// only the compressed size, 5 MiB as a rule.
const DefaultMaxUnpacked = 64 << 20

// Decoder opens entries, one at a time. The zero value is ready; it keeps the state of
// codecs, so a lane has one of its own.
type Decoder struct {
	MaxUnpacked int // bytes; 0: DefaultMaxUnpacked
	unpack      unpacker
}

const (
	magicEntryMetadata = 0x0e02
	magicChecksum      = 0x0e01
)

// Decode opens what follows the command of a MESSAGE frame. The error is an *Error; the
// metadata that could be read is in e even so. Encrypted, Chunked and Marker leave the
// value unopened.
func (d *Decoder) Decode(section []byte, e *Entry) error {
	*e = Entry{buffer: e.buffer[:0]}
	body, err := verify(section)
	if err != nil {
		return err
	}
	if len(body) < 4 {
		return defect(Truncated, "no room for the length of the metadata")
	}
	n := binary.BigEndian.Uint32(body)
	body = body[4:]
	if uint64(n) > uint64(len(body)) {
		return defect(Truncated, "metadata of %d bytes in %d", n, len(body))
	}
	if err := e.decodeMetadata(body[:n:n]); err != nil {
		return err
	}
	e.payload = body[n:len(body):len(body)]
	switch {
	case e.MarkerType != 0:
		return &Error{Defect: Marker}
	case e.encrypted:
		return &Error{Defect: Encrypted}
	case e.Chunk.UUID != nil:
		return defect(Chunked, "part %d of %d", e.Chunk.ID+1, e.Chunk.Of)
	}
	return d.open(e)
}

func (d *Decoder) open(e *Entry) error {
	if e.Codec != None {
		most := uint64(d.MaxUnpacked)
		if most == 0 {
			most = DefaultMaxUnpacked
		}
		if e.unpacked > most {
			return defect(Oversize, "%d bytes unpacked, %d are allowed", e.unpacked, most)
		}
		out, err := d.unpack.unpack(e.Codec, e.buffer, e.payload, int(e.unpacked))
		if err != nil {
			return err
		}
		e.buffer, e.payload = out, out
	}
	// A message in a batch takes six bytes at least: its length, and its size.
	if e.Batched && (e.Count < 1 || e.Count > len(e.payload)/6) {
		return defect(BatchFraming, "%d messages in %d bytes", e.Count, len(e.payload))
	}
	return nil
}

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// verify passes over the broker's own metadata, checks the checksum if there is one,
// and returns what it covers.
func verify(b []byte) ([]byte, error) {
	if len(b) >= 6 && binary.BigEndian.Uint16(b) == magicEntryMetadata {
		n := binary.BigEndian.Uint32(b[2:])
		if uint64(n) > uint64(len(b)-6) {
			return nil, defect(Truncated, "broker metadata of %d bytes in %d", n, len(b)-6)
		}
		b = b[6+n:]
	}
	if len(b) < 6 || binary.BigEndian.Uint16(b) != magicChecksum {
		return b, nil // old producers send none
	}
	want, body := binary.BigEndian.Uint32(b[2:]), b[6:]
	if got := crc32.Checksum(body, castagnoli); got != want {
		return nil, defect(Checksum, "%08x, stated as %08x", got, want)
	}
	return body, nil
}
