package subscription_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"sync"
	"testing"
	"time"

	pulsario "github.com/apache/pulsar-client-go/pulsar"
	"github.com/google/go-cmp/cmp"

	"github.com/functionmesh/terraform-provider-functionmesh/internal/wire"
	"github.com/functionmesh/terraform-provider-functionmesh/runner/broker/pulsar/conn"
	"github.com/functionmesh/terraform-provider-functionmesh/runner/broker/pulsar/entry"
	"github.com/functionmesh/terraform-provider-functionmesh/runner/broker/pulsar/publisher"
	"github.com/functionmesh/terraform-provider-functionmesh/runner/broker/pulsar/pulsartest"
	"github.com/functionmesh/terraform-provider-functionmesh/runner/broker/pulsar/subscription"
)

// bench is a Pulsar with a namespace of the test and a client of ours.
type bench struct {
	*pulsartest.Namespace
	client *conn.Client
}

func need(t testing.TB, p pulsartest.Policies) bench {
	t.Helper()
	server := pulsartest.Need(t)
	client, err := conn.New(server.Broker(), conn.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := client.Close(); err != nil {
			t.Error(err)
		}
	})
	return bench{server.Namespace(t, p), client}
}

// reports collects what a subscription reported.
type reports struct {
	mu  sync.Mutex
	all []error
}

func (r *reports) add(err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.all = append(r.all, err)
}

func (r *reports) has(as any) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.ContainsFunc(r.all, func(err error) bool { return errors.As(err, as) })
}

func (b bench) open(t testing.TB, o subscription.Options) *subscription.Subscription {
	t.Helper()
	o.Client = b.client
	if o.Name == "" {
		o.Name = "s"
	}
	s, err := subscription.Open(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close(context.WithoutCancel(t.Context())) })
	return s
}

// fill publishes the numbers below n, each per entry.
func (b bench) fill(t testing.TB, topic string, n, each int) {
	t.Helper()
	b.fillFrom(t, topic, 0, n, each)
}

func (b bench) fillFrom(t testing.TB, topic string, from, n, each int) {
	t.Helper()
	p, err := publisher.Open(t.Context(), publisher.Options{Client: b.client, Topic: topic})
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := p.Close(t.Context()); err != nil {
			t.Error(err)
		}
	}()
	var enc entry.Encoder
	for i := from; i < n; i += each {
		enc.Begin(entry.Header{Producer: p.Name(), Batched: each > 1, Numbered: true, PublishTime: time.Now().UnixMilli(), Sequence: uint64(i)})
		for j := i; j < min(n, i+each); j++ {
			enc.Append(&entry.Message{Value: strconv.AppendInt(nil, int64(j), 10), Key: strconv.AppendInt(nil, int64(i/each%16), 10)})
		}
		out, err := enc.Finish()
		if err != nil {
			t.Fatal(err)
		}
		if _, err := p.Send(t.Context(), out); err != nil {
			t.Fatal(err)
		}
	}
}

func receive(t testing.TB, s *subscription.Subscription) *subscription.Delivery {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), pulsartest.Patience)
	defer cancel()
	d, err := s.Receive(ctx)
	if err != nil {
		incarnation, connected, active := s.Standing()
		t.Fatalf("%v: incarnation %d, connected %t, active %t, %+v", err, incarnation, connected, active, s.Stats())
	}
	if d.Err != nil {
		t.Fatal(d.Err)
	}
	return d
}

// numbers are those of an entry that are still to be processed.
func numbers(t testing.TB, d *subscription.Delivery) []int {
	t.Helper()
	var out []int
	var m entry.Message
	w := d.Entry.Messages()
	for w.Next(&m) {
		if !d.Pending(m.Index) {
			continue
		}
		n, err := strconv.Atoi(string(m.Value))
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, n)
	}
	if w.Err() != nil {
		t.Fatal(w.Err())
	}
	return out
}

func ack(t testing.TB, s *subscription.Subscription, confirm bool, acks ...subscription.Ack) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), pulsartest.Patience)
	defer cancel()
	if err := s.Ack(ctx, acks, confirm); err != nil {
		t.Fatal(err)
	}
}

func upTo(n int) []int {
	out := make([]int, n)
	for i := range out {
		out[i] = i
	}
	return out
}

var everyMode = []wire.Mode{wire.Exclusive, wire.Failover, wire.Shared, wire.KeyShared}

// drain receives and acknowledges until n different numbers came, and returns them in
// the order of their first arrival.
func drain(t testing.TB, s *subscription.Subscription, n int) []int {
	t.Helper()
	seen := make([]bool, n)
	var got []int
	for len(got) < n {
		d := receive(t, s)
		for _, v := range numbers(t, d) {
			if !seen[v] {
				seen[v] = true
				got = append(got, v)
			}
		}
		ack(t, s, false, subscription.Ack{ID: d.ID})
		d.Release()
	}
	return got
}

func TestPulsarModes(t *testing.T) {
	b := need(t, pulsartest.Policies{})
	for _, mode := range everyMode {
		for _, each := range []int{1, 100} {
			t.Run(fmt.Sprintf("%s/%d", mode, each), func(t *testing.T) {
				topic := b.Topic(t, fmt.Sprintf("%s-%d", mode, each), 0)
				s := b.open(t, subscription.Options{Topic: topic, Mode: mode, Earliest: true})
				b.fill(t, topic, 2000, each)
				if diff := cmp.Diff(upTo(2000), drain(t, s, 2000)); diff != "" {
					t.Error(diff)
				}
				if err := s.Close(t.Context()); err != nil {
					t.Error(err)
				}
				pulsartest.Eventually(t, "everything is acknowledged", func() bool { return b.Backlog(t, topic, "s") == 0 })
				if _, err := s.Receive(t.Context()); !errors.Is(err, subscription.ErrClosed) {
					t.Error(err)
				}
			})
		}
	}
}

// What is held ahead is bounded by bytes, whatever the number of messages.
func TestPulsarQueueIsBounded(t *testing.T) {
	b := need(t, pulsartest.Policies{})
	for _, mode := range everyMode {
		t.Run(string(mode), func(t *testing.T) {
			topic := b.Topic(t, "bounded-"+string(mode), 0)
			p, err := publisher.Open(t.Context(), publisher.Options{Client: b.client, Topic: topic})
			if err != nil {
				t.Fatal(err)
			}
			s := b.open(t, subscription.Options{Topic: topic, Mode: mode, QueueBytes: 1 << 20})
			var enc entry.Encoder
			const entries, size = 100, 300_000
			for range entries {
				enc.Begin(entry.Header{Producer: p.Name(), PublishTime: 1})
				enc.Append(&entry.Message{Value: make([]byte, size)})
				out, err := enc.Finish()
				if err != nil {
					t.Fatal(err)
				}
				if _, err := p.Send(t.Context(), out); err != nil {
					t.Fatal(err)
				}
			}
			if err := p.Close(t.Context()); err != nil {
				t.Error(err)
			}
			var most int64
			for range entries {
				d := receive(t, s)
				most = max(most, s.Stats().Queued)
				ack(t, s, false, subscription.Ack{ID: d.ID})
				d.Release()
			}
			if most > 1<<20+6<<20 {
				t.Errorf("%d bytes were held", most)
			}
		})
	}
}

func TestPulsarRedelivery(t *testing.T) {
	b := need(t, pulsartest.Policies{})
	topic := b.Topic(t, "again", 0)
	s := b.open(t, subscription.Options{Topic: topic, Mode: wire.Shared})
	b.fill(t, topic, 30, 10)
	first, second := receive(t, s), receive(t, s)
	third := receive(t, s)
	ack(t, s, true, subscription.Ack{ID: first.ID}, subscription.Ack{ID: third.ID})
	for count := 1; count < 3; count++ {
		if err := s.Redeliver(t.Context(), []entry.ID{second.ID}); err != nil {
			t.Fatal(err)
		}
		again := receive(t, s)
		if again.ID != second.ID || again.Redelivery != count {
			t.Errorf("%s with count %d, want %s with %d", again.ID, again.Redelivery, second.ID, count)
		}
	}
}

// Part of an entry is acknowledged; what comes again says which part, where the broker
// keeps it, and is whole where it does not.
func TestPulsarPartOfEntry(t *testing.T) {
	b := need(t, pulsartest.Policies{})
	topic := b.Topic(t, "part", 0)
	s := b.open(t, subscription.Options{Topic: topic, Mode: wire.Shared})
	b.fill(t, topic, 100, 100)
	d := receive(t, s)
	set := subscription.Keep(100)
	for i := range 64 {
		subscription.Done(set, i)
	}
	if subscription.Left(set) != 36 {
		t.Errorf("%d left", subscription.Left(set))
	}
	ack(t, s, true, subscription.Ack{ID: d.ID, Set: set, Size: 100})
	if err := s.Redeliver(t.Context(), []entry.ID{d.ID}); err != nil {
		t.Fatal(err)
	}
	again := receive(t, s)
	want := upTo(100)
	if again.AckSet != nil {
		want = want[64:]
	}
	if diff := cmp.Diff(want, numbers(t, again)); diff != "" {
		t.Error(diff)
	}
	for i := range 100 {
		subscription.Done(set, i)
	}
	ack(t, s, true, subscription.Ack{ID: again.ID})
	pulsartest.Eventually(t, "acknowledged", func() bool { return b.Backlog(t, topic, "s") == 0 })
}

func TestPulsarUnloadUnderLoad(t *testing.T) {
	b := need(t, pulsartest.Policies{})
	for _, mode := range everyMode {
		t.Run(string(mode), func(t *testing.T) {
			topic := b.Topic(t, "unload-"+string(mode), 0)
			var r reports
			s := b.open(t, subscription.Options{Topic: topic, Mode: mode, Earliest: true, Report: r.add})
			const n, each = 100_000, 100
			b.fill(t, topic, n, each)
			seen := make([]bool, n)
			order := 0
			for left, i := n, 0; left > 0; i++ {
				d := receive(t, s)
				for _, v := range numbers(t, d) {
					if !seen[v] {
						seen[v] = true
						left--
						if mode != wire.Shared && v < order {
							t.Fatalf("%d first came after %d", v, order)
						}
						order = max(order, v)
					}
				}
				ack(t, s, i%10 == 0, subscription.Ack{ID: d.ID})
				d.Release()
				if i == 200 || i == 600 {
					b.Unload(t, topic)
				}
			}
			if s.Incarnation() < 3 {
				t.Errorf("%d connections", s.Incarnation())
			}
			var lost *subscription.LostError
			if !r.has(&lost) {
				t.Error("nothing was reported")
			}
			pulsartest.Eventually(t, "acknowledged", func() bool { return b.Backlog(t, topic, "s") == 0 })
		})
	}
}

// The second consumer of an exclusive subscription waits for the first.
func TestPulsarBusy(t *testing.T) {
	b := need(t, pulsartest.Policies{})
	topic := b.Topic(t, "busy", 0)
	first := b.open(t, subscription.Options{Topic: topic, Mode: wire.Exclusive})
	opened := make(chan error)
	refused := make(chan struct{})
	go func() {
		var once sync.Once
		s, err := subscription.Open(t.Context(), subscription.Options{
			Client: b.client, Topic: topic, Name: "s", Mode: wire.Exclusive, Report: func(error) { once.Do(func() { close(refused) }) },
		})
		if err == nil {
			err = s.Close(t.Context())
		}
		opened <- err
	}()
	<-refused
	if err := first.Close(t.Context()); err != nil {
		t.Error(err)
	}
	if err := <-opened; err != nil {
		t.Error(err)
	}
}

func TestPulsarFailover(t *testing.T) {
	b := need(t, pulsartest.Policies{})
	topic := b.Topic(t, "failover", 0)
	first := b.open(t, subscription.Options{Topic: topic, Mode: wire.Failover, ConsumerName: "a", Earliest: true})
	second := b.open(t, subscription.Options{Topic: topic, Mode: wire.Failover, ConsumerName: "b", Earliest: true})
	pulsartest.Eventually(t, "one is active", func() bool { return first.Active() != second.Active() })
	if second.Active() { // the broker chooses by a hash
		first, second = second, first
	}
	b.fill(t, topic, 100, 10)
	until := func(s *subscription.Subscription, is bool) {
		t.Helper()
		ctx, cancel := context.WithTimeout(t.Context(), pulsartest.Patience)
		defer cancel()
		for {
			changed := s.Changed()
			if s.Active() == is {
				return
			}
			select {
			case <-changed:
			case <-ctx.Done():
				t.Fatal("no change")
			}
		}
	}
	until(first, true)
	until(second, false)
	d := receive(t, first)
	ack(t, first, true, subscription.Ack{ID: d.ID})
	if err := first.Close(t.Context()); err != nil {
		t.Error(err)
	}
	until(second, true)
	t.Cleanup(func() {
		if t.Failed() {
			t.Log(b.Standing(t, topic, "s"))
		}
	})
	var got []int
	for len(got) < 90 {
		got = append(got, numbers(t, receive(t, second))...)
	}
	if diff := cmp.Diff(upTo(100)[10:], got); diff != "" {
		t.Error(diff)
	}
}

func TestPulsarSkipToLatest(t *testing.T) {
	b := need(t, pulsartest.Policies{})
	for _, mode := range everyMode {
		t.Run(string(mode), func(t *testing.T) {
			topic := b.Topic(t, "skip-"+string(mode), 0)
			b.Subscribe(t, topic, "s", "earliest")
			b.fill(t, topic, 100, 10)
			s := b.open(t, subscription.Options{Topic: topic, Mode: mode, SkipToLatest: true})
			b.fillFrom(t, topic, 100, 110, 10)
			if diff := cmp.Diff(upTo(110)[100:], numbers(t, receive(t, s))); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestPulsarSeekAndLast(t *testing.T) {
	b := need(t, pulsartest.Policies{Retention: true})
	topic := b.Topic(t, "seek", 0)
	s := b.open(t, subscription.Options{Topic: topic, Mode: wire.Exclusive, Earliest: true})
	b.fill(t, topic, 100, 10)
	var ids []entry.ID
	for range 10 {
		d := receive(t, s)
		ids = append(ids, d.ID)
	}
	if last, err := s.LastID(t.Context()); err != nil || last != ids[9] {
		t.Errorf("last %s, %v, want %s", last, err, ids[9])
	}
	if err := s.AckUpTo(t.Context(), ids[9], true); err != nil {
		t.Fatal(err)
	}
	if err := s.Seek(t.Context(), ids[5]); err != nil {
		t.Fatal(err)
	}
	if d := receive(t, s); d.ID != ids[5] {
		t.Errorf("%s came after a seek to %s", d.ID, ids[5])
	}
	if err := s.Unsubscribe(t.Context()); err != nil {
		t.Error(err)
	}
	pulsartest.Eventually(t, "subscription is gone", func() bool { return !slices.Contains(b.Subscriptions(t, topic), "s") })
}

func TestPulsarMissingTopic(t *testing.T) {
	b := need(t, pulsartest.Policies{})
	_, err := subscription.Open(t.Context(), subscription.Options{Client: b.client, Topic: b.Full("none"), Name: "s", Mode: wire.Shared})
	if reason, terminal := conn.Terminal(err); !terminal {
		t.Errorf("%v: %s", err, reason)
	}
	s := b.open(t, subscription.Options{Topic: b.Full("made"), Name: "s", Mode: wire.Shared, Create: true})
	if last, err := s.LastID(t.Context()); err != nil || last.Entry != -1 {
		t.Errorf("%s, %v", last, err)
	}
}

// A topic deleted under the subscription ends it, or is reported and made again.
func TestPulsarTopicDeleted(t *testing.T) {
	b := need(t, pulsartest.Policies{})
	for name, recreate := range map[string]bool{"Ends": false, "GoesOn": true} {
		t.Run(name, func(t *testing.T) {
			topic := b.Topic(t, "deleted-"+name, 0)
			var r reports
			s := b.open(t, subscription.Options{Topic: topic, Mode: wire.Shared, Earliest: true, Create: true, Recreate: recreate, Report: r.add})
			b.fill(t, topic, 10, 10)
			receive(t, s)
			b.Delete(t, topic)
			if !recreate {
				if _, err := s.Receive(t.Context()); !errors.Is(err, subscription.ErrGone) {
					t.Error(err)
				}
				return
			}
			var gone *subscription.GoneError
			pulsartest.Eventually(t, "deletion is reported", func() bool { return r.has(&gone) })
			pulsartest.Eventually(t, "another consumer", func() bool { return s.Incarnation() == 2 })
			b.fill(t, topic, 10, 10)
			if diff := cmp.Diff(upTo(10), numbers(t, receive(t, s))); diff != "" {
				t.Error(diff)
			}
		})
	}
}

// A subscription deleted under its only consumer is made again behind what waited, and
// that is reported.
func TestPulsarSubscriptionDeleted(t *testing.T) {
	b := need(t, pulsartest.Policies{})
	topic := b.Topic(t, "unsubscribed", 0)
	var r reports
	s := b.open(t, subscription.Options{Topic: topic, Mode: wire.Shared, Alone: true, QueueMessages: 20, Recreate: true, Report: r.add})
	b.fill(t, topic, 100, 10)
	receive(t, s)
	pulsartest.Eventually(t, "more is held", func() bool { return s.Stats().Queued > 0 })
	b.Unsubscribe(t, topic, "s")
	var passed *subscription.PassedError
	pulsartest.Eventually(t, "what was passed over is reported", func() bool { return r.has(&passed) })
	b.fill(t, topic, 10, 10)
	if diff := cmp.Diff(upTo(10), numbers(t, receive(t, s))); diff != "" {
		t.Error(diff)
	}
}

// Entries that Pulsar's own client wrote, with every codec and batcher.
func TestPulsarWrittenByOwnClient(t *testing.T) {
	b := need(t, pulsartest.Policies{})
	for name, o := range map[string]pulsario.ProducerOptions{
		"Plain":    {DisableBatching: true},
		"Batched":  {},
		"KeyBased": {BatcherBuilderType: pulsario.KeyBasedBatchBuilder},
		"LZ4":      {CompressionType: pulsario.LZ4},
		"Zlib":     {CompressionType: pulsario.ZLib},
		"Zstd":     {CompressionType: pulsario.ZSTD},
		"Snappy":   {CompressionType: pulsario.SNAPPY, DisableBatching: true},
	} {
		t.Run(name, func(t *testing.T) {
			topic := b.Topic(t, "own-"+name, 0)
			s := b.open(t, subscription.Options{Topic: topic, Mode: wire.Exclusive})
			o.Topic = topic
			p, err := b.Client(t).CreateProducer(o)
			if err != nil {
				t.Fatal(err)
			}
			const n = 50
			for i := range n {
				p.SendAsync(t.Context(), &pulsario.ProducerMessage{
					Payload: fmt.Append(nil, i), Key: fmt.Sprint("k", i%3), OrderingKey: "o", EventTime: time.UnixMilli(int64(7 + i)), Properties: map[string]string{"n": fmt.Sprint(i)},
				}, func(_ pulsario.MessageID, _ *pulsario.ProducerMessage, err error) {
					if err != nil {
						t.Error(err)
					}
				})
			}
			if err := p.FlushWithCtx(t.Context()); err != nil {
				t.Fatal(err)
			}
			seen := map[int]bool{}
			for len(seen) < n {
				d := receive(t, s)
				var m entry.Message
				w := d.Entry.Messages()
				for w.Next(&m) {
					i, _ := strconv.Atoi(string(m.Value))
					seen[i] = true
					if string(m.Key) != fmt.Sprint("k", i%3) || string(m.OrderingKey) != "o" || m.EventTime != int64(7+i) || m.Properties.Map()["n"] != fmt.Sprint(i) || m.Sequence != uint64(i) {
						t.Errorf("message %d: %+v %v", i, m, m.Properties.Map())
					}
				}
				if w.Err() != nil {
					t.Fatal(w.Err())
				}
				d.Release()
			}
		})
	}
}
