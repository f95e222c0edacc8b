package conn

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"io"

	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"

	"github.com/functionmesh/terraform-provider-functionmesh/runner/broker/pulsar/conn/pulsarpb"
)

// A frame is its length, the length of the command, the command, and for entries the
// rest. The first length does not count itself.
const (
	headSize  = 8
	lengthLen = 4
)

// frameSlack is what a frame may exceed the broker's largest entry by: the command.
const frameSlack = 64 << 10

// defaultMaxMessage is what a broker takes that does not say.
const defaultMaxMessage = 5 << 20

// frame is one as it was read. command and rest alias buffer.
type frame struct {
	command []byte
	rest    []byte
	buffer  *buffer
}

// frameReader cuts a stream into frames.
type frameReader struct {
	r     *bufio.Reader
	pool  *buffers
	limit int // bytes of one frame
	head  [headSize]byte
}

// next reads one frame, whose buffer is then the caller's.
func (f *frameReader) next() (frame, error) {
	if _, err := io.ReadFull(f.r, f.head[:]); err != nil {
		return frame{}, err
	}
	total := int64(binary.BigEndian.Uint32(f.head[:]))
	size := int64(binary.BigEndian.Uint32(f.head[lengthLen:]))
	if total > int64(f.limit) || total < lengthLen || size > total-lengthLen {
		return frame{}, f.malformed(total, size)
	}
	b := f.pool.get(int(total - lengthLen))
	if _, err := io.ReadFull(f.r, b.bytes); err != nil {
		b.release()
		if errors.Is(err, io.EOF) {
			err = io.ErrUnexpectedEOF
		}
		return frame{}, err
	}
	return frame{command: b.bytes[:size], rest: b.bytes[size:], buffer: b}, nil
}

func (f *frameReader) malformed(total, size int64) error {
	if string(f.head[:lengthLen]) == "HTTP" {
		return fmt.Errorf("%w: an HTTP server answers, perhaps the admin port", ErrProtocol)
	}
	return fmt.Errorf("%w: a frame of %d bytes with a command of %d, %d are allowed", ErrProtocol, total, size, f.limit)
}

// commandType reads the type of a command; 0: it has none.
func commandType(command []byte) pulsarpb.Type {
	for len(command) > 0 {
		number, kind, n := protowire.ConsumeTag(command)
		if n < 0 {
			return 0
		}
		command = command[n:]
		if number == 1 && kind == protowire.VarintType {
			v, n := protowire.ConsumeVarint(command)
			if n < 0 || v > uint64(maxType) {
				return 0
			}
			return pulsarpb.Type(v)
		}
		if n = protowire.ConsumeFieldValue(number, kind, command); n < 0 {
			return 0
		}
		command = command[n:]
	}
	return 0
}

// maxType is the largest number of a command.
const maxType = 1 << 16

// field is one field of a message: a number for varints, bytes for the rest.
type field struct {
	id     protowire.Number
	number uint64
	bytes  []byte
}

var errCommand = fmt.Errorf("%w: a command that cannot be decoded", ErrProtocol)

// fields calls f for the varint and bytes fields of a message.
func fields(b []byte, f func(field) error) error {
	for len(b) > 0 {
		id, kind, n := protowire.ConsumeTag(b)
		if n < 0 {
			return errCommand
		}
		b = b[n:]
		v := field{id: id}
		switch kind {
		case protowire.VarintType:
			v.number, n = protowire.ConsumeVarint(b)
		case protowire.BytesType:
			v.bytes, n = protowire.ConsumeBytes(b)
		default:
			n = protowire.ConsumeFieldValue(id, kind, b)
		}
		if n < 0 {
			return errCommand
		}
		b = b[n:]
		if err := f(v); err != nil {
			return err
		}
	}
	return nil
}

// body returns the bytes of the command proper in a BaseCommand of a known type.
func body(command []byte, of pulsarpb.Type) (found []byte, err error) {
	err = fields(command, func(f field) error {
		if f.id == protowire.Number(of) && f.bytes != nil {
			found = f.bytes
		}
		return nil
	})
	if err == nil && found == nil {
		err = errCommand
	}
	return found, err
}

// decodeMessage reads a MESSAGE command without allocating, but for an ack set.
func decodeMessage(command []byte, d *Delivery) (consumer uint64, err error) {
	message, err := body(command, pulsarpb.Type_MESSAGE)
	if err != nil {
		return 0, err
	}
	err = fields(message, func(f field) error {
		switch f.id {
		case 1:
			consumer = f.number
		case 2:
			return decodeID(f.bytes, &d.Ledger, &d.Entry)
		case 3:
			d.Redelivery = uint32(f.number) //nolint:gosec // the protocol's type
		case 4:
			return decodeWords(f, &d.AckSet)
		case 5:
			d.Epoch = f.number
		default:
		}
		return nil
	})
	return consumer, err
}

func decodeID(b []byte, ledger, entry *uint64) error {
	return fields(b, func(f field) error {
		switch f.id {
		case 1:
			*ledger = f.number
		case 2:
			*entry = f.number
		default:
		}
		return nil
	})
}

// decodeWords reads a repeated int64, packed or not.
func decodeWords(f field, words *[]int64) error {
	if f.bytes == nil {
		*words = append(*words, int64(f.number)) //nolint:gosec // the protocol's type
		return nil
	}
	for b := f.bytes; len(b) > 0; {
		v, n := protowire.ConsumeVarint(b)
		if n < 0 {
			return errCommand
		}
		*words = append(*words, int64(v)) //nolint:gosec // the protocol's type
		b = b[n:]
	}
	return nil
}

// decodeReceipt reads a SEND_RECEIPT command without allocating.
func decodeReceipt(command []byte) (producer uint64, r Receipt, err error) {
	receipt, err := body(command, pulsarpb.Type_SEND_RECEIPT)
	if err != nil {
		return 0, Receipt{}, err
	}
	var ledger, entry uint64
	err = fields(receipt, func(f field) error {
		switch f.id {
		case 1:
			producer = f.number
		case 2:
			r.Sequence = f.number
		case 3:
			return decodeID(f.bytes, &ledger, &entry)
		case 4:
			r.Highest = f.number
		default:
		}
		return nil
	})
	r.Ledger, r.Entry = int64(ledger), int64(entry) // 2^64-1 is -1
	return producer, r, err
}

// decodeCommand reads any other command.
func decodeCommand(command []byte) (*pulsarpb.BaseCommand, error) {
	var c pulsarpb.BaseCommand
	if err := (proto.UnmarshalOptions{DiscardUnknown: true}).Unmarshal(command, &c); err != nil {
		return nil, errCommand
	}
	return &c, nil
}

// encodeCommand makes the frame of a command; its type is set by the field that is.
func encodeCommand(c *pulsarpb.BaseCommand) ([]byte, error) {
	t, inner := content(c)
	if inner == nil {
		return nil, fmt.Errorf("%w: an empty command", ErrProtocol)
	}
	c.Type = t.Enum()
	size := proto.Size(c)
	out := make([]byte, headSize, headSize+size)
	binary.BigEndian.PutUint32(out, uint32(lengthLen+size))   //nolint:gosec // far below
	binary.BigEndian.PutUint32(out[lengthLen:], uint32(size)) //nolint:gosec // far below
	return proto.MarshalOptions{UseCachedSize: true}.MarshalAppend(out, c)
}
