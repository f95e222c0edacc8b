package compatible_test

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/functionmesh/terraform-provider-functionmesh/internal/wire"
	"github.com/functionmesh/terraform-provider-functionmesh/runner/broker/pulsar"
	"github.com/functionmesh/terraform-provider-functionmesh/runner/broker/pulsar/conn/pulsarpb"
	"github.com/functionmesh/terraform-provider-functionmesh/runner/broker/pulsar/entry"
	"github.com/functionmesh/terraform-provider-functionmesh/runner/broker/pulsar/fakebroker"
	"github.com/functionmesh/terraform-provider-functionmesh/runner/pipeline"
)

// ledger is what a fake broker stored of a topic.
type ledger struct {
	// fault says what becomes of an entry that was stored, by its number.
	fault func(c *fakebroker.Conn, s *pulsarpb.Send, n int) (answered bool)

	mu     sync.Mutex
	decode entry.Decoder
	n      int
	values []string
	busy   int // that often a producer's name is refused
}

func (l *ledger) on(c *fakebroker.Conn, cmd *pulsarpb.BaseCommand, rest []byte) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	switch cmd.GetType() {
	case pulsarpb.Type_PRODUCER:
		if l.busy > 0 {
			l.busy--
			c.Refuse(cmd.Producer.RequestId, pulsarpb.Code_PRODUCER_BUSY)
			return true
		}
		last := int64(99) // the fake's receipts cannot say 0, and Pulsar's client wants it said
		c.Write(pulsarpb.Type_PRODUCER_SUCCESS, &pulsarpb.BaseCommand{ProducerSuccess: &pulsarpb.ProducerSuccess{
			RequestId: cmd.Producer.RequestId, ProducerName: cmp.Or(cmd.Producer.ProducerName, "made-up"), LastSequenceId: &last,
		}}, nil)
		return true
	case pulsarpb.Type_SEND:
		var e entry.Entry
		if err := l.decode.Decode(rest, &e); err != nil {
			l.values = append(l.values, err.Error())
			return false
		}
		messages, m := e.Messages(), entry.Message{}
		for messages.Next(&m) {
			l.values = append(l.values, string(m.Value))
		}
		l.n++
		return l.fault(c, cmd.Send, l.n)
	default:
	}
	return false
}

// stored are the values so far: what a closed connection had sent may still be read.
func (l *ledger) stored() []string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return slices.Clone(l.values)
}

func lostSink(t *testing.T, l *ledger, guarantee string) (pipeline.Sink, *fakebroker.Broker) {
	t.Helper()
	b := fakebroker.New(t)
	b.On = l.on
	s := newSink(t, pulsar.SinkOptions{Broker: b.Settings(), Output: wire.Output{Topic: lostTopic}, Delivery: wire.Delivery{Guarantee: guarantee}})
	t.Cleanup(func() {
		if err := s.Close(t.Context()); err != nil {
			t.Error(err)
		}
	})
	return s, b
}

// R2: at most once, what is stored and has no receipt is not sent again, and the next
// producer has the name of the one before: until the broker has forgotten that one, it
// takes nothing of another, and nothing is sent.
func TestR2AtMostOnceSendsNothingAgain(t *testing.T) {
	faults := map[string]func(c *fakebroker.Conn, s *pulsarpb.Send){
		"ConnectionLost": func(c *fakebroker.Conn, _ *pulsarpb.Send) { c.Close() },
		"TopicMoved":     func(c *fakebroker.Conn, s *pulsarpb.Send) { c.CloseProducer(s.GetProducerId()) },
		"Refused":        func(c *fakebroker.Conn, s *pulsarpb.Send) { c.SendError(s, pulsarpb.Code_PERSISTENCE_ERROR) },
	}
	for name, fault := range faults {
		t.Run(name, func(t *testing.T) {
			l := &ledger{fault: func(c *fakebroker.Conn, s *pulsarpb.Send, n int) bool {
				if n == 2 {
					fault(c, s)
				}
				return n == 2
			}}
			sink, b := lostSink(t, l, "atmost_once")
			write := func(value string) error {
				_, err := sink.Write(bounded(t), []pipeline.Message{{Value: []byte(value)}})
				return err
			}
			if err := write("a"); err != nil {
				t.Fatal(err)
			}
			if err := write("b"); err == nil || errors.Is(err, pipeline.ErrUnsent) {
				t.Fatalf("without a receipt: %v", err)
			}
			l.mu.Lock()
			l.busy = 1
			l.mu.Unlock()
			if err := write("c"); !errors.Is(err, pipeline.ErrUnsent) {
				t.Errorf("while the name is taken: %v", err)
			}
			if err := write("c"); err != nil {
				t.Error(err)
			}
			if got := strings.Join(l.stored(), " "); got != "a b c" {
				t.Errorf("the broker stored %s", got)
			}
			names := map[string]bool{}
			for _, cmd := range b.Commands(pulsarpb.Type_PRODUCER) {
				names[cmd.Producer.ProducerName] = true
			}
			if len(names) != 1 || names[""] {
				t.Errorf("producers %v", names)
			}
		})
	}
}

// R4: lanes share a producer that ends again and again. The messages of each are stored in
// its order; at most once, no message is stored twice.
func TestR4LanesShareAProducerThatEnds(t *testing.T) {
	const lanes, writes, each = 4, 40, 5
	for _, guarantee := range []string{"atmost_once", "atleast_once"} {
		t.Run(guarantee, func(t *testing.T) {
			l := &ledger{fault: func(c *fakebroker.Conn, s *pulsarpb.Send, n int) bool {
				switch n % 9 {
				case 4:
					c.CloseProducer(s.GetProducerId())
				case 8:
					c.Close()
				default:
					return false
				}
				return true
			}}
			sink, _ := lostSink(t, l, guarantee)
			var all sync.WaitGroup
			for lane := range lanes {
				all.Go(func() {
					for n := range writes {
						out := make([]pipeline.Message, each)
						for i := range out {
							out[i].Value = fmt.Append(nil, lane, " ", n*each+i)
						}
						for done := 0; done < each; {
							stored, err := sink.Write(bounded(t), out[done:])
							done += stored
							if err != nil && guarantee == "atmost_once" && !errors.Is(err, pipeline.ErrUnsent) {
								break
							}
						}
					}
				})
			}
			all.Wait()
			first, again := map[string]bool{}, 0
			last := map[int]int{}
			for _, v := range l.stored() {
				if first[v] {
					again++
					continue
				}
				first[v] = true
				var lane, n int
				if _, err := fmt.Sscan(v, &lane, &n); err != nil {
					t.Fatalf("%q: %v", v, err)
				}
				if at, ok := last[lane]; ok && n < at {
					t.Errorf("lane %d: %d behind %d", lane, n, at)
				}
				last[lane] = n
			}
			lost := lanes*writes*each - len(first)
			t.Logf("%d lost, %d stored again", lost, again)
			if guarantee == "atmost_once" && again > 0 || guarantee == "atleast_once" && lost > 0 {
				t.Errorf("%d lost, %d stored again", lost, again)
			}
		})
	}
}
