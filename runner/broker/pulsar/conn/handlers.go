package conn

import "github.com/functionmesh/terraform-provider-functionmesh/runner/broker/pulsar/conn/pulsarpb"

// ConsumerHandler is told what the broker sends to one consumer. Calls come from the
// goroutine that reads the connection, one at a time and in order, and must not block:
// while one does, nothing on the connection is read, answers to requests included.
// What arrives is bounded by the permits that were granted.
type ConsumerHandler interface {
	// Message takes one entry and owns it until Delivery.Release.
	Message(d *Delivery)
	// Command takes CLOSE_CONSUMER, ACTIVE_CONSUMER_CHANGE, REACHED_END_OF_TOPIC and
	// TOPIC_MIGRATED.
	Command(c *pulsarpb.BaseCommand)
	// Lost is the last call: the connection ended. It does not come after RemoveConsumer.
	Lost(err error)
}

// ProducerHandler is told what the broker sends to one producer, like a ConsumerHandler.
type ProducerHandler interface {
	// Receipt takes the answer to a SEND.
	Receipt(r Receipt)
	// Command takes SEND_ERROR, CLOSE_PRODUCER and TOPIC_MIGRATED.
	Command(c *pulsarpb.BaseCommand)
	// Lost is the last call: the connection ended. It does not come after RemoveProducer.
	Lost(err error)
}

// Delivery is one entry as the broker sent it.
type Delivery struct {
	Ledger     uint64
	Entry      uint64
	Redelivery uint32
	AckSet     []int64 // a word for 64 messages, a set bit is not acknowledged yet; nil: all messages are new
	Epoch      uint64  // of the consumer, where it subscribed with one
	// Frame is what follows the command: broker metadata if any, checksum, metadata,
	// payload. It belongs to a pooled buffer.
	Frame []byte

	buffer *buffer
}

// Release gives the buffer of Frame back; Frame must not be used any more. Without it
// the garbage collector takes the buffer. Twice is safe, from one goroutine.
func (d *Delivery) Release() {
	if d.buffer != nil {
		d.buffer.release()
		d.buffer, d.Frame = nil, nil
	}
}

// Receipt is the broker's answer to one SEND.
type Receipt struct {
	Sequence uint64
	Highest  uint64
	Ledger   int64 // -1: dropped as a repeat
	Entry    int64 // -1: dropped as a repeat
}

// Repeat tells that the broker had the entry already and dropped this one.
func (r Receipt) Repeat() bool { return r.Ledger < 0 }
