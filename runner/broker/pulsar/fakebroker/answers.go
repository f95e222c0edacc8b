//nolint:gosec // two's complement is the protocol's encoding
package fakebroker

import "github.com/functionmesh/terraform-provider-functionmesh/runner/broker/pulsar/conn/pulsarpb"

// Accept answers a command as a broker that has nothing against it.
//
//nolint:gocyclo // one case for each command
func (c *Conn) Accept(cmd *pulsarpb.BaseCommand) {
	switch cmd.GetType() {
	case pulsarpb.Type_CONNECT:
		c.Write(pulsarpb.Type_CONNECTED, &pulsarpb.BaseCommand{Connected: &pulsarpb.Connected{ServerVersion: "fake", ProtocolVersion: 21, MaxMessageSize: 5 << 20}}, nil)
	case pulsarpb.Type_PING:
		c.Write(pulsarpb.Type_PONG, &pulsarpb.BaseCommand{Pong: &pulsarpb.Pong{}}, nil)
	case pulsarpb.Type_LOOKUP:
		c.Write(pulsarpb.Type_LOOKUP_RESPONSE, &pulsarpb.BaseCommand{LookupResponse: &pulsarpb.LookupResponse{
			BrokerUrl: "pulsar://" + c.broker.listener.Addr().String(), Outcome: pulsarpb.LookupResponse_CONNECT, RequestId: cmd.Lookup.RequestId, Authoritative: true,
		}}, nil)
	case pulsarpb.Type_PARTITIONED_METADATA:
		c.Write(pulsarpb.Type_PARTITIONED_METADATA_RESPONSE, &pulsarpb.BaseCommand{PartitionMetadataResponse: &pulsarpb.PartitionMetadataResponse{
			RequestId: cmd.PartitionMetadata.RequestId,
		}}, nil)
	case pulsarpb.Type_PRODUCER:
		name := cmd.Producer.ProducerName
		if name == "" {
			name = "made-up"
		}
		c.Write(pulsarpb.Type_PRODUCER_SUCCESS, &pulsarpb.BaseCommand{ProducerSuccess: &pulsarpb.ProducerSuccess{RequestId: cmd.Producer.RequestId, ProducerName: name}}, nil)
	case pulsarpb.Type_SEND:
		b := c.broker
		b.mu.Lock()
		b.entries++
		n := b.entries
		b.mu.Unlock()
		c.Receipt(cmd.Send, 1, n)
	case pulsarpb.Type_SUBSCRIBE:
		c.success(cmd.Subscribe.RequestId)
	case pulsarpb.Type_CLOSE_PRODUCER:
		c.success(cmd.CloseProducer.GetRequestId())
	case pulsarpb.Type_CLOSE_CONSUMER:
		c.success(cmd.CloseConsumer.GetRequestId())
	case pulsarpb.Type_UNSUBSCRIBE:
		c.success(cmd.Unsubscribe.RequestId)
	case pulsarpb.Type_SEEK:
		c.success(cmd.Seek.RequestId)
	case pulsarpb.Type_ACK:
		if id := cmd.Ack.RequestId; id != 0 {
			c.Write(pulsarpb.Type_ACK_RESPONSE, &pulsarpb.BaseCommand{AckResponse: &pulsarpb.AckResponse{ConsumerId: cmd.Ack.GetConsumerId(), RequestId: id}}, nil)
		}
	default:
	}
}

func (c *Conn) success(request uint64) {
	c.Write(pulsarpb.Type_SUCCESS, &pulsarpb.BaseCommand{Success: &pulsarpb.Success{RequestId: request}}, nil)
}

// Refuse answers a request with an error.
func (c *Conn) Refuse(request uint64, code pulsarpb.Code) {
	c.Write(pulsarpb.Type_ERROR, &pulsarpb.BaseCommand{Error: &pulsarpb.Error{RequestId: request, Code: code, Message: "as the test wants"}}, nil)
}

// Receipt answers a send; ledger -1 says that it was dropped as a repeat.
func (c *Conn) Receipt(s *pulsarpb.Send, ledger, entry int64) {
	c.Write(pulsarpb.Type_SEND_RECEIPT, &pulsarpb.BaseCommand{SendReceipt: &pulsarpb.SendReceipt{
		ProducerId: s.GetProducerId(), SequenceId: s.GetSequenceId(), HighestSequenceId: s.HighestSequenceId, MessageId: id(ledger, entry),
	}}, nil)
}

// SendError refuses a send.
func (c *Conn) SendError(s *pulsarpb.Send, code pulsarpb.Code) {
	c.Write(pulsarpb.Type_SEND_ERROR, &pulsarpb.BaseCommand{SendError: &pulsarpb.SendError{
		ProducerId: s.GetProducerId(), SequenceId: s.GetSequenceId(), Code: code, Message: "as the test wants",
	}}, nil)
}

// Deliver sends an entry to a consumer; section is what follows the command.
func (c *Conn) Deliver(consumer uint64, ledger, entry int64, section []byte) {
	c.Write(pulsarpb.Type_MESSAGE, &pulsarpb.BaseCommand{Message: &pulsarpb.Message{ConsumerId: &consumer, MessageId: id(ledger, entry)}}, section)
}

// CloseConsumer tells a consumer that its topic moves; CloseProducer a producer.
func (c *Conn) CloseConsumer(consumer uint64) {
	none := ^uint64(0)
	c.Write(pulsarpb.Type_CLOSE_CONSUMER, &pulsarpb.BaseCommand{CloseConsumer: &pulsarpb.CloseConsumer{ConsumerId: &consumer, RequestId: &none}}, nil)
}

// CloseProducer tells a producer that its topic moves.
func (c *Conn) CloseProducer(producer uint64) {
	none := ^uint64(0)
	c.Write(pulsarpb.Type_CLOSE_PRODUCER, &pulsarpb.BaseCommand{CloseProducer: &pulsarpb.CloseProducer{ProducerId: &producer, RequestId: &none}}, nil)
}

func id(ledger, entry int64) *pulsarpb.MessageId {
	l, e := uint64(ledger), uint64(entry)
	return &pulsarpb.MessageId{LedgerId: &l, EntryId: &e}
}

// ActiveConsumer tells a consumer of a failover subscription whether it is the active one.
func (c *Conn) ActiveConsumer(consumer uint64, active bool) {
	c.Write(pulsarpb.Type_ACTIVE_CONSUMER_CHANGE, &pulsarpb.BaseCommand{ActiveConsumerChange: &pulsarpb.ActiveConsumerChange{ConsumerId: consumer, Active: active}}, nil)
}
