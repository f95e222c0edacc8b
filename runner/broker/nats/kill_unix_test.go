//go:build unix

package nats_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"testing"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/functionmesh/terraform-provider-functionmesh/internal/wire"
	"github.com/functionmesh/terraform-provider-functionmesh/runner/broker/nats"
	"github.com/functionmesh/terraform-provider-functionmesh/runner/broker/nats/natstest"
	"github.com/functionmesh/terraform-provider-functionmesh/runner/pipeline"
)

const partitions = 4

func scaled(full int) int {
	if testing.Short() {
		return full / 10
	}
	return full
}

// flow is what arrives at outTopic, checked as it arrives.
type flow struct {
	reader     *nats.Reader
	total      int
	next       map[int]int // per partition: the highest number seen
	seen       map[string]int
	duplicates int
	disorder   []string
}

func watch(t *testing.T, b wire.Broker, total int) *flow {
	t.Helper()
	r, err := nats.NewReader(t.Context(), nats.ReaderOptions{Broker: b, Topic: outTopic, Earliest: true, Follow: true})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = r.Close(context.WithoutCancel(t.Context())) })
	return &flow{reader: r, total: total, next: map[int]int{}, seen: map[string]int{}}
}

// until reads until so many different messages arrived.
func (f *flow) until(t *testing.T, distinct int) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	for len(f.seen) < distinct {
		m, err := f.reader.Next(ctx)
		if err != nil {
			t.Fatalf("%d of %d messages arrived: %v", len(f.seen), f.total, err)
		}
		f.take(m)
	}
}

// take checks one message. Output partitions are the input's: both go by the key.
func (f *flow) take(m pipeline.Message) {
	value := string(m.Value)
	if f.seen[value]++; f.seen[value] > 1 {
		f.duplicates++
		return
	}
	n, err := strconv.Atoi(value)
	if err != nil || n <= f.next[m.Partition] {
		f.disorder = append(f.disorder, value)
	}
	f.next[m.Partition] = n
}

// sync reads what was stored up to now, so that what comes next is another instance's.
func (f *flow) sync(t *testing.T, b wire.Broker) {
	t.Helper()
	fresh := &flow{next: map[int]int{}, seen: map[string]int{}}
	fresh.rest(t, b)
	f.until(t, len(fresh.seen))
}

// rest reads what is stored beyond what was read, to count late duplicates.
func (f *flow) rest(t *testing.T, b wire.Broker) {
	t.Helper()
	fresh := &flow{next: map[int]int{}, seen: map[string]int{}}
	for _, m := range stored(t, b, outTopic) {
		fresh.take(m)
	}
	f.seen, f.duplicates, f.disorder = fresh.seen, fresh.duplicates, fresh.disorder
}

// feed publishes the numbers after from up to to, over keys of all partitions.
func feed(t testing.TB, b wire.Broker, from, to int) {
	t.Helper()
	messages := make([]pipeline.Message, 0, to-from)
	for n := from + 1; n <= to; n++ {
		messages = append(messages, pipeline.Message{Key: fmt.Appendf(nil, "k%d", n%16), Value: strconv.AppendInt(nil, int64(n), 10)})
	}
	produce(t, b, inTopic, messages...)
}

func killSetup(b wire.Broker, mode wire.Mode, guarantee string) setup {
	return setup{
		Broker: b, Mode: mode, Partitions: partitions,
		Delivery: wire.Delivery{Guarantee: guarantee, MaxRetries: 3, BackoffMs: 10, MaxBackoffMs: 100},
		Limits:   wire.Limits{BatchMessages: scaled(100)},
	}
}

// killRounds feeds total messages and kills the instance rounds times while they flow.
// An instance is killed when a part of the round's messages arrived, in at-least-once
// within any part of a batch.
func killRounds(t *testing.T, s setup, rounds, total int) *flow {
	t.Helper()
	s.place(t)
	f := watch(t, s.Broker, total)
	per := total / rounds
	for round := range rounds {
		i := s.start(t)
		feed(t, s.Broker, round*per, (round+1)*per)
		f.until(t, len(f.seen)+per/4+round*per/(4*rounds))
		i.kill()
		f.sync(t, s.Broker)
	}
	return f
}

func TestR1KillNineTwentyTimesLosesNothing(t *testing.T) {
	t.Parallel()
	total := scaled(100_000)
	for _, mode := range []wire.Mode{wire.Shared, wire.Failover} {
		t.Run(string(mode), func(t *testing.T) {
			t.Parallel()
			s := killSetup(natstest.Start(t), mode, "atleast_once")
			f := killRounds(t, s, 20, total)
			i := s.start(t)
			f.until(t, total)
			i.drain(t)
			f.rest(t, s.Broker)
			t.Logf("%d messages, 20 kills: 0 lost, %d duplicates", total, f.duplicates)
			if len(f.seen) != total {
				t.Errorf("%d of %d messages arrived", len(f.seen), total)
			}
			if mode == wire.Failover && len(f.disorder) > 0 {
				t.Errorf("R4: first occurrences out of order: %q", f.disorder[:min(5, len(f.disorder))])
			}
		})
	}
}

func TestR2KillNineTwentyTimesDuplicatesNothing(t *testing.T) {
	t.Parallel()
	total := scaled(100_000)
	for _, mode := range []wire.Mode{wire.Shared, wire.Failover} {
		t.Run(string(mode), func(t *testing.T) {
			t.Parallel()
			s := killSetup(natstest.Start(t), mode, "atmost_once")
			f := killRounds(t, s, 20, total)
			i := s.start(t)

			settled(t, s)
			i.drain(t)
			f.rest(t, s.Broker)
			t.Logf("%d messages, 20 kills: %d lost, 0 duplicates", total, total-len(f.seen))
			if f.duplicates > 0 {
				t.Errorf("%d duplicates", f.duplicates)
			}
			if len(f.seen) < total/2 {
				t.Errorf("only %d of %d messages arrived", len(f.seen), total)
			}
		})
	}
}

// settled waits until the subscription has acknowledged all of inTopic.
func settled(t *testing.T, s setup) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	for !isSettled(ctx, t, s) {
		select {
		case <-ctx.Done():
			t.Fatal("the subscription does not reach the end")
		case <-time.After(10 * time.Millisecond):
		}
	}
}

func isSettled(ctx context.Context, t *testing.T, s setup) bool {
	t.Helper()
	js := natstest.Connect(t, s.Broker)
	defer js.Conn().Close()
	stream, err := js.Stream(ctx, wire.StreamName(inTopic))
	if err != nil {
		t.Fatal(err)
	}
	if s.Mode == wire.Shared {
		c, err := stream.Consumer(ctx, wire.ConsumerName(subName))
		if err != nil {
			t.Fatal(err)
		}
		return c.CachedInfo().NumPending == 0 && c.CachedInfo().NumAckPending == 0
	}
	for p := range max(s.Partitions, 1) {
		last, err := stream.GetLastMsgForSubject(ctx, wire.Subject(inTopic, p))
		if errors.Is(err, jetstream.ErrMsgNotFound) {
			continue
		}
		if err != nil {
			t.Fatal(err)
		}
		if position(ctx, t, js, p).Sequence < last.Sequence {
			return false
		}
	}
	return true
}

func position(ctx context.Context, t *testing.T, js jetstream.JetStream, partition int) wire.Position {
	t.Helper()
	kv, err := js.KeyValue(ctx, wire.PositionsBucket)
	if err != nil {
		t.Fatal(err)
	}
	entry, err := kv.Get(ctx, wire.PositionKey(inTopic, subName, partition))
	if err != nil {
		t.Fatal(err)
	}
	var p wire.Position
	if err := json.Unmarshal(entry.Value(), &p); err != nil {
		t.Fatal(err)
	}
	return p
}
