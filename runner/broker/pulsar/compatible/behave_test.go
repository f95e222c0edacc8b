package compatible_test

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	pulsario "github.com/apache/pulsar-client-go/pulsar"
	"github.com/google/go-cmp/cmp"

	"github.com/functionmesh/terraform-provider-functionmesh/internal/wire"
	"github.com/functionmesh/terraform-provider-functionmesh/runner/broker/pulsar"
	"github.com/functionmesh/terraform-provider-functionmesh/runner/broker/pulsar/compatible"
	"github.com/functionmesh/terraform-provider-functionmesh/runner/broker/pulsar/pulsartest"
	"github.com/functionmesh/terraform-provider-functionmesh/runner/pipeline"
)

func bounded(t testing.TB) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), pulsartest.Patience)
	t.Cleanup(cancel)
	return ctx
}

// open opens a source, which is closed with the test.
func open(t testing.TB, s *compatible.Source) []pipeline.Lane {
	t.Helper()
	lanes, err := s.Open(bounded(t))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { shut(t, s) })
	return lanes
}

func shut(t testing.TB, s *compatible.Source) {
	t.Helper()
	if err := s.Close(context.WithoutCancel(t.Context())); err != nil {
		t.Error(err)
	}
}

// read reads until there are so many messages, and settles each by its verdict.
func read(t testing.TB, l pipeline.Lane, want int, verdict func(m *pipeline.Message) pipeline.Verdict) []pipeline.Message {
	t.Helper()
	ctx := bounded(t)
	var all []pipeline.Message
	for len(all) < want {
		b, err := l.Read(ctx, 1000, 1<<20)
		if err != nil {
			t.Fatalf("after %d messages: %v", len(all), err)
		}
		v := make([]pipeline.Verdict, len(b.Messages))
		for i := range b.Messages {
			v[i] = verdict(&b.Messages[i])
		}
		if err := l.Settle(ctx, b, v); err != nil {
			t.Fatal(err)
		}
		all = append(all, b.Messages...)
	}
	return all
}

func done(*pipeline.Message) pipeline.Verdict { return pipeline.Verdict{} }

func texts(prefix string, n int) [][]byte {
	out := make([][]byte, n)
	for i := range out {
		out[i] = fmt.Appendf(nil, "%s-%04d", prefix, i)
	}
	return out
}

func valuesOf(all []pipeline.Message) []string {
	out := make([]string, len(all))
	for i := range all {
		out[i] = string(all[i].Value)
	}
	slices.Sort(out)
	return out
}

// What failed comes again alone, also where the broker delivers whole entries.
func TestPulsarDeliversAgainWhatFailed(t *testing.T) {
	s := pulsartest.Need(t)
	for name, each := range map[string]int{"Plain": 1, "Batched": 10} {
		t.Run(name, func(t *testing.T) {
			topic := s.Namespace(t, pulsartest.Policies{}).Topic(t, "t", 0)
			s.Subscribe(t, topic, "sub", "earliest")
			fill(t, s, topic, texts("v", 50), each)
			l := open(t, newSource(t, sourceOptions(s, topic, wire.Shared)))[0]
			failing := map[string]int{"v-0003": 2, "v-0019": 1, "v-0024": 1}
			again := map[string]int32{}
			all := read(t, l, 50+4, func(m *pipeline.Message) pipeline.Verdict {
				again[string(m.Value)] = max(again[string(m.Value)], m.Redelivery)
				if failing[string(m.Value)]--; failing[string(m.Value)] < 0 {
					return pipeline.Verdict{}
				}
				return pipeline.Verdict{Redeliver: true, Delay: 10 * time.Millisecond}
			})
			times := map[string]int{}
			for _, v := range valuesOf(all) {
				times[v]++
			}
			for v, n := range times {
				if want := 1 + map[string]int{"v-0003": 2, "v-0019": 1, "v-0024": 1}[v]; n != want {
					t.Errorf("%s came %d times, want %d", v, n, want)
				}
			}
			if again["v-0003"] != 2 || again["v-0019"] != 1 {
				t.Errorf("redelivery counts %d and %d, want 2 and 1", again["v-0003"], again["v-0019"])
			}
			s.Settled(t, topic, "sub")
		})
	}
}

func TestPulsarPartitionsAreLanesAndGrow(t *testing.T) {
	s := pulsartest.Need(t)
	topic := s.Namespace(t, pulsartest.Policies{}).Topic(t, "t", 3)
	for p := range 3 {
		s.Subscribe(t, pulsartest.Partition(topic, 3, p), "sub", "earliest")
	}
	s.Fill(t, topic, 300, pulsartest.Fill{Partitions: 3, PerEntry: 10, Keys: 5, Properties: map[string]string{"p": "q"}})
	source := newSource(t, sourceOptions(s, topic, wire.KeyShared))
	compatible.LookEvery(source, 100*time.Millisecond)
	lanes := open(t, source)
	for len(lanes) < 3 {
		more, err := source.Grown(bounded(t))
		if err != nil {
			t.Fatal(err)
		}
		lanes = append(lanes, more...)
	}
	seen := map[int]int{}
	for _, l := range lanes {
		for _, m := range read(t, l, 100, done) {
			seen[m.Partition]++
			if m.Topic != topic || len(m.Key) == 0 || m.Properties["p"] != "q" || m.Position.Count != 10 || m.Unpartitioned {
				t.Fatalf("message %+v", m)
			}
		}
	}
	if diff := cmp.Diff(map[int]int{0: 100, 1: 100, 2: 100}, seen); diff != "" {
		t.Error(diff)
	}
	s.Grow(t, topic, 4)
	lanes, err := source.Grown(bounded(t))
	if err != nil || len(lanes) != 1 || lanes[0].Name() != topic+"-partition-3" {
		t.Errorf("grown: %v, %v", lanes, err)
	}
}

func TestPulsarPatternFindsTopics(t *testing.T) {
	s := pulsartest.Need(t)
	n := s.Namespace(t, pulsartest.Policies{})
	for _, name := range []string{"in-a", "other"} {
		fill(t, s, n.Topic(t, name, 0), texts(name, 3), 1)
	}
	o := sourceOptions(s, "persistent://"+n.Name+"/in-.*", wire.Shared)
	o.Source.Inputs[0].Pattern = true
	source := newSource(t, o)
	compatible.LookEvery(source, 100*time.Millisecond)
	lanes := open(t, source)
	if len(lanes) != 1 {
		t.Fatalf("%d lanes", len(lanes))
	}
	got := read(t, lanes[0], 3, done)
	if got[0].Topic != n.Full("in-a") || !got[0].Unpartitioned {
		t.Errorf("message %+v", got[0])
	}
	late := n.Topic(t, "in-b", 2)
	names := map[string]bool{}
	for len(names) < 2 {
		more, err := source.Grown(bounded(t))
		if err != nil {
			t.Fatal(err)
		}
		for _, l := range more {
			names[l.Name()] = true
		}
	}
	if !names[late+"-partition-0"] || !names[late+"-partition-1"] {
		t.Errorf("lanes %v", names)
	}
}

func TestPulsarEncrypts(t *testing.T) {
	s := pulsartest.Need(t)
	topic := s.Namespace(t, pulsartest.Policies{}).Topic(t, "t", 0)
	public, private := pulsartest.Keys(t)
	s.Subscribe(t, topic, "sub", "earliest")
	o := sinkOptions(s, topic)
	o.Output.Producer = &wire.Producer{Crypto: &wire.Crypto{PublicKeyFile: public, PrivateKeyFile: private, Keys: []string{"k"}}}
	sink := newSink(t, o)
	out := []pipeline.Message{{Value: []byte("secret one")}, {Value: []byte("secret two")}}
	if n, err := sink.Write(bounded(t), out); err != nil {
		t.Fatalf("%d: %v", n, err)
	}
	if err := sink.Close(t.Context()); err != nil {
		t.Error(err)
	}
	t.Run("WithTheKey", func(t *testing.T) {
		o := sourceOptions(s, topic, wire.Shared)
		o.Source.Inputs[0].Crypto = &wire.Crypto{PublicKeyFile: public, PrivateKeyFile: private}
		got := valuesOf(read(t, open(t, newSource(t, o))[0], 2, done))
		if diff := cmp.Diff([]string{"secret one", "secret two"}, got); diff != "" {
			t.Error(diff)
		}
	})
}

func TestPulsarReadsChunks(t *testing.T) {
	s := pulsartest.Need(t)
	topic := s.Namespace(t, pulsartest.Policies{}).Topic(t, "t", 0)
	s.Subscribe(t, topic, "sub", "earliest")
	p, err := s.Client(t).CreateProducer(pulsario.ProducerOptions{Topic: topic, DisableBatching: true, EnableChunking: true, ChunkMaxMessageSize: 100 << 10})
	if err != nil {
		t.Fatal(err)
	}
	value := make([]byte, 1<<20)
	_, _ = rand.Read(value)
	if _, err := p.Send(bounded(t), &pulsario.ProducerMessage{Payload: value}); err != nil {
		t.Fatal(err)
	}
	got := read(t, open(t, newSource(t, sourceOptions(s, topic, wire.Exclusive)))[0], 1, done)
	if !bytes.Equal(got[0].Value, value) {
		t.Errorf("%d bytes of %d, or others", len(got[0].Value), len(value))
	}
	s.Settled(t, topic, "sub")
}

// What was claimed is never delivered again, used or not.
func TestPulsarAtMostOnceClaimsEntries(t *testing.T) {
	s := pulsartest.Need(t)
	topic := s.Namespace(t, pulsartest.Policies{}).Topic(t, "t", 0)
	s.Subscribe(t, topic, "sub", "earliest")
	fill(t, s, topic, texts("v", 20), 10)
	o := sourceOptions(s, topic, wire.Shared)
	o.Delivery.Guarantee = "atmost_once"
	first := newSource(t, o)
	l := open(t, first)[0]
	b, err := l.Read(bounded(t), 3, 1<<20)
	if err != nil || len(b.Messages) == 0 {
		t.Fatal(err)
	}
	if err := l.Settle(bounded(t), b, make([]pipeline.Verdict, 1)); err != nil {
		t.Fatal(err)
	}
	shut(t, first)
	got := read(t, open(t, newSource(t, o))[0], 10, done)
	if diff := cmp.Diff(valuesOf(got)[0], "v-0010"); diff != "" || len(got) != 10 {
		t.Errorf("%d messages: %s", len(got), diff)
	}
	s.Settled(t, topic, "sub")
}

func TestPulsarByHand(t *testing.T) {
	s := pulsartest.Need(t)
	topic := s.Namespace(t, pulsartest.Policies{}).Topic(t, "t", 0)
	s.Subscribe(t, topic, "sub", "earliest")
	fill(t, s, topic, texts("v", 10), 5)
	o := sourceOptions(s, topic, wire.Shared)
	o.Delivery.Guarantee = "manual"
	o.Source.Subscription.NackDelayMs = 100
	l := open(t, newSource(t, o))[0]
	all := read(t, l, 10, func(*pipeline.Message) pipeline.Verdict { return pipeline.Verdict{Keep: true} })
	hand, ok := l.(pipeline.ByHand)
	if !ok || hand.Unacknowledged() != 10 {
		t.Fatalf("a lane that keeps %T", l)
	}
	var acks []pipeline.Ack
	for i := range all {
		acks = append(acks, pipeline.Ack{Topic: topic, Position: all[i].Position, Nack: i == 7})
	}
	for range 2 { // the second time says nothing new
		if err := hand.Acknowledge(t.Context(), acks); err != nil {
			t.Fatal(err)
		}
	}
	again := read(t, l, 1, done)
	if diff := cmp.Diff([]string{string(all[7].Value)}, valuesOf(again)); diff != "" || hand.Unacknowledged() != 0 {
		t.Errorf("%d kept: %s", hand.Unacknowledged(), diff)
	}
	s.Settled(t, topic, "sub")
}

func TestPulsarSinkChoosesPartitions(t *testing.T) {
	s := pulsartest.Need(t)
	topic := s.Namespace(t, pulsartest.Policies{Retention: true}).Topic(t, "t", 3)
	sink := newSink(t, sinkOptions(s, topic))
	in := pipeline.Message{Topic: topic, Properties: map[string]string{"from": "input", "traceparent": "00-x"}}
	out := make([]pipeline.Message, 100)
	for i := range out {
		out[i] = pipeline.Message{Key: fmt.Append(nil, "k", i%20), Value: []byte("v"), EventTime: 1234, Cause: &in, Forward: pipeline.ForwardAll}
	}
	if n, err := sink.Write(bounded(t), out); err != nil {
		t.Fatalf("%d: %v", n, err)
	}
	for range 6 {
		if _, err := sink.Write(bounded(t), []pipeline.Message{{Value: []byte("a")}, {Value: []byte("b")}}); err != nil {
			t.Fatal(err)
		}
	}
	if err := sink.Close(t.Context()); err != nil {
		t.Error(err)
	}
	loose := map[int]int{}
	for _, m := range s.ReadAll(t, topic, 3) {
		if m.Key == "" {
			loose[m.Partition]++
			continue
		}
		if want := wire.PartitionFor([]byte(m.Key), 3); m.Partition != want || m.EventTime.UnixMilli() != 1234 || m.Properties["from"] != "input" {
			t.Fatalf("message %+v, want partition %d", m, want)
		}
	}
	if diff := cmp.Diff(map[int]int{0: 4, 1: 4, 2: 4}, loose); diff != "" {
		t.Errorf("without a key: %s", diff)
	}
}

func TestPulsarSinkRefuses(t *testing.T) {
	s := pulsartest.Need(t)
	n := s.Namespace(t, pulsartest.Policies{Retention: true})
	huge := make([]byte, 6<<20)
	_, _ = rand.Read(huge)
	for name, c := range map[string]struct {
		bad  pipeline.Message
		want error
	}{
		"TooLarge":    {pipeline.Message{Value: huge}, pulsar.ErrTooLarge},
		"NoTopicName": {pipeline.Message{Topic: "a/b", Value: []byte("x")}, nil},
		"NoNamespace": {pipeline.Message{Topic: "persistent://public/nowhere/x", Value: []byte("x")}, nil},
	} {
		t.Run(name, func(t *testing.T) {
			topic := n.Topic(t, "refuse-"+name, 2)
			sink := newSink(t, sinkOptions(s, topic))
			defer sink.Close(t.Context())
			out := make([]pipeline.Message, 20)
			for i := range out {
				out[i] = pipeline.Message{Key: fmt.Append(nil, i), Value: []byte("v")}
			}
			out[7] = c.bad
			got, err := sink.Write(bounded(t), out)
			if _, ok := errors.AsType[*pipeline.MessageError](err); !ok || got != 7 {
				t.Fatalf("want a message error after 7, got %d, %v", got, err)
			}
			if c.want != nil && !errors.Is(err, c.want) {
				t.Errorf("want %v, got %v", c.want, err)
			}
			if n, err := sink.Write(bounded(t), out[8:]); err != nil {
				t.Fatalf("%d: %v", n, err)
			}
			if all := s.ReadAll(t, topic, 2); len(all) != 19 {
				t.Errorf("%d messages, want 19", len(all))
			}
		})
	}
}

// Nothing is lost while the broker gives the topic up again and again.
func TestPulsarSurvivesUnloads(t *testing.T) {
	s := pulsartest.Need(t)
	n := s.Namespace(t, pulsartest.Policies{Retention: true})
	from, to := n.Topic(t, "from", 0), n.Topic(t, "to", 0)
	s.Subscribe(t, from, "sub", "earliest")
	const total = 20_000
	s.Fill(t, from, total, pulsartest.Fill{PerEntry: 100, Size: 50})
	l := open(t, newSource(t, sourceOptions(s, from, wire.Exclusive)))[0]
	sink := newSink(t, sinkOptions(s, to))
	var unloading sync.WaitGroup
	seen, next := map[string]bool{}, total/5
	ctx := bounded(t)
	for len(seen) < total {
		b, err := l.Read(ctx, 1000, 1<<20)
		if err != nil {
			t.Fatalf("after %d: %v", len(seen), err)
		}
		out := make([]pipeline.Message, len(b.Messages))
		for i := range out {
			out[i].Value = b.Messages[i].Value
		}
		for rest := out; len(rest) > 0; {
			n, err := sink.Write(ctx, rest)
			if err != nil && ctx.Err() != nil {
				t.Fatalf("after %d: %v", len(seen), err)
			}
			rest = rest[n:]
		}
		for i := range b.Messages {
			seen[string(b.Messages[i].Value)] = true
		}
		if err := l.Settle(ctx, b, make([]pipeline.Verdict, len(b.Messages))); err != nil {
			t.Log(err)
		}
		if len(seen) >= next {
			next += total / 5
			unloading.Go(func() { s.Unload(t, from); s.Unload(t, to) })
		}
	}
	unloading.Wait()
	if err := sink.Close(t.Context()); err != nil {
		t.Error(err)
	}
	if got := s.Read(t, to, 0, total); got.Lost() != 0 {
		t.Error(got)
	}
	// Acknowledgements that an unload lost come again.
	settling, cancel := context.WithCancel(ctx)
	var rest sync.WaitGroup
	rest.Go(func() {
		for {
			b, err := l.Read(settling, 1000, 1<<20)
			if err != nil {
				return
			}
			_ = l.Settle(settling, b, make([]pipeline.Verdict, len(b.Messages)))
		}
	})
	s.Settled(t, from, "sub")
	cancel()
	rest.Wait()
}

func TestNewRefuses(t *testing.T) {
	good := func() pulsar.SourceOptions {
		return pulsar.SourceOptions{
			Brokers: map[string]wire.Broker{"": {Kind: "pulsar", URL: "pulsar://h:1"}},
			Source:  wire.Source{Inputs: []wire.Input{{Topic: "persistent://a/b/c"}}, Subscription: wire.Subscription{Name: "s"}},
		}
	}
	for name, spoil := range map[string]func(o *pulsar.SourceOptions){
		"Mode":            func(o *pulsar.SourceOptions) { o.Source.Subscription.Mode = "x" },
		"EffectivelyOnce": func(o *pulsar.SourceOptions) { o.Delivery.Guarantee = "effectively_once" },
		"NoInputs":        func(o *pulsar.SourceOptions) { o.Source.Inputs = nil },
		"NoName":          func(o *pulsar.SourceOptions) { o.Source.Subscription.Name = "" },
		"NoBroker":        func(o *pulsar.SourceOptions) { o.Source.Inputs[0].Broker = "eu" },
		"Pattern": func(o *pulsar.SourceOptions) {
			o.Source.Inputs[0].Pattern, o.Source.Inputs[0].Topic = true, "persistent://a/b/("
		},
		"PatternOfAll": func(o *pulsar.SourceOptions) {
			o.Source.Inputs[0].Pattern, o.Source.Inputs[0].Topic = true, "persistent://a/.*/c"
		},
		"Crypto": func(o *pulsar.SourceOptions) { o.Source.Inputs[0].Crypto = &wire.Crypto{Failure: "send"} },
	} {
		t.Run(name, func(t *testing.T) {
			o := good()
			spoil(&o)
			_, err := compatible.NewSource(o)
			if _, ok := errors.AsType[*pipeline.TerminalError](err); !ok {
				t.Error(err)
			}
		})
	}
	if _, err := compatible.NewSource(good()); err != nil {
		t.Error(err)
	}
}
