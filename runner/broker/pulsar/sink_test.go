package pulsar_test

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/functionmesh/terraform-provider-functionmesh/internal/wire"
	"github.com/functionmesh/terraform-provider-functionmesh/runner/broker/pulsar"
	"github.com/functionmesh/terraform-provider-functionmesh/runner/broker/pulsar/pulsartest"
	"github.com/functionmesh/terraform-provider-functionmesh/runner/pipeline"
)

// place is where a message is stored: entry and index.
func entries(t testing.TB, s *pulsartest.Server, topic string, partitions int) (sizes []int, all []pulsartest.Stored) {
	t.Helper()
	all = s.ReadAll(t, topic, partitions)
	last := ""
	for _, m := range all {
		at := fmt.Sprint(m.Partition, m.ID.LedgerID(), m.ID.EntryID())
		if at != last {
			sizes, last = append(sizes, 0), at
		}
		sizes[len(sizes)-1]++
	}
	return sizes, all
}

func texts(prefix string, n int) []pipeline.Message {
	out := make([]pipeline.Message, n)
	for i := range out {
		out[i].Value = fmt.Append(nil, prefix, i)
	}
	return out
}

func write(t testing.TB, s *pulsar.Sink, out []pipeline.Message) {
	t.Helper()
	if n, err := s.Write(t.Context(), out); err != nil || n != len(out) {
		t.Fatalf("%d of %d: %v", n, len(out), err)
	}
}

// caused makes outputs of input entry number e of a lane.
func caused(topic string, ledger, e int64, out []pipeline.Message) []pipeline.Message {
	for i := range out {
		out[i].Cause = &pipeline.Message{Topic: topic, Position: pipeline.Position{Ledger: ledger, Entry: e, Index: int32(i), Count: int32(len(out))}}
		out[i].Forward = pipeline.ForwardAll
	}
	return out
}

func TestPulsarSinkFormsEntries(t *testing.T) {
	s := pulsartest.Need(t)
	n := s.Namespace(t, pulsartest.Policies{Retention: true})
	keys := func(names ...string) []pipeline.Message {
		out := texts("v", len(names))
		for i, k := range names {
			out[i].Key = []byte(k)
		}
		return out
	}
	cases := map[string]struct {
		batching *wire.Batching
		out      []pipeline.Message
		want     []int
	}{
		"Default":   {nil, texts("v", 1500), []int{1000, 500}},
		"Alone":     {nil, texts("v", 1), []int{1}},
		"Unbatched": {&wire.Batching{}, texts("v", 3), []int{1, 1, 1}},
		"Messages":  {&wire.Batching{Enabled: true, MaxMessages: 4}, texts("v", 10), []int{4, 4, 2}},
		"Bytes":     {&wire.Batching{Enabled: true, MaxBytes: 1000}, texts(strings.Repeat("x", 400), 5), []int{2, 2, 1}},
		"ByKey":     {&wire.Batching{Enabled: true, Builder: "key_based"}, keys("a", "b", "a", "b", "a"), []int{3, 2}},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			topic := n.Topic(t, "entries-"+name, 0)
			o := sinkOptions(s, topic, 0)
			o.Output.Producer = &wire.Producer{Batching: c.batching}
			sink := newSink(t, o)
			write(t, sink, c.out)
			if err := sink.Close(t.Context()); err != nil {
				t.Error(err)
			}
			got, all := entries(t, s, topic, 0)
			if diff := cmp.Diff(c.want, got); diff != "" {
				t.Error(diff)
			}
			if len(all) != len(c.out) {
				t.Errorf("%d messages of %d", len(all), len(c.out))
			}
		})
	}
}

func TestPulsarSinkChoosesPartitions(t *testing.T) {
	s := pulsartest.Need(t)
	n := s.Namespace(t, pulsartest.Policies{Retention: true})
	topic := n.Topic(t, "keyed", 3)
	sink := newSink(t, sinkOptions(s, topic, 3))
	out := texts("v", 300)
	for i := range out {
		out[i].Key = fmt.Append(nil, "k", i%20)
	}
	write(t, sink, out)
	for range 6 {
		write(t, sink, texts("loose", 2))
	}
	if err := sink.Close(t.Context()); err != nil {
		t.Error(err)
	}
	loose := map[int]int{}
	for _, m := range s.ReadAll(t, topic, 3) {
		if m.Key == "" {
			loose[m.Partition]++
		} else if want := wire.PartitionFor([]byte(m.Key), 3); m.Partition != want {
			t.Fatalf("key %s is in partition %d, belongs to %d", m.Key, m.Partition, want)
		}
	}
	if diff := cmp.Diff(map[int]int{0: 4, 1: 4, 2: 4}, loose); diff != "" {
		t.Errorf("without a key: %s", diff)
	}
}

func TestPulsarSinkCarriesOver(t *testing.T) {
	s := pulsartest.Need(t)
	n := s.Namespace(t, pulsartest.Policies{Retention: true})
	topic := n.Topic(t, "carry", 0)
	in := pipeline.Message{
		Topic: "persistent://public/default/in", Partition: 2, Position: pipeline.Position{Ledger: 7, Entry: 9, Index: 3, Count: 10},
		Properties: map[string]string{"a": "1", "traceparent": "00-x"},
	}
	out := []pipeline.Message{
		{Value: []byte("all"), Cause: &in, Forward: pipeline.ForwardAll, Properties: map[string]string{"a": "2"}},
		{Value: []byte("trace"), Cause: &in, Forward: pipeline.ForwardTrace},
		{Value: []byte("none"), Cause: &in},
	}
	sink := newSink(t, sinkOptions(s, topic, 0))
	write(t, sink, out)
	if err := sink.Close(t.Context()); err != nil {
		t.Error(err)
	}
	var got []map[string]string
	for _, m := range s.ReadAll(t, topic, 0) {
		got = append(got, m.Properties)
	}
	want := []map[string]string{
		{"a": "2", "traceparent": "00-x", "__pfn_input_topic__": in.Topic, "__pfn_input_msg_id__": "CAcQCRgCIAMwCg=="},
		{"traceparent": "00-x"},
		{},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func TestPulsarSinkRefuses(t *testing.T) {
	s := pulsartest.Need(t)
	n := s.Namespace(t, pulsartest.Policies{Retention: true})
	huge := make([]byte, 6<<20)
	_, _ = rand.Read(huge)
	cases := map[string]struct {
		bad  pipeline.Message
		want error
	}{
		"TooLarge":    {pipeline.Message{Value: huge}, pulsar.ErrTooLarge},
		"NoTopicName": {pipeline.Message{Topic: "a/b", Value: []byte("x")}, nil},
		"NoNamespace": {pipeline.Message{Topic: "persistent://public/nowhere/x", Value: []byte("x")}, nil},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			topic := n.Topic(t, "refuse-"+name, 2)
			sink := newSink(t, sinkOptions(s, topic, 2))
			defer sink.Close(t.Context())
			out := texts("v", 20)
			for i := range out {
				out[i].Key = fmt.Append(nil, i)
			}
			out[7] = c.bad
			got, err := sink.Write(t.Context(), out)
			if _, ok := errors.AsType[*pipeline.MessageError](err); !ok || got != 7 {
				t.Fatalf("want a message error after 7, got %d, %v", got, err)
			}
			if c.want != nil && !errors.Is(err, c.want) {
				t.Errorf("want %v, got %v", c.want, err)
			}
			// Nothing behind the refused one is stored; what follows a refusal is fine.
			write(t, sink, out[8:])
			if all := s.ReadAll(t, topic, 2); len(all) != 19 {
				t.Errorf("%d messages, want 19", len(all))
			}
		})
	}
}

func TestPulsarSinkTakesCompressibleGiants(t *testing.T) {
	s := pulsartest.Need(t)
	topic := s.Namespace(t, pulsartest.Policies{Retention: true}).Topic(t, "giants", 0)
	sink := newSink(t, sinkOptions(s, topic, 0))
	defer sink.Close(t.Context())
	want := bytes.Repeat([]byte("abcdefgh"), 1<<20)
	write(t, sink, []pipeline.Message{{Value: []byte("a")}, {Value: want}, {Value: []byte("b")}})
	all := s.ReadAll(t, topic, 0)
	if len(all) != 3 || !bytes.Equal(all[1].Value, want) {
		t.Errorf("%d messages", len(all))
	}
}

func TestPulsarSinkWritesToNamedTopics(t *testing.T) {
	s := pulsartest.Need(t)
	n := s.Namespace(t, pulsartest.Policies{Retention: true})
	o := pulsar.SinkOptions{Broker: s.Broker()}
	sink := newSink(t, o)
	defer sink.Close(t.Context())
	split := n.Topic(t, "split", 2)
	out := []pipeline.Message{
		{Topic: n.Name + "/made", Value: []byte("1")}, // the broker makes it
		{Topic: split, Key: []byte("a"), Value: []byte("2")},
		{Topic: n.Full("made"), Value: []byte("3")},
	}
	write(t, sink, out)
	if got := len(s.ReadAll(t, n.Full("made"), 0)); got != 2 {
		t.Errorf("%d messages in the topic that the broker made", got)
	}
	if got := len(s.ReadAll(t, split, 2)); got != 1 {
		t.Errorf("%d messages in the partitioned topic", got)
	}
	if _, err := sink.Write(t.Context(), texts("v", 1)); err == nil {
		t.Error("a message without a topic was taken by a sink without an output")
	}
}

func exactOptions(s *pulsartest.Server, topic string, partitions int) pulsar.SinkOptions {
	o := sinkOptions(s, topic, partitions)
	o.Delivery.Guarantee = "effectively_once"
	return o
}

const exactIn = "persistent://public/default/in"

func TestPulsarR3SinkDropsReplays(t *testing.T) {
	s := pulsartest.Need(t)
	n := s.Namespace(t, pulsartest.Policies{Retention: true, Deduplication: true})
	for name, each := range map[string]int{"Batched": 50, "Plain": 1} {
		for _, partitions := range []int{0, 3} {
			t.Run(fmt.Sprint(name, partitions), func(t *testing.T) {
				topic := n.Topic(t, fmt.Sprint("exact-", each, partitions), partitions)
				round := func(from, to int64) *pulsar.Sink {
					sink := newSink(t, exactOptions(s, topic, partitions))
					sender, err := sink.Sender(t.Context(), 0)
					if err != nil {
						t.Fatal(err)
					}
					for e := from; e < to; e++ {
						out := texts(fmt.Sprint(e, "-"), each)
						for i := range out {
							if i%2 == 0 {
								out[i].Key = fmt.Append(nil, i)
							}
						}
						if n, err := sender.Send(t.Context(), caused(exactIn, 5, e, out)).Wait(t.Context()); err != nil {
							t.Fatal(n, err)
						}
					}
					if err := errors.Join(sender.Close(t.Context()), sink.Close(t.Context())); err != nil {
						t.Error(err)
					}
					return sink
				}
				round(0, 10)
				if again := round(6, 14).Repeats(); again == 0 {
					t.Error("no repeat was counted")
				}
				seen := map[string]int{}
				for _, m := range s.ReadAll(t, topic, partitions) {
					seen[string(m.Value)]++
				}
				for v, times := range seen {
					if times != 1 {
						t.Errorf("%s is there %d times", v, times)
					}
				}
				if len(seen) != 14*each {
					t.Errorf("%d messages of %d", len(seen), 14*each)
				}
			})
		}
	}
}

func TestPulsarR3SinkOneEntryInOneOut(t *testing.T) {
	s := pulsartest.Need(t)
	topic := s.Namespace(t, pulsartest.Policies{Retention: true, Deduplication: true}).Topic(t, "one", 0)
	sink := newSink(t, exactOptions(s, topic, 0))
	defer sink.Close(t.Context())
	out := caused(exactIn, 5, 1, texts("a", 30))
	out = append(out, caused(exactIn, 5, 2, texts("b", 1))...)
	out = append(out, caused(exactIn, 5, 4, texts("c", 2000))...)
	write(t, sink, out)
	got, _ := entries(t, s, topic, 0)
	if diff := cmp.Diff([]int{30, 1, 2000}, got); diff != "" {
		t.Error(diff)
	}
	// More than an entry can hold is cut, the same way at every replay.
	value := make([]byte, 1<<20)
	_, _ = rand.Read(value)
	big := make([]pipeline.Message, 9)
	for i := range big {
		big[i].Value = value
	}
	for range 2 {
		write(t, sink, caused(exactIn, 5, 7, big))
	}
	got, _ = entries(t, s, topic, 0)
	if diff := cmp.Diff([]int{30, 1, 2000, 4, 4, 1}, got); diff != "" {
		t.Error(diff)
	}
}

func TestPulsarR3SinkProvesDeduplication(t *testing.T) {
	s := pulsartest.Need(t)
	topic := s.Namespace(t, pulsartest.Policies{Retention: true}).Topic(t, "off", 0)
	sink := newSink(t, exactOptions(s, topic, 0))
	defer sink.Close(t.Context())
	_, err := sink.Write(t.Context(), caused(exactIn, 5, 1, texts("a", 3)))
	if stop, ok := errors.AsType[*pipeline.TerminalError](err); !ok || stop.Reason != "DeduplicationOff" {
		t.Errorf("want DeduplicationOff, got %v", err)
	}
}

func TestPulsarR3SinkRefusesAnotherPast(t *testing.T) {
	s := pulsartest.Need(t)
	topic := s.Namespace(t, pulsartest.Policies{Retention: true, Deduplication: true}).Topic(t, "past", 0)
	o := exactOptions(s, topic, 0)
	o.InputEnd = func(context.Context, string, int) (int64, int64, error) { return 5, 10, nil }
	first := newSink(t, o)
	defer first.Close(t.Context())
	write(t, first, caused(exactIn, 5, 10, texts("a", 3)))

	o.InputEnd = func(context.Context, string, int) (int64, int64, error) { return 5, 9, nil }
	second := newSink(t, o)
	defer second.Close(t.Context())
	_, err := second.Write(t.Context(), caused(exactIn, 5, 9, texts("a", 3)))
	if stop, ok := errors.AsType[*pipeline.TerminalError](err); !ok || stop.Reason != "PositionsWentBack" {
		t.Errorf("want PositionsWentBack, got %v", err)
	}
	o.Delivery.Epoch = 1
	third := newSink(t, o)
	defer third.Close(t.Context())
	write(t, third, caused(exactIn, 5, 9, texts("a", 3)))
}

func TestPulsarR3SinkRefusesEntryWhole(t *testing.T) {
	s := pulsartest.Need(t)
	topic := s.Namespace(t, pulsartest.Policies{Retention: true, Deduplication: true}).Topic(t, "whole", 0)
	sink := newSink(t, exactOptions(s, topic, 0))
	defer sink.Close(t.Context())
	huge := make([]byte, 6<<20)
	_, _ = rand.Read(huge)
	out := caused(exactIn, 5, 1, texts("a", 3))
	bad := texts("b", 5)
	bad[3].Value = huge
	out = append(out, caused(exactIn, 5, 2, bad)...)
	n, err := sink.Write(t.Context(), out)
	refused, ok := errors.AsType[*pipeline.MessageError](err)
	if !ok || n != 3 || refused.At != 3 {
		t.Fatalf("want a refusal of number 3 behind 3, got %d, %v", n, err)
	}
	if all := s.ReadAll(t, topic, 0); len(all) != 3 {
		t.Errorf("%d messages stored", len(all))
	}
	// The entry may be written without it, under the same number.
	write(t, sink, caused(exactIn, 5, 2, texts("b", 4)))
	if all := s.ReadAll(t, topic, 0); len(all) != 7 {
		t.Errorf("%d messages stored", len(all))
	}
}
