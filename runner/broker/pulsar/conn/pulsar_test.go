package conn_test

import (
	"encoding/binary"
	"hash/crc32"
	"net"
	"testing"

	"google.golang.org/protobuf/proto"

	"github.com/functionmesh/terraform-provider-functionmesh/internal/wire"
	"github.com/functionmesh/terraform-provider-functionmesh/runner/broker/pulsar/conn"
	"github.com/functionmesh/terraform-provider-functionmesh/runner/broker/pulsar/conn/pulsarpb"
	"github.com/functionmesh/terraform-provider-functionmesh/runner/broker/pulsar/pulsartest"
)

// producer and consumer hand everything over by channels.
type producer struct {
	receipts chan conn.Receipt
	commands chan *pulsarpb.BaseCommand
	lost     chan error
}

func newProducer() *producer {
	return &producer{make(chan conn.Receipt, 1000), make(chan *pulsarpb.BaseCommand, 10), make(chan error, 1)}
}

func (p *producer) Receipt(r conn.Receipt)          { p.receipts <- r }
func (p *producer) Command(c *pulsarpb.BaseCommand) { p.commands <- c }
func (p *producer) Lost(err error)                  { p.lost <- err }

type consumer struct {
	deliveries chan *conn.Delivery
	commands   chan *pulsarpb.BaseCommand
	lost       chan error
}

func newConsumer() *consumer {
	return &consumer{make(chan *conn.Delivery, 1000), make(chan *pulsarpb.BaseCommand, 10), make(chan error, 1)}
}

func (c *consumer) Message(d *conn.Delivery)          { c.deliveries <- d }
func (c *consumer) Command(cmd *pulsarpb.BaseCommand) { c.commands <- cmd }
func (c *consumer) Lost(err error)                    { c.lost <- err }

func newClient(t *testing.T, b wire.Broker, o conn.Options) *conn.Client {
	t.Helper()
	c, err := conn.New(b, o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := c.Close(); err != nil {
			t.Error(err)
		}
	})
	return c
}

// produce opens a producer and returns its id.
func produce(t *testing.T, c *conn.Conn, topic string, p *producer) uint64 {
	t.Helper()
	id := c.NextID()
	if err := c.AddProducer(id, p); err != nil {
		t.Fatal(err)
	}
	answer, err := c.Request(t.Context(), &pulsarpb.BaseCommand{Producer: &pulsarpb.Producer{Topic: topic, ProducerId: &id}})
	if err != nil {
		t.Fatal(err)
	}
	if answer.ProducerSuccess.GetProducerName() == "" || answer.ProducerSuccess.GetLastSequenceId() != -1 {
		t.Fatalf("producer: %v", answer)
	}
	return id
}

// subscribe opens a consumer and returns its id.
func subscribe(t *testing.T, c *conn.Conn, topic string, h *consumer) uint64 {
	t.Helper()
	id := c.NextID()
	if err := c.AddConsumer(id, h); err != nil {
		t.Fatal(err)
	}
	_, err := c.Request(t.Context(), &pulsarpb.BaseCommand{Subscribe: &pulsarpb.Subscribe{
		Topic: topic, Subscription: "s", ConsumerId: &id, Mode: pulsarpb.Subscribe_EXCLUSIVE.Enum(),
		InitialPosition: pulsarpb.Subscribe_EARLIEST.Enum(),
	}})
	if err != nil {
		t.Fatal(err)
	}
	return id
}

// send makes the frame of one plain message.
func sendFrame(t *testing.T, id, sequence uint64, payload []byte) net.Buffers {
	t.Helper()
	meta, err := proto.Marshal(&pulsarpb.MessageMetadata{
		ProducerName: new("p"), SequenceId: &sequence, PublishTime: proto.Uint64(1),
	})
	if err != nil {
		t.Fatal(err)
	}
	cmd, err := proto.Marshal(&pulsarpb.BaseCommand{
		Type: pulsarpb.Type_SEND.Enum(),
		Send: &pulsarpb.Send{ProducerId: &id, SequenceId: &sequence},
	})
	if err != nil {
		t.Fatal(err)
	}
	sum := binary.BigEndian.AppendUint32(nil, uint32(len(meta)))
	sum = append(append(sum, meta...), payload...)
	head := binary.BigEndian.AppendUint32(nil, uint32(4+len(cmd)+6+len(sum)))
	head = binary.BigEndian.AppendUint32(head, uint32(len(cmd)))
	head = append(append(head, cmd...), 0x0e, 0x01)
	head = binary.BigEndian.AppendUint32(head, crc32.Checksum(sum, crc32.MakeTable(crc32.Castagnoli)))
	return net.Buffers{head, sum}
}

func TestPulsarSendAndReceive(t *testing.T) {
	server := pulsartest.Need(t)
	topic := server.Namespace(t, pulsartest.Policies{}).Topic(t, "t", 0)
	c := newClient(t, server.Broker(), conn.Options{})
	link, err := c.Connect(t.Context(), topic)
	if err != nil {
		t.Fatal(err)
	}
	in, out := newConsumer(), newProducer()
	consumerID := subscribe(t, link, topic, in)
	producerID := produce(t, link, topic, out)
	const count = 200
	err = link.Send(t.Context(), &pulsarpb.BaseCommand{Flow: &pulsarpb.Flow{ConsumerId: &consumerID, Permits: proto.Uint32(count)}})
	if err != nil {
		t.Fatal(err)
	}
	for i := range uint64(count) {
		payload := make([]byte, 100*i)
		for k := range payload {
			payload[k] = byte(i)
		}
		if err := link.Write(t.Context(), sendFrame(t, producerID, i, payload)); err != nil {
			t.Fatal(err)
		}
	}
	for i := range uint64(count) {
		r := <-out.receipts
		if r.Sequence != i || r.Repeat() {
			t.Fatalf("receipt %d: %+v", i, r)
		}
		d := <-in.deliveries
		if uint64(r.Ledger) != d.Ledger || uint64(r.Entry) != d.Entry {
			t.Fatalf("delivery %d: %d:%d, receipt %+v", i, d.Ledger, d.Entry, r)
		}
		if n := len(d.Frame); n < int(100*i) || (i > 0 && d.Frame[n-1] != byte(i)) {
			t.Fatalf("delivery %d holds %d bytes", i, n)
		}
		d.Release()
	}
	ack := &pulsarpb.BaseCommand{Ack: &pulsarpb.Ack{
		ConsumerId: &consumerID, Kind: pulsarpb.Ack_INDIVIDUAL.Enum(),
		MessageIds: []*pulsarpb.MessageId{{LedgerId: proto.Uint64(0), EntryId: proto.Uint64(0)}},
	}}
	if _, err := link.Request(t.Context(), ack); err != nil {
		t.Error(err)
	}
}

func TestPulsarPartitions(t *testing.T) {
	server := pulsartest.Need(t)
	ns := server.Namespace(t, pulsartest.Policies{})
	c := newClient(t, server.Broker(), conn.Options{})
	for topic, want := range map[string]int{
		ns.Topic(t, "plain", 0): 0,
		ns.Topic(t, "three", 3): 3,
	} {
		if got, err := c.Partitions(t.Context(), topic); err != nil || got != want {
			t.Errorf("%s: %d, %v; want %d", topic, got, err, want)
		}
	}
}

func TestPulsarUnloadClosesConsumerAndProducer(t *testing.T) {
	server := pulsartest.Need(t)
	topic := server.Namespace(t, pulsartest.Policies{}).Topic(t, "t", 0)
	c := newClient(t, server.Broker(), conn.Options{})
	link, err := c.Connect(t.Context(), topic)
	if err != nil {
		t.Fatal(err)
	}
	in, out := newConsumer(), newProducer()
	consumerID := subscribe(t, link, topic, in)
	producerID := produce(t, link, topic, out)
	server.Unload(t, topic)
	if got := (<-in.commands).CloseConsumer.GetConsumerId(); got != consumerID {
		t.Errorf("closed consumer %d, want %d", got, consumerID)
	}
	if got := (<-out.commands).CloseProducer.GetProducerId(); got != producerID {
		t.Errorf("closed producer %d, want %d", got, producerID)
	}
	again, err := c.Connect(t.Context(), topic)
	if err != nil || again != link {
		t.Fatalf("connected to %p, %v; want the connection of before, %p", again, err, link)
	}
	produce(t, again, topic, newProducer())
	if err := c.Close(); err != nil {
		t.Error(err)
	}
	<-in.lost
	<-out.lost
}
