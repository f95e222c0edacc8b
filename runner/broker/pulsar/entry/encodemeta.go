//nolint:gosec // two's complement is the protocol's encoding, and lengths are bounded by the frame
package entry

// typeSend is the number of SEND, which is its field too.
const typeSend = 6

// idWidth is the bytes of the producer's id in a SEND: a padded number, so that it can
// be set in a frame that was formed before the id was known.
const idWidth = 5

// idOffset is where it lies in a frame: behind two lengths, the type, tag and length of
// the command, and its own tag.
const idOffset = 4 + 4 + 2 + 2 + 1

// SetProducer writes the id of the producer on the connection that the frame is sent
// over. Ids are below 2^35.
func (e *Encoded) SetProducer(id uint64) {
	putID(e.Frame[idOffset:], id)
}

func putID(b []byte, id uint64) {
	for i := range idWidth - 1 {
		b[i] = byte(id>>(7*i)) | 0x80
	}
	b[idWidth-1] = byte(id>>(7*(idWidth-1))) & 0x7f
}

// commandSize is the bytes of the SEND of an entry, by the same rules as appendCommand.
func commandSize(out *Encoded) int { return 4 + sendSize(out) }

func sendSize(out *Encoded) int {
	n := 1 + idWidth + 1 + sizeUvarint(out.Sequence)
	if out.Count != 1 {
		n += 1 + sizeUvarint(uint64(out.Count))
	}
	return n + 1 + sizeUvarint(out.Highest)
}

// appendCommand writes BaseCommand{type: SEND, send: {…}}. Its length takes one byte,
// because a SEND is never longer than 1+5 + 1+10 + 1+5 + 1+10.
func appendCommand(b []byte, out *Encoded) []byte {
	b = append(b, 1<<3, typeSend, typeSend<<3|2, byte(sendSize(out)))
	b = append(b, 1<<3, 0, 0, 0, 0, 0)
	putID(b[len(b)-idWidth:], 0)
	b = appendNumber(b, 2, out.Sequence)
	if out.Count != 1 {
		b = appendNumber(b, 3, uint64(out.Count))
	}
	return appendNumber(b, 6, out.Highest)
}

func (e *Encoder) appendMetadata(b []byte, out *Encoded, unpacked int) []byte {
	h := &e.header
	b = appendString(b, 1, h.Producer)
	b = appendNumber(b, 2, out.Sequence)
	b = appendNumber(b, 3, uint64(h.PublishTime))
	if !h.Batched {
		b = append(b, e.staged...)
		e.staged = e.staged[:0]
	}
	if h.Replicated != "" {
		b = appendString(b, 5, h.Replicated)
	}
	b = e.appendEntryKey(b)
	if h.Codec != None {
		b = appendNumber(b, 8, uint64(h.Codec))
		b = appendNumber(b, 9, uint64(unpacked))
	}
	if h.Batched {
		b = appendNumber(b, 11, uint64(e.count))
	} else {
		b = e.appendSingleFields(b)
	}
	if h.Schema != nil {
		b = appendBytes(b, 16, h.Schema)
	}
	if h.DeliverAt != 0 {
		b = appendNumber(b, 19, uint64(h.DeliverAt))
	}
	return appendNumber(b, 24, out.Highest)
}

// appendEntryKey writes the key of the one message, or of a batch whose messages share it.
func (e *Encoder) appendEntryKey(b []byte) []byte {
	m, key := &e.single, e.single.Key
	if e.header.Batched {
		if e.mixed {
			return b
		}
		m, key = &e.keyed, e.key
		if len(key) == 0 {
			key = nil
		}
	}
	if key != nil {
		b = appendBytes(b, 6, key)
		if m.KeyEncoded {
			b = appendNumber(b, 17, 1)
		}
	}
	if len(m.OrderingKey) > 0 {
		b = appendBytes(b, 18, m.OrderingKey)
	}
	return b
}

func (e *Encoder) appendSingleFields(b []byte) []byte {
	if e.single.EventTime != 0 {
		b = appendNumber(b, 12, uint64(e.single.EventTime))
	}
	if e.single.null {
		b = appendNumber(b, 25, 1)
	}
	if e.single.NullKey {
		b = appendNumber(b, 30, 1)
	}
	return b
}
