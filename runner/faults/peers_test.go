//go:build unix

package faults_test

import (
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"io"
	"log/slog"
	"net"
	"strings"
	"testing"
	"time"

	pulsario "github.com/apache/pulsar-client-go/pulsar"
	"github.com/apache/pulsar-client-go/pulsar/log"
	"google.golang.org/protobuf/proto"

	"github.com/functionmesh/terraform-provider-functionmesh/internal/wire"
	"github.com/functionmesh/terraform-provider-functionmesh/runner/broker/pulsar/conn/pulsarpb"
	"github.com/functionmesh/terraform-provider-functionmesh/runner/broker/pulsar/pulsartest"
)

// Pulsar's own Java instance numbers every message of a batch entry alike, so that a
// deduplicating output keeps one of each entry: 200 of these.
func TestPulsarR3BatchesAreNotTakenForRepeats(t *testing.T) {
	server := pulsartest.Need(t)
	const total = 20_000
	c := setting{guarantee: effectively, mode: wire.Failover, fill: pulsartest.Fill{PerEntry: 100}}
	s := newScene(t, server, c)
	server.Fill(t, s.in, total, c.fill)
	i := s.start(t, 0, 1)
	i.ready(t)
	server.Settled(t, s.in, subscription)
	i.drain(t)
	s.judge(t, server.Watch(t, s.out, 0, total), c)
}

// What a transaction published and took back is never handed to a function, and what it
// committed is. Pulsar's Go client leaves the transaction out of the metadata, so that
// its aborted messages are delivered: these are written by hand.
func TestPulsarAbortedTransactionsAreNotHandedOut(t *testing.T) {
	server := pulsartest.Need(t)
	c := setting{guarantee: atLeast, mode: wire.Shared}
	s := newScene(t, server, c)
	client, err := pulsario.NewClient(pulsario.ClientOptions{URL: server.URL, EnableTransaction: true, Logger: log.NewLoggerWithSlog(slog.New(slog.DiscardHandler))})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(client.Close)
	producer, err := client.CreateProducer(pulsario.ProducerOptions{Topic: s.in, DisableBatching: true})
	if err != nil {
		t.Fatal(err)
	}
	hand := openByHand(t, server, s.in)
	const total = 40
	for round := range 4 {
		txn, err := client.NewTransaction(time.Minute)
		if err != nil {
			t.Fatal(err)
		}
		// The first message makes the topic a part of the transaction.
		if _, err := producer.Send(t.Context(), &pulsario.ProducerMessage{Payload: pulsartest.Value(10*round, 0, "", 0), Transaction: txn}); err != nil {
			t.Fatal(err)
		}
		aborted := round%2 == 0
		for n := range 9 {
			value := pulsartest.Value(10*round+n+1, 0, "", 0)
			if aborted {
				value = []byte("taken back")
			}
			hand.send(t, txn.GetTxnID(), value)
		}
		end := txn.Commit
		if aborted {
			end = txn.Abort
		}
		if err := end(t.Context()); err != nil {
			t.Fatal(err)
		}
		if aborted {
			for n := range 9 {
				if _, err := producer.Send(t.Context(), &pulsario.ProducerMessage{Payload: pulsartest.Value(10*round+n+1, 0, "", 0)}); err != nil {
					t.Fatal(err)
				}
			}
		}
	}
	for _, path := range []wire.Path{wire.EntryPath, wire.CompatiblePath} {
		t.Run(string(path), func(t *testing.T) {
			own := *s
			own.out = s.namespace.Topic(t, "out-"+string(path), 0)
			own.file.Path, own.file.Source.Subscription.Name = path, string(path)
			own.file.Sink = wire.Sink{Output: &wire.Output{Topic: own.out}}
			server.Subscribe(t, s.in, string(path), "earliest")
			i := own.start(t, 0, 1)
			i.ready(t)
			server.Settled(t, s.in, string(path))
			i.drain(t)
			server.Read(t, own.out, 0, total).Check(t, pulsartest.Bounds{Duplicates: true, Disorder: true})
		})
	}
}

// byHand is a producer on a connection of its own.
type byHand struct {
	conn net.Conn
	sent uint64
}

func openByHand(t *testing.T, server *pulsartest.Server, topic string) *byHand {
	t.Helper()
	c, err := new(net.Dialer).DialContext(t.Context(), "tcp", strings.TrimPrefix(server.URL, "pulsar://"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	h := &byHand{conn: c}
	h.command(t, &pulsarpb.BaseCommand{Type: pulsarpb.Type_CONNECT.Enum(), Connect: &pulsarpb.Connect{ClientVersion: "test", ProtocolVersion: 21}}, nil)
	h.await(t, pulsarpb.Type_CONNECTED)
	h.command(t, &pulsarpb.BaseCommand{Type: pulsarpb.Type_PRODUCER.Enum(), Producer: &pulsarpb.Producer{Topic: topic, ProducerId: proto.Uint64(1), RequestId: 1, ProducerName: "by-hand"}}, nil)
	h.await(t, pulsarpb.Type_PRODUCER_SUCCESS)
	return h
}

// command writes one frame; what follows the command is given whole.
func (h *byHand) command(t *testing.T, c *pulsarpb.BaseCommand, after []byte) {
	t.Helper()
	body, err := proto.Marshal(c)
	if err != nil {
		t.Fatal(err)
	}
	frame := binary.BigEndian.AppendUint32(nil, uint32(4+len(body)+len(after)))
	frame = binary.BigEndian.AppendUint32(frame, uint32(len(body)))
	if _, err := h.conn.Write(append(append(frame, body...), after...)); err != nil {
		t.Fatal(err)
	}
}

// await reads frames up to one of a type.
func (h *byHand) await(t *testing.T, want pulsarpb.Type) {
	t.Helper()
	for {
		var head [8]byte
		if _, err := io.ReadFull(h.conn, head[:]); err != nil {
			t.Fatal(err)
		}
		rest := make([]byte, binary.BigEndian.Uint32(head[:])-4)
		if _, err := io.ReadFull(h.conn, rest); err != nil {
			t.Fatal(err)
		}
		var c pulsarpb.BaseCommand
		if err := proto.Unmarshal(rest[:binary.BigEndian.Uint32(head[4:])], &c); err != nil {
			t.Fatal(err)
		}
		switch c.GetType() {
		case want:
			return
		case pulsarpb.Type_ERROR, pulsarpb.Type_SEND_ERROR:
			t.Fatal(fmt.Sprint(&c))
		case pulsarpb.Type_PING:
			h.command(t, &pulsarpb.BaseCommand{Type: pulsarpb.Type_PONG.Enum(), Pong: &pulsarpb.Pong{}}, nil)
		default: // of no concern
		}
	}
}

// send publishes one message of a transaction and waits for its receipt.
func (h *byHand) send(t *testing.T, txn pulsario.TxnID, value []byte) {
	t.Helper()
	h.sent++
	meta, err := proto.Marshal(&pulsarpb.MessageMetadata{
		ProducerName: new("by-hand"), SequenceId: new(h.sent), PublishTime: new(uint64(time.Now().UnixMilli())),
		TxnidLeastBits: new(txn.LeastSigBits), TxnidMostBits: new(txn.MostSigBits),
	})
	if err != nil {
		t.Fatal(err)
	}
	checked := append(binary.BigEndian.AppendUint32(nil, uint32(len(meta))), meta...)
	checked = append(checked, value...)
	after := binary.BigEndian.AppendUint32([]byte{0x0e, 0x01}, crc32.Checksum(checked, crc32.MakeTable(crc32.Castagnoli)))
	h.command(t, &pulsarpb.BaseCommand{Type: pulsarpb.Type_SEND.Enum(), Send: &pulsarpb.Send{
		ProducerId: proto.Uint64(1), SequenceId: new(h.sent), TxnidLeastBits: new(txn.LeastSigBits), TxnidMostBits: new(txn.MostSigBits),
	}}, append(after, checked...))
	h.await(t, pulsarpb.Type_SEND_RECEIPT)
}
