//nolint:gosec // two's complement is the protocol's encoding, and permits are bounded
package subscription

import (
	"encoding/binary"
	"math/bits"

	"github.com/functionmesh/terraform-provider-functionmesh/runner/broker/pulsar/conn/pulsarpb"
	"github.com/functionmesh/terraform-provider-functionmesh/runner/broker/pulsar/entry"
)

// idsPerFrame bounds one ACK or REDELIVER, far below the broker's largest frame.
const idsPerFrame = 2000

// ackHead is room for what stands before the ids of an ACK: two lengths, the type, tag
// and length of the command, and consumer and kind.
const ackHead = 4 + 4 + 2 + 1 + 5 + 1 + 10 + 2

// ackFrame forms the ACK of single entries that asks for no answer.
func ackFrame(consumer uint64, acks []Ack) []byte {
	b := make([]byte, ackHead, ackHead+len(acks)*26)
	for i := range acks {
		b = appendAck(b, &acks[i])
	}
	inner := make([]byte, 0, 16)
	inner = binary.AppendUvarint(append(inner, 1<<3), consumer)
	inner = append(inner, 2<<3, byte(pulsarpb.Ack_INDIVIDUAL))
	command := make([]byte, 0, ackHead)
	command = append(command, 1<<3, byte(pulsarpb.Type_ACK), byte(pulsarpb.Type_ACK)<<3|2)
	command = binary.AppendUvarint(command, uint64(len(inner)+len(b)-ackHead))
	command = append(command, inner...)
	frame := b[ackHead-8-len(command):]
	binary.BigEndian.PutUint32(frame, uint32(len(frame)-4))
	binary.BigEndian.PutUint32(frame[4:], uint32(len(frame)-8))
	copy(frame[8:], command)
	return frame
}

// appendAck writes one MessageIdData as a field of an ACK.
func appendAck(b []byte, a *Ack) []byte {
	n := 2 + width(uint64(a.ID.Ledger)) + width(uint64(a.ID.Entry))
	if a.Set != nil {
		for _, w := range a.Set {
			n += 1 + width(uint64(w))
		}
		n += 1 + width(uint64(a.Size))
	}
	b = binary.AppendUvarint(append(b, 3<<3|2), uint64(n))
	b = binary.AppendUvarint(append(b, 1<<3), uint64(a.ID.Ledger))
	b = binary.AppendUvarint(append(b, 2<<3), uint64(a.ID.Entry))
	if a.Set == nil {
		return b
	}
	for _, w := range a.Set {
		b = binary.AppendUvarint(append(b, 5<<3), uint64(w))
	}
	return binary.AppendUvarint(append(b, 6<<3), uint64(a.Size))
}

// width is the bytes of a number in the protocol's encoding.
func width(v uint64) int { return (bits.Len64(v|1) + 6) / 7 }

// ackCommand is the ACK that asks for an answer.
func ackCommand(consumer uint64, kind pulsarpb.Ack_Kind, acks []Ack) *pulsarpb.BaseCommand {
	ids := make([]*pulsarpb.MessageId, len(acks))
	for i := range acks {
		ids[i] = messageID(acks[i].ID)
		if acks[i].Set != nil {
			size := int32(acks[i].Size)
			ids[i].AckSet, ids[i].BatchSize = acks[i].Set, &size
		}
	}
	return &pulsarpb.BaseCommand{Ack: &pulsarpb.Ack{ConsumerId: &consumer, Kind: &kind, MessageIds: ids}}
}

func messageID(id entry.ID) *pulsarpb.MessageId {
	ledger, number := uint64(id.Ledger), uint64(id.Entry)
	return &pulsarpb.MessageId{LedgerId: &ledger, EntryId: &number}
}

func fromMessageID(id *pulsarpb.MessageId) entry.ID {
	return entry.ID{Ledger: int64(id.GetLedgerId()), Entry: int64(id.GetEntryId())}
}
