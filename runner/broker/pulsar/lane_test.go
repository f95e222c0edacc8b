package pulsar

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/functionmesh/terraform-provider-functionmesh/internal/wire"
	"github.com/functionmesh/terraform-provider-functionmesh/runner/broker/pulsar/entry"
	"github.com/functionmesh/terraform-provider-functionmesh/runner/broker/pulsar/subscription"
	"github.com/functionmesh/terraform-provider-functionmesh/runner/pipeline"
)

// broker is a consumer without a broker behind it. It keeps no sets of acknowledged
// messages, as brokers do by default.
type broker struct {
	t *testing.T

	mu          sync.Mutex
	queue       []*subscription.Delivery
	acked       []entry.ID
	asked       []entry.ID
	incarnation uint64
	turns       map[uint64]uint64 // of each incarnation
	restarted   []uint64
	refuse      error
}

func (b *broker) deliver(e int64, messages, redelivery int) {
	b.t.Helper()
	var enc entry.Encoder
	enc.Begin(entry.Header{Producer: "p", Batched: messages > 1, PublishTime: 1})
	for i := range messages {
		enc.Append(&entry.Message{Value: fmt.Append(nil, e, ".", i)})
	}
	out, err := enc.Finish()
	if err != nil {
		b.t.Fatal(err)
	}
	d := &subscription.Delivery{ID: entry.ID{Ledger: 1, Entry: e}, Redelivery: redelivery, Incarnation: b.incarnation}
	var dec entry.Decoder
	d.Err = dec.Decode(section(out.Frame), &d.Entry)
	b.mu.Lock()
	defer b.mu.Unlock()
	b.queue = append(b.queue, d)
}

// section is what follows the command of a frame.
func section(frame []byte) []byte {
	n := int(frame[4])<<24 | int(frame[5])<<16 | int(frame[6])<<8 | int(frame[7])
	return frame[8+n:]
}

func (b *broker) TryReceive() (*subscription.Delivery, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if len(b.queue) == 0 {
		return nil, nil //nolint:nilnil // as a subscription does
	}
	d := b.queue[0]
	b.queue = b.queue[1:]
	d.Turn = b.turns[d.Incarnation]
	b.turns[d.Incarnation]++
	return d, nil
}

func (b *broker) Receive(ctx context.Context) (*subscription.Delivery, error) {
	if d, _ := b.TryReceive(); d != nil {
		return d, nil
	}
	<-ctx.Done()
	return nil, ctx.Err()
}

func (b *broker) Ack(_ context.Context, acks []subscription.Ack, _ bool) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, a := range acks {
		if a.Set == nil {
			b.acked = append(b.acked, a.ID)
		}
	}
	return b.refuse
}

func (b *broker) Claim(ctx context.Context, incarnation uint64, acks []subscription.Ack) error {
	if incarnation != b.incarnation {
		return subscription.ErrAnother
	}
	return b.Ack(ctx, acks, true)
}

func (b *broker) Redeliver(_ context.Context, ids []entry.ID) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.asked = append(b.asked, ids...)
	return nil
}

func (b *broker) restart(incarnation uint64) { b.restarted = append(b.restarted, incarnation) }

func (b *broker) done() (all []int64) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, id := range b.acked {
		all = append(all, id.Entry)
	}
	return all
}

func testLane(t *testing.T, o laneOptions) (*broker, *lane) {
	b := &broker{t: t, incarnation: 1, turns: map[uint64]uint64{}}
	o.place = place{topic: "t", unpartitioned: true}
	o.name, o.reads, o.report, o.malformed = "t", &sync.Mutex{}, func(error) {}, func(string, int) {}
	o.restart = b.restart
	l := newLane(t.Context(), b, o)
	var running sync.WaitGroup
	running.Go(func() { l.later.run(l.mine) })
	t.Cleanup(func() { l.fence(); running.Wait() })
	return b, l
}

func read(t *testing.T, l *lane, most int) pipeline.Batch {
	t.Helper()
	b, err := l.Read(t.Context(), most, 1<<20)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func textsOf(b pipeline.Batch) (v []string) {
	for _, m := range b.Messages {
		v = append(v, string(m.Value))
	}
	return v
}

func settle(t *testing.T, l *lane, b pipeline.Batch, v ...pipeline.Verdict) {
	t.Helper()
	if v == nil {
		v = make([]pipeline.Verdict, len(b.Messages))
	}
	if err := l.Settle(t.Context(), b, v); err != nil {
		t.Fatal(err)
	}
}

var again = pipeline.Verdict{Redeliver: true, Delay: time.Second} //nolint:gochecknoglobals // a constant

// Of an entry that is delivered whole again only what failed is handed out, and the
// delay holds even where a lost connection brings it earlier.
func TestLaneHandsOutFailedOnly(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b, l := testLane(t, laneOptions{})
		b.deliver(1, 4, 0)
		b.deliver(2, 1, 0)
		batch := read(t, l, 100)
		settle(t, l, batch, pipeline.Verdict{}, again, pipeline.Verdict{}, again, pipeline.Verdict{})
		if diff := cmp.Diff([]int64{2}, b.done()); diff != "" {
			t.Error(diff)
		}
		b.incarnation++
		b.deliver(1, 4, 0)
		b.deliver(3, 1, 0)
		if diff := cmp.Diff([]string{"3.0"}, textsOf(read(t, l, 100))); diff != "" {
			t.Errorf("before its time: %s", diff)
		}
		time.Sleep(2 * time.Second)
		synctest.Wait()
		if len(b.asked) != 1 {
			t.Fatalf("asked for %v", b.asked)
		}
		b.deliver(1, 4, 1)
		batch = read(t, l, 100)
		if diff := cmp.Diff([]string{"1.1", "1.3"}, textsOf(batch)); diff != "" {
			t.Error(diff)
		}
		if batch.Messages[0].Redelivery != 1 {
			t.Errorf("redelivery %d", batch.Messages[0].Redelivery)
		}
		settle(t, l, batch)
		if !slices.Contains(b.done(), 1) {
			t.Error("not acknowledged")
		}
	})
}

// What a broker delivers again although it is under way, or settled, is not handed out.
func TestLaneKnowsItsOwn(t *testing.T) {
	b, l := testLane(t, laneOptions{ordered: true})
	for e := range int64(3) {
		b.deliver(e, 2, 0)
	}
	first := read(t, l, 2)
	settle(t, l, first)
	second := read(t, l, 2) // under way
	b.queue, b.incarnation = nil, 2
	l.lost(true)
	for e := range int64(4) {
		b.deliver(e, 2, 0)
	}
	if diff := cmp.Diff([]string{"2.0", "2.1", "3.0", "3.1"}, textsOf(read(t, l, 100))); diff != "" {
		t.Error(diff)
	}
	settle(t, l, second)
	b.queue, b.incarnation = nil, 3 // closed by the broker: whoever moved the subscription back means it
	l.lost(false)
	b.deliver(0, 2, 0)
	if diff := cmp.Diff([]string{"0.0", "0.1"}, textsOf(read(t, l, 100))); diff != "" {
		t.Error(diff)
	}
}

// What was under way while a broker closed the consumer, and is settled before what is
// delivered again is read, is not handed out again.
func TestLaneKnowsWhatItSettledMeanwhile(t *testing.T) {
	b, l := testLane(t, laneOptions{ordered: true})
	b.deliver(0, 1, 0)
	settle(t, l, read(t, l, 100))
	b.deliver(1, 1, 0)
	underWay := read(t, l, 100)
	l.lost(false)
	b.incarnation = 2
	for e := range int64(3) { // and the subscription was moved back to 0
		b.deliver(e, 1, 0)
	}
	settle(t, l, underWay)
	if diff := cmp.Diff([]string{"0.0", "2.0"}, textsOf(read(t, l, 100))); diff != "" {
		t.Error(diff)
	}
}

// R2: whole entries are claimed before any of their messages is used, and what came over
// a connection that has ended is left to whoever has it now.
func TestLaneR2Claims(t *testing.T) {
	b, l := testLane(t, laneOptions{once: true})
	b.deliver(1, 4, 0)
	b.deliver(2, 4, 0)
	first := read(t, l, 2)
	if len(first.Messages) != 4 {
		t.Errorf("R7: read %d of 4 messages that are claimed together", len(first.Messages))
	}
	for range 2 {
		if err := l.Settle(t.Context(), first, make([]pipeline.Verdict, 2)); err != nil {
			t.Error(err)
		}
		if diff := cmp.Diff([]int64{1}, b.done()); diff != "" {
			t.Errorf("claimed as a whole, and once: %s", diff)
		}
	}
	lost := read(t, l, 4)
	b.incarnation = 2
	if err := l.Settle(t.Context(), lost, make([]pipeline.Verdict, 4)); !errors.Is(err, subscription.ErrAnother) {
		t.Errorf("settled over another connection: %v", err)
	}
	b.deliver(2, 4, 0)
	settle(t, l, read(t, l, 100))
	if diff := cmp.Diff([]int64{1, 2}, b.done()); diff != "" {
		t.Error(diff)
	}
}

// R2: a broker that closes a consumer in order may deliver again what it had confirmed a
// moment before. What is older comes again because somebody wants it.
func TestLaneR2ClosedInOrder(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b, l := testLane(t, laneOptions{once: true})
		for e := range int64(3) {
			b.deliver(e, 1, 0)
			settle(t, l, read(t, l, 1))
			time.Sleep(2 * latelyAge)
		}
		b.deliver(3, 1, 0)
		settle(t, l, read(t, l, 1))
		l.lost(false)
		time.Sleep(time.Hour) // however long it is away
		b.incarnation = 2
		for e := range int64(5) {
			b.deliver(e, 1, 0)
		}
		if diff := cmp.Diff([]string{"0.0", "1.0", "4.0"}, textsOf(read(t, l, 100))); diff != "" {
			t.Error(diff)
		}
	})
}

// Messages that user code acknowledges by itself keep their entry open.
func TestLaneByHand(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b, l := testLane(t, laneOptions{nackDelay: time.Second})
		b.deliver(1, 3, 0)
		batch := read(t, l, 100)
		keep := pipeline.Verdict{Keep: true}
		settle(t, l, batch, keep, keep, keep)
		say := func(index int32, nack bool) {
			t.Helper()
			a := pipeline.Ack{Topic: "t", Position: pipeline.Position{Ledger: 1, Entry: 1, Index: index}, Nack: nack}
			if err := l.Acknowledge(t.Context(), []pipeline.Ack{a, a}); err != nil {
				t.Fatal(err)
			}
		}
		say(0, false)
		say(2, true)
		l.Release(batch)
		if len(b.done()) != 0 {
			t.Error("acknowledged early")
		}
		say(1, false)
		time.Sleep(2 * time.Second)
		synctest.Wait()
		b.deliver(1, 3, 1)
		batch = read(t, l, 100)
		if diff := cmp.Diff([]string{"1.2"}, textsOf(batch)); diff != "" {
			t.Error(diff)
		}
		settle(t, l, batch, keep)
		say(2, false)
		if diff := cmp.Diff([]int64{1}, b.done()); diff != "" {
			t.Error(diff)
		}
	})
}

// Memory that is used again never changes what is still held.
func TestLaneReleases(t *testing.T) {
	b, l := testLane(t, laneOptions{})
	var held []pipeline.Batch
	next := int64(0)
	for range 500 {
		b.deliver(next, 1+int(next%7), 0)
		next++
		batch := read(t, l, 3)
		settle(t, l, batch)
		held = append(held, batch)
		if len(held) > 3 {
			for _, m := range held[0].Messages {
				if want := fmt.Sprint(m.Position.Entry, ".", m.Position.Index); string(m.Value) != want {
					t.Fatalf("%q, want %q", m.Value, want)
				}
			}
			l.Release(held[0])
			held = held[1:]
		}
	}
}

func TestLaneEndsWhenFenced(t *testing.T) {
	_, l := testLane(t, laneOptions{})
	l.fence()
	if _, err := l.Read(t.Context(), 1, 1); !errors.Is(err, pipeline.ErrFenced) {
		t.Errorf("%v", err)
	}
}

// R4: where entries were not handed out, those behind them are not either: the
// subscription begins anew.
func TestLaneR4PassesOverNothing(t *testing.T) {
	b, l := testLane(t, laneOptions{ordered: true})
	for e := range int64(3) {
		b.deliver(e, 1, 0)
	}
	if diff := cmp.Diff([]string{"0.0"}, textsOf(read(t, l, 1))); diff != "" {
		t.Error(diff)
	}
	b.turns[1]++ // as if somebody else had taken one
	b.incarnation = 2
	for e := range int64(3) {
		b.deliver(e, 1, 0)
	}
	if diff := cmp.Diff([]string{"1.0", "2.0"}, textsOf(read(t, l, 100))); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff([]uint64{1}, b.restarted); diff != "" {
		t.Error(diff)
	}
}

// A broker goes back within an incarnation to what it has delivered, and to nothing else.
func TestOrder(t *testing.T) {
	at := func(e int64) entry.ID { return entry.ID{Ledger: 1 + e/10, Entry: e % 10} }
	for name, c := range map[string]struct {
		entries []int64
		bad     bool
	}{
		"InOrder":    {entries: []int64{0, 1, 2, 11, 12}},
		"WithGaps":   {entries: []int64{0, 2, 5, 6, 25}},
		"Again":      {entries: []int64{0, 2, 5, 0, 2, 5, 6}},
		"Behind":     {entries: []int64{0, 2, 5, 4}, bad: true},
		"BeforeAll":  {entries: []int64{3, 4, 2}, bad: true},
		"LedgerBack": {entries: []int64{3, 11, 4}, bad: true},
	} {
		t.Run(name, func(t *testing.T) {
			b, l := testLane(t, laneOptions{ordered: true, exact: true})
			var last error
			for i, e := range c.entries {
				if last = l.inOrder(&subscription.Delivery{ID: at(e), Incarnation: b.incarnation, Turn: uint64(i)}); last != nil && i < len(c.entries)-1 {
					t.Fatalf("entry %d: %v", e, last)
				}
			}
			if isTerminal(last) != c.bad {
				t.Errorf("%v", last)
			}
		})
	}
}

// A lane that comes back does not go on where the producers of the one before are: they
// come to their end first.
func TestSinkLaneHasOneSender(t *testing.T) {
	s := &Sink{lanes: map[origin]*outlet{}}
	from := origin{topic: "t"}
	first, err := s.lane(t.Context(), from)
	if err != nil {
		t.Fatal(err)
	}
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := s.lane(ended, from); !errors.Is(err, context.Canceled) {
		t.Errorf("a second one: %v", err)
	}
	if _, err := s.lane(ended, origin{topic: "t", partition: 1}); err != nil {
		t.Errorf("another lane: %v", err)
	}
	if err := s.leave(t.Context(), first); err != nil {
		t.Error(err)
	}
	if second, err := s.lane(ended, from); err != nil || second == first {
		t.Errorf("after it: %v", err)
	}
}

func TestMemory(t *testing.T) {
	m := memory{age: memoryAge}
	now := time.Now()
	all := rand.Perm(2000)
	for _, e := range all[:1000] {
		m.add(entry.ID{Ledger: int64(e % 3), Entry: int64(e)}, now)
	}
	for i, e := range all {
		if got := m.has(entry.ID{Ledger: int64(e % 3), Entry: int64(e)}, now); got != (i < 1000) {
			t.Fatalf("entry %d: %t", e, got)
		}
	}
	for e := range int64(10_000) {
		m.add(entry.ID{Ledger: 9, Entry: e}, now.Add(memoryAge+time.Second))
	}
	if len(m.young) != 1 || !m.has(entry.ID{Ledger: 9, Entry: 77}, now.Add(memoryAge+time.Second)) {
		t.Errorf("%d spans for one run", len(m.young))
	}
	if m.has(entry.ID{Ledger: 9, Entry: 77}, now.Add(4*memoryAge)) {
		t.Error("remembered too long")
	}
}

func TestSequence(t *testing.T) {
	cases := map[string]struct {
		id    entry.ID
		chunk int
		fits  bool
	}{
		"Zero":     {entry.ID{}, 0, true},
		"Largest":  {entry.ID{Ledger: 1<<33 - 1, Entry: 1<<22 - 1}, 255, true},
		"Ledger":   {entry.ID{Ledger: 1 << 33}, 0, false},
		"Entry":    {entry.ID{Entry: 1 << 22}, 0, false},
		"Chunk":    {entry.ID{}, 256, false},
		"Negative": {entry.ID{Ledger: -1}, 0, false},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			n, err := sequence(c.id, c.chunk)
			if c.fits != (err == nil) || err != nil && !errors.Is(err, errOverflow) {
				t.Fatal(err)
			}
			if err == nil && (numbered(n) != c.id || int64(n) < 0) {
				t.Errorf("%d stands for %s", n, numbered(n))
			}
		})
	}
}

func TestOptionsRefused(t *testing.T) {
	pulsar := map[string]wire.Broker{"": {Kind: "pulsar", URL: "pulsar://localhost:6650"}}
	good := func() SourceOptions {
		return SourceOptions{Brokers: pulsar, Source: wire.Source{Inputs: []wire.Input{{Topic: "persistent://a/b/c"}}, Subscription: wire.Subscription{Name: "s"}}}
	}
	cases := map[string]func(o *SourceOptions){
		"NoInputs":       func(o *SourceOptions) { o.Source.Inputs = nil },
		"NoSubscription": func(o *SourceOptions) { o.Source.Subscription.Name = "" },
		"Mode":           func(o *SourceOptions) { o.Source.Subscription.Mode = "odd" },
		"Pattern":        func(o *SourceOptions) { o.Source.Inputs[0].Pattern = true },
		"Crypto":         func(o *SourceOptions) { o.Source.Inputs[0].Crypto = &wire.Crypto{} },
		"NoBroker":       func(o *SourceOptions) { o.Source.Inputs[0].Broker = "eu" },
		"Kind":           func(o *SourceOptions) { o.Brokers = map[string]wire.Broker{"": {Kind: "nats"}} },
		"SharedExactly":  func(o *SourceOptions) { o.Delivery.Guarantee = effectivelyOnce },
	}
	if _, err := NewSource(good()); err != nil {
		t.Fatal(err)
	}
	for name, spoil := range cases {
		t.Run(name, func(t *testing.T) {
			o := good()
			spoil(&o)
			if _, err := NewSource(o); !isTerminal(err) {
				t.Errorf("%v", err)
			}
		})
	}
	for name, o := range map[string]SinkOptions{
		"Codec":   {Output: wire.Output{Producer: &wire.Producer{Compression: "odd"}}},
		"Builder": {Output: wire.Output{Producer: &wire.Producer{Batching: &wire.Batching{Builder: "odd"}}}},
		"Crypto":  {Output: wire.Output{Producer: &wire.Producer{Crypto: &wire.Crypto{}}}},
	} {
		t.Run("Sink"+name, func(t *testing.T) {
			o.Broker = pulsar[""]
			if _, err := NewSink(o); !isTerminal(err) {
				t.Errorf("%v", err)
			}
		})
	}
}

func isTerminal(err error) bool {
	_, ok := errors.AsType[*pipeline.TerminalError](err)
	return ok
}
