package pulsar_test

import (
	"context"
	"errors"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/functionmesh/terraform-provider-functionmesh/internal/wire"
	"github.com/functionmesh/terraform-provider-functionmesh/runner/broker/pulsar"
	"github.com/functionmesh/terraform-provider-functionmesh/runner/broker/pulsar/conn/pulsarpb"
	"github.com/functionmesh/terraform-provider-functionmesh/runner/broker/pulsar/entry"
	"github.com/functionmesh/terraform-provider-functionmesh/runner/broker/pulsar/fakebroker"
	"github.com/functionmesh/terraform-provider-functionmesh/runner/pipeline"
)

// failover is a broker with one consumer of a failover subscription, and other instances
// that have the partition meanwhile.
type failover struct {
	*fakebroker.Broker

	t        *testing.T
	mu       sync.Mutex
	conn     *fakebroker.Conn
	consumer uint64
	begun    atomic.Bool // asked for something
}

func newFailover(t *testing.T, first ...int64) *failover {
	f := &failover{Broker: fakebroker.New(t), t: t}
	f.On = func(c *fakebroker.Conn, cmd *pulsarpb.BaseCommand, _ []byte) bool {
		switch cmd.GetType() {
		case pulsarpb.Type_SUBSCRIBE:
			f.mu.Lock()
			f.conn, f.consumer = c, cmd.Subscribe.GetConsumerId()
			f.mu.Unlock()
			c.Accept(cmd)
			f.active(true)
			return true
		case pulsarpb.Type_FLOW:
			if f.begun.CompareAndSwap(false, true) {
				f.deliver(first...)
			}
		case pulsarpb.Type_REDELIVER_UNACKNOWLEDGED_MESSAGES: // what was on its way, and all again behind it
			f.deliver(8, 9)
			f.deliver(0, 1, 2, 3, 4, 5, 6, 7, 8, 9)
		default:
		}
		return false
	}
	return f
}

func (f *failover) active(is bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.conn.Write(pulsarpb.Type_ACTIVE_CONSUMER_CHANGE, &pulsarpb.BaseCommand{ActiveConsumerChange: &pulsarpb.ActiveConsumerChange{ConsumerId: f.consumer, Active: is}}, nil)
}

func (f *failover) deliver(entries ...int64) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, n := range entries {
		var enc entry.Encoder
		enc.Begin(entry.Header{Producer: "p", PublishTime: 1})
		enc.Append(&entry.Message{Value: strconv.AppendInt(nil, n, 10)})
		out, err := enc.Finish()
		if err != nil {
			f.t.Error(err)
		}
		f.conn.Deliver(f.consumer, 7, n, out.Frame[8+int(out.Frame[7]):])
	}
}

// acked are the entries that were acknowledged.
func (f *failover) acked() (all []uint64) {
	for _, c := range f.Commands(pulsarpb.Type_ACK) {
		for _, id := range c.Ack.MessageIds {
			all = append(all, id.GetEntryId())
		}
	}
	return all
}

func (f *failover) source(t *testing.T) (*pulsar.Source, pipeline.Lane) {
	t.Helper()
	s, err := pulsar.NewSource(pulsar.SourceOptions{
		Brokers: map[string]wire.Broker{"": f.Settings()},
		Source: wire.Source{
			Inputs:       []wire.Input{{Topic: "persistent://public/default/t"}},
			Subscription: wire.Subscription{Name: "s", Mode: wire.Failover, Position: "earliest"},
		},
		Component: component, Instance: wire.Instance{Parallelism: 2}, Delivery: wire.Delivery{Guarantee: "effectively_once"}, Name: "f", Logger: logger(t),
	})
	if err != nil {
		t.Fatal(err)
	}
	lanes, err := s.Open(t.Context())
	if err != nil || len(lanes) != 1 {
		t.Fatalf("%d lanes, %v", len(lanes), err)
	}
	t.Cleanup(func() { _ = s.Close(context.WithoutCancel(t.Context())) })
	return s, lanes[0]
}

// readAll reads n messages.
func readAll(t *testing.T, l pipeline.Lane, n int) (values []string) {
	t.Helper()
	for len(values) < n {
		b, err := l.Read(t.Context(), 100, 1<<20)
		if err != nil {
			t.Fatalf("after %v: %v", values, err)
		}
		for _, m := range b.Messages {
			values = append(values, string(m.Value))
		}
	}
	return values
}

// R4: a partition that comes back is read from its first entry that is not acknowledged,
// whatever was held or on its way when it went, or when it came.
func TestR4PartitionComesBackInOrder(t *testing.T) {
	f := newFailover(t, 0, 1, 2)
	s, first := f.source(t)
	if diff := cmp.Diff([]string{"0", "1", "2"}, readAll(t, first, 3)); diff != "" {
		t.Error(diff)
	}
	f.deliver(3, 4, 5)
	f.active(false)
	f.deliver(6)
	for {
		if _, err := first.Read(t.Context(), 1, 1<<20); errors.Is(err, pipeline.ErrFenced) {
			break
		} else if err != nil {
			t.Fatal(err)
		}
	}
	f.active(true)
	f.deliver(0, 1, 2, 3, 4, 5, 6, 7)
	lanes, err := s.Grown(t.Context())
	if err != nil || len(lanes) != 1 {
		t.Fatalf("%d lanes, %v", len(lanes), err)
	}
	f.deliver(8, 9)
	if diff := cmp.Diff([]string{"0", "1", "2", "3", "4", "5", "6", "7", "8", "9"}, readAll(t, lanes[0], 10)); diff != "" {
		t.Error(diff)
	}
	if n := len(f.Commands(pulsarpb.Type_REDELIVER_UNACKNOWLEDGED_MESSAGES)); n > 0 {
		t.Errorf("asked %d times for entries that come anyway", n)
	}
}

// R3: an entry behind a later one would pass for a repeat. It ends the instance before
// anything of it is written or acknowledged.
func TestR3EntryBehindALaterOne(t *testing.T) {
	f := newFailover(t, 0, 1, 3, 1, 2, 4)
	_, l := f.source(t)
	for {
		b, err := l.Read(t.Context(), 1, 1<<20)
		if stop, ok := errors.AsType[*pipeline.TerminalError](err); ok {
			if stop.Reason != "OutOfOrder" {
				t.Error(stop)
			}
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range b.Messages {
			if m.Position.Entry == 2 || m.Position.Entry == 4 {
				t.Fatalf("handed out: %s", m.Value)
			}
		}
		if err := l.Settle(t.Context(), b, make([]pipeline.Verdict, len(b.Messages))); err != nil {
			t.Fatal(err)
		}
	}
	if acked := f.acked(); slices.Contains(acked, 2) || slices.Contains(acked, 4) {
		t.Errorf("acknowledged %v", acked)
	}
}
