package pulsar

import (
	"errors"
	"fmt"
	"strconv"

	"github.com/functionmesh/terraform-provider-functionmesh/internal/wire"
	"github.com/functionmesh/terraform-provider-functionmesh/runner/broker/pulsar/entry"
	"github.com/functionmesh/terraform-provider-functionmesh/runner/pipeline"
)

// Bits of a sequence id with effectively_once: where the input entry is stored, and
// which part of its outputs an output entry is. Together they fill a positive int64, and
// grow with the input's position, which is what the broker's judgement needs.
const (
	ledgerBits = 33
	entryBits  = 22
	chunkBits  = 8
)

var errOverflow = errors.New("does not fit into a sequence id")

// sequence numbers one output entry made of an input entry.
func sequence(id entry.ID, chunk int) (uint64, error) {
	switch {
	case id.Ledger < 0 || id.Ledger >= 1<<ledgerBits:
		return 0, fmt.Errorf("ledger %d of the input %w of %d bits", id.Ledger, errOverflow, ledgerBits)
	case id.Entry < 0 || id.Entry >= 1<<entryBits:
		return 0, fmt.Errorf("entry %s of the input %w of %d bits: let the broker roll its ledgers over earlier (managedLedgerMaxEntriesPerLedger)", id, errOverflow, entryBits)
	case chunk < 0 || chunk >= 1<<chunkBits:
		return 0, fmt.Errorf("part %d of the outputs of entry %s %w of %d bits: the function makes too much of one batch", chunk, id, errOverflow, chunkBits)
	}
	return uint64(id.Ledger)<<(entryBits+chunkBits) | uint64(id.Entry)<<chunkBits | uint64(chunk), nil
}

// numbered is the input entry that a sequence id stands for.
func numbered(sequence uint64) entry.ID {
	return entry.ID{
		Ledger: int64(sequence >> (entryBits + chunkBits) & (1<<ledgerBits - 1)),
		Entry:  int64(sequence >> chunkBits & (1<<entryBits - 1)),
	}
}

// laneProducer names the producer of one input lane, the same in every instance and
// after every restart. A higher epoch makes another one, to which everything is new.
func laneProducer(c wire.Component, topic string, partition int, epoch int64) string {
	return c.Tenant + "/" + c.Namespace + "/" + c.Name + "-" + topic + "-" + strconv.Itoa(partition) + "-" + strconv.FormatInt(epoch, 10)
}

// idOf is the entry that a message lies in.
func idOf(m *pipeline.Message) entry.ID {
	return entry.ID{Ledger: m.Position.Ledger, Entry: m.Position.Entry}
}

// partitionName is the full name of one partition; of the topic itself when it has none.
func partitionName(topic string, partitions, p int) string {
	if partitions == 0 {
		return topic
	}
	return topic + "-partition-" + strconv.Itoa(p)
}
