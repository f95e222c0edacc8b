package compatible_test

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/functionmesh/terraform-provider-functionmesh/internal/wire"
	"github.com/functionmesh/terraform-provider-functionmesh/runner/broker/pulsar"
	"github.com/functionmesh/terraform-provider-functionmesh/runner/broker/pulsar/compatible"
	"github.com/functionmesh/terraform-provider-functionmesh/runner/broker/pulsar/conn/pulsarpb"
	"github.com/functionmesh/terraform-provider-functionmesh/runner/broker/pulsar/entry"
	"github.com/functionmesh/terraform-provider-functionmesh/runner/broker/pulsar/fakebroker"
	"github.com/functionmesh/terraform-provider-functionmesh/runner/broker/pulsar/pulsartest"
	"github.com/functionmesh/terraform-provider-functionmesh/runner/pipeline"
)

// The topic of these tests. Their brokers are fake.
const lostTopic = "persistent://public/default/t"

// shelf is what a fake broker has of a subscription: entries of one message, delivered
// from the first that is not acknowledged.
type shelf struct {
	t       testing.TB
	entries int
	// cut says that an acknowledgement is not taken, and its connection ends.
	cut func(entry uint64) bool

	mu    sync.Mutex
	acked map[uint64]bool
	free  chan struct{} // while it is open, no look-up is answered
}

func newShelf(t testing.TB, entries int, cut func(uint64) bool) (*shelf, *fakebroker.Broker) {
	s := &shelf{t: t, entries: entries, cut: cut, acked: map[uint64]bool{}, free: make(chan struct{})}
	close(s.free)
	b := fakebroker.New(t)
	b.On = s.on
	return s, b
}

func (s *shelf) on(c *fakebroker.Conn, cmd *pulsarpb.BaseCommand, _ []byte) bool {
	switch cmd.GetType() {
	case pulsarpb.Type_LOOKUP:
		s.mu.Lock()
		free := s.free
		s.mu.Unlock()
		<-free
	case pulsarpb.Type_FLOW:
		s.deliver(c, cmd.Flow.GetConsumerId())
	case pulsarpb.Type_ACK:
		return s.ack(c, cmd.Ack)
	default:
	}
	return false
}

func (s *shelf) deliver(c *fakebroker.Conn, consumer uint64) {
	for n := range s.entries {
		s.mu.Lock()
		acked := s.acked[uint64(n)]
		s.mu.Unlock()
		if !acked {
			c.Deliver(consumer, 7, int64(n), plain(s.t, n))
		}
	}
}

// plain is an entry of message number n, as it follows a command.
func plain(t testing.TB, n int) []byte {
	t.Helper()
	var enc entry.Encoder
	enc.Begin(entry.Header{Producer: "p", PublishTime: 1, Sequence: uint64(n)})
	enc.Append(&entry.Message{Value: fmt.Append(nil, n)})
	e, err := enc.Finish()
	if err != nil {
		t.Error(err)
	}
	return e.Frame[8+int(e.Frame[7]):]
}

func (s *shelf) ack(c *fakebroker.Conn, a *pulsarpb.Ack) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, id := range a.MessageIds {
		if s.cut(id.GetEntryId()) {
			s.free = make(chan struct{})
			// Time for a lane to take what is left of the connection.
			time.AfterFunc(100*time.Millisecond, func() { close(s.free) })
			c.Close()
			return true
		}
		s.acked[id.GetEntryId()] = true
	}
	return false
}

// R4: at most once, an entry whose acknowledgement was lost with the connection comes
// again, and nothing that lay behind it is handed out before.
func TestR4AtMostOnceKeepsOrderOverLostConnections(t *testing.T) {
	const entries = 6
	for name, unknown := range map[string]uint64{"First": 0, "Middle": 2, "Last": entries - 1} {
		t.Run(name, func(t *testing.T) {
			first := true
			_, b := newShelf(t, entries, func(entry uint64) bool {
				cut := first && entry == unknown
				first = first && !cut
				return cut
			})
			l := open(t, newSource(t, pulsar.SourceOptions{
				Brokers: map[string]wire.Broker{"": b.Settings()},
				Source: wire.Source{
					Inputs:       []wire.Input{{Topic: lostTopic}},
					Subscription: wire.Subscription{Name: "sub", Mode: wire.Exclusive},
				},
				Delivery: wire.Delivery{Guarantee: "atmost_once"},
			}))[0]
			var got, want []string
			for n := range entries {
				want = append(want, fmt.Sprint(n))
			}
			for failed := 0; len(got) < len(want); {
				batch, err := l.Read(bounded(t), 1, 1<<20)
				if err != nil {
					t.Fatalf("after %v: %v", got, err)
				}
				if err := l.Settle(bounded(t), batch, make([]pipeline.Verdict, len(batch.Messages))); err != nil {
					if failed++; failed > 1 {
						t.Fatalf("after %v: %v", got, err)
					}
					continue
				}
				for i := range batch.Messages {
					got = append(got, string(batch.Messages[i].Value))
				}
			}
			if d := cmp.Diff(want, got); d != "" {
				t.Error(d)
			}
		})
	}
}

// subscribed counts consumers by their numbers.
func subscribed(b *fakebroker.Broker) map[uint64]int {
	all := map[uint64]int{}
	for _, cmd := range b.Commands(pulsarpb.Type_SUBSCRIBE) {
		all[cmd.Subscribe.GetConsumerId()]++
	}
	return all
}

// A consumer comes back after its connection, also where nobody reads it, and under
// another number where a broker refuses the one it has.
func TestConsumersComeBack(t *testing.T) {
	for name, c := range map[string]struct {
		guarantee string
		standby   bool
		refused   bool // the number is, on every connection but the first
		consumers int  // at least so many numbers are used
	}{
		"AtLeastOnce":        {"atleast_once", false, false, 1},
		"AtLeastOnceRefused": {"atleast_once", false, true, 2},
		"AtMostOnce":         {"atmost_once", false, false, 2},
		"Standby":            {"atleast_once", true, false, 1},
		"StandbyRefused":     {"atleast_once", true, true, 2},
		"StandbyAtMostOnce":  {"atmost_once", true, false, 2},
	} {
		t.Run(name, func(t *testing.T) {
			_, b := newShelf(t, 1, func(uint64) bool { return false })
			serve, seen := b.On, map[uint64]bool{}
			var mu sync.Mutex
			b.On = func(conn *fakebroker.Conn, cmd *pulsarpb.BaseCommand, rest []byte) bool {
				if cmd.GetType() != pulsarpb.Type_SUBSCRIBE {
					return (!c.standby || cmd.GetType() != pulsarpb.Type_FLOW) && serve(conn, cmd, rest)
				}
				id := cmd.Subscribe.GetConsumerId()
				mu.Lock()
				defer mu.Unlock()
				if c.refused && seen[id] {
					conn.Refuse(cmd.Subscribe.RequestId, pulsarpb.Code_SERVICE_NOT_READY)
					return true
				}
				seen[id] = true
				conn.Accept(cmd)
				conn.ActiveConsumer(id, !c.standby)
				return true
			}
			o := pulsar.SourceOptions{
				Brokers: map[string]wire.Broker{"": b.Settings()},
				Source: wire.Source{
					Inputs:       []wire.Input{{Topic: lostTopic}},
					Subscription: wire.Subscription{Name: "sub", Mode: wire.Failover},
				},
				Delivery: wire.Delivery{Guarantee: c.guarantee},
			}
			s := newSource(t, o)
			compatible.LosePatience(s, time.Millisecond)
			lanes := open(t, s)
			b.Drop()
			if !c.standby {
				reading, stop := context.WithCancel(t.Context())
				var reader sync.WaitGroup
				reader.Go(func() {
					for reading.Err() == nil {
						_, _ = lanes[0].Read(reading, 1, 1<<20) // an error is tried again, as by a pipeline
					}
				})
				defer reader.Wait()
				defer stop()
			}
			pulsartest.Eventually(t, "the consumer comes back", func() bool {
				all := subscribed(b)
				return len(b.Commands(pulsarpb.Type_SUBSCRIBE)) > 1 && len(all) >= c.consumers
			})
		})
	}
}
