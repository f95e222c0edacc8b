package subscription_test

import (
	"encoding/binary"
	"fmt"
	"syscall"
	"testing"
	"time"

	"github.com/functionmesh/terraform-provider-functionmesh/internal/wire"
	"github.com/functionmesh/terraform-provider-functionmesh/runner/broker/pulsar/entry"
	"github.com/functionmesh/terraform-provider-functionmesh/runner/broker/pulsar/publisher"
	"github.com/functionmesh/terraform-provider-functionmesh/runner/broker/pulsar/pulsartest"
	"github.com/functionmesh/terraform-provider-functionmesh/runner/broker/pulsar/subscription"
)

// cpu is what the process has used.
func cpu(b *testing.B) time.Duration {
	b.Helper()
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// BenchmarkPulsarCopy copies entries of 100-byte messages from topic to topic, each
// acknowledged at the receipt of its copy: what the runner costs without a function.
// Each iteration is a million messages.
func BenchmarkPulsarCopy(b *testing.B) {
	const n = 1_000_000
	for _, each := range []int{100, 1000} {
		b.Run(fmt.Sprint(each), func(b *testing.B) {
			p := need(b, pulsartest.Policies{})
			var used, took time.Duration
			for i := range b.N {
				b.StopTimer()
				in, out := p.Topic(b, fmt.Sprintf("in-%d-%d", each, i), 0), p.Topic(b, fmt.Sprintf("out-%d-%d", each, i), 0)
				p.Subscribe(b, in, "s", "earliest")
				p.Subscribe(b, out, "check", "earliest")
				p.fill100(b, in, n, each)
				b.StartTimer()
				before, start := cpu(b), time.Now()
				p.copy(b, in, out, n)
				took += time.Since(start)
				used += cpu(b) - before
				b.StopTimer()
				p.check100(b, out, n)
				b.StartTimer()
			}
			b.ReportMetric(float64(used.Nanoseconds())/float64(b.N)/n, "cpu-ns/message")
			b.ReportMetric(n*float64(b.N)/took.Seconds(), "messages/s")
		})
	}
}

func (b bench) fill100(t testing.TB, topic string, n, each int) {
	t.Helper()
	p, err := publisher.Open(t.Context(), publisher.Options{Client: b.client, Topic: topic})
	if err != nil {
		t.Fatal(err)
	}
	enc := entry.Encoder{Pool: &entry.Pool{}}
	value := make([]byte, 100)
	for i := 0; i < n; i += each {
		enc.Begin(entry.Header{Producer: p.Name(), Batched: true, Numbered: true, PublishTime: time.Now().UnixMilli(), Sequence: uint64(i)})
		for j := range each {
			binary.BigEndian.PutUint64(value, uint64(i+j))
			enc.Append(&entry.Message{Value: value})
		}
		out, err := enc.Finish()
		if err != nil {
			t.Fatal(err)
		}
		if _, err := p.Send(t.Context(), out); err != nil {
			t.Fatal(err)
		}
	}
	if err := p.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
}

// sent is an entry whose copy waits for its receipt.
type sent struct {
	id      entry.ID
	receipt *publisher.Receipt
}

func (b bench) copy(t testing.TB, in, out string, n int) {
	t.Helper()
	s := b.open(t, subscription.Options{Topic: in, Mode: wire.Failover})
	p, err := publisher.Open(t.Context(), publisher.Options{Client: b.client, Topic: out})
	if err != nil {
		t.Fatal(err)
	}
	way, settled := make(chan sent, 1000), make(chan error)
	go func() { settled <- settle(t, s, way) }()
	enc := entry.Encoder{Pool: &entry.Pool{}}
	var m entry.Message
	for done := 0; done < n; {
		d := receive(t, s)
		enc.Begin(entry.Header{Producer: p.Name(), Batched: true, Numbered: true, PublishTime: d.Entry.PublishTime, Sequence: uint64(done)})
		w := d.Entry.Messages()
		for w.Next(&m) {
			enc.Append(&m)
		}
		if w.Err() != nil {
			t.Fatal(w.Err())
		}
		e, err := enc.Finish()
		if err != nil {
			t.Fatal(err)
		}
		r, err := p.Send(t.Context(), e)
		if err != nil {
			t.Fatal(err)
		}
		way <- sent{d.ID, r}
		done += d.Entry.Count
		d.Release()
	}
	close(way)
	if err := <-settled; err != nil {
		t.Fatal(err)
	}
	if err := p.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := s.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
}

// settle acknowledges what has its receipt, as many at once as there are.
func settle(t testing.TB, s *subscription.Subscription, way <-chan sent) error {
	t.Helper()
	var acks []subscription.Ack
	for next := range way {
		if _, _, err := next.receipt.Wait(t.Context()); err != nil {
			return err
		}
		acks = append(acks, subscription.Ack{ID: next.id})
		if len(way) == 0 || len(acks) == 100 {
			if err := s.Ack(t.Context(), acks, false); err != nil {
				return err
			}
			acks = acks[:0]
		}
	}
	return s.Ack(t.Context(), acks, true)
}

func (b bench) check100(t testing.TB, topic string, n int) {
	t.Helper()
	s := b.open(t, subscription.Options{Topic: topic, Name: "check", Mode: wire.Exclusive})
	var m entry.Message
	for next := 0; next < n; {
		d := receive(t, s)
		w := d.Entry.Messages()
		for w.Next(&m) {
			if len(m.Value) != 100 || binary.BigEndian.Uint64(m.Value) != uint64(next) {
				t.Fatalf("message %d is %x", next, m.Value)
			}
			next++
		}
		d.Release()
	}
	if err := s.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
}
