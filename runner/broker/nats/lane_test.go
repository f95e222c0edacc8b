package nats_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/functionmesh/terraform-provider-functionmesh/internal/wire"
	"github.com/functionmesh/terraform-provider-functionmesh/runner/broker/nats"
	"github.com/functionmesh/terraform-provider-functionmesh/runner/broker/nats/natstest"
	"github.com/functionmesh/terraform-provider-functionmesh/runner/pipeline"
)

const laneTopic = "persistent://public/default/lane"

// shortLane is the lane of a shared subscription with an acknowledgement timeout of
// ackWait over n messages.
func shortLane(t *testing.T, b wire.Broker, n int, ackWait time.Duration, change func(*nats.SourceOptions)) pipeline.Lane {
	t.Helper()
	o := sourceOptions(b, laneTopic, 0, wire.Shared)
	natstest.EnsureTopic(t, b, laneTopic, 0)
	natstest.EnsureShared(t, b, laneTopic, o.Source.Subscription, ackWait)
	produce(t, b, laneTopic, make([]pipeline.Message, n)...)
	if change != nil {
		change(&o)
	}
	s := newSource(t, o)
	t.Cleanup(func() { _ = s.Close(context.WithoutCancel(t.Context())) })
	lanes, err := s.Open(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return lanes[0]
}

func readBatch(t *testing.T, l pipeline.Lane, most int) pipeline.Batch {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	b, err := l.Read(ctx, most, 1<<20)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func TestR5LongWorkIsNotDeliveredAgain(t *testing.T) {
	const ackWait = 300 * time.Millisecond
	b := natstest.Start(t)
	l := shortLane(t, b, 10, ackWait, nil)
	batch := readBatch(t, l, 10)
	other := newSource(t, sourceOptions(b, laneTopic, 0, wire.Shared))
	defer other.Close(t.Context())
	lanes, err := other.Open(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	working, cancel := context.WithTimeout(t.Context(), 4*ackWait) // the work
	defer cancel()
	if stolen, err := lanes[0].Read(working, 10, 1<<20); err == nil {
		t.Errorf("another instance was given %d of the messages", len(stolen.Messages))
	}
	if err := l.Settle(t.Context(), batch, make([]pipeline.Verdict, len(batch.Messages))); err != nil {
		t.Fatal(err)
	}
	c, err := natstest.Connect(t, b).Consumer(t.Context(), wire.StreamName(laneTopic), wire.ConsumerName("public/default/f"))
	if err != nil {
		t.Fatal(err)
	}
	if i := c.CachedInfo(); i.NumAckPending != 0 || i.Delivered.Consumer != 10 {
		t.Errorf("%d deliveries of 10 messages, %d not acknowledged", i.Delivered.Consumer, i.NumAckPending)
	}
}

func TestR2LateAcknowledgementIsNotTrusted(t *testing.T) {
	const ackWait = 200 * time.Millisecond
	l := shortLane(t, natstest.Start(t), 1, ackWait, func(o *nats.SourceOptions) { o.AtMostOnce = true })
	batch := readBatch(t, l, 1)
	time.Sleep(2 * ackWait) // another instance may have the message by now
	if err := l.Settle(t.Context(), batch, make([]pipeline.Verdict, 1)); err == nil {
		t.Error("a late acknowledgement was trusted")
	}
}

func TestRedeliveryIsCountedAndDelayed(t *testing.T) {
	l := shortLane(t, natstest.Start(t), 2, 30*time.Second, nil)
	batch := readBatch(t, l, 2)
	again := []pipeline.Verdict{{Redeliver: true, Delay: time.Millisecond}, {}}
	if err := l.Settle(t.Context(), batch, again); err != nil {
		t.Fatal(err)
	}
	m := readBatch(t, l, 2).Messages
	if len(m) != 1 || m[0].Redelivery != 1 || m[0].ID() != batch.Messages[0].ID() {
		t.Errorf("got %+v", m)
	}
}

func TestR8QueueSizeBoundsARead(t *testing.T) {
	l := shortLane(t, natstest.Start(t), 10, 30*time.Second, func(o *nats.SourceOptions) { o.Source.Inputs[0].QueueSize = 3 })
	if got := len(readBatch(t, l, 10).Messages); got != 3 {
		t.Errorf("%d messages in one read, want 3", got)
	}
}

func TestR6ReadIsBoundedByBytes(t *testing.T) {
	b := natstest.Start(t)
	l := shortLane(t, b, 0, 30*time.Second, nil)
	large := make([]pipeline.Message, 20)
	for i := range large {
		large[i].Value = make([]byte, 10_000)
	}
	produce(t, b, laneTopic, large...)
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	for got := 0; got < len(large); {
		batch, err := l.Read(ctx, 100, 35_000)
		if err != nil {
			t.Fatal(err)
		}
		if len(batch.Messages) > 3 {
			t.Fatalf("%d messages of 10 kB under a bound of 35 kB", len(batch.Messages))
		}
		got += len(batch.Messages)
		if err := l.Settle(ctx, batch, make([]pipeline.Verdict, len(batch.Messages))); err != nil {
			t.Fatal(err)
		}
	}
}

// A position belongs to the topic it was taken in, not to a later one of its name.
func TestR1PositionOfAnEarlierTopicIsNotUsed(t *testing.T) {
	b := natstest.Start(t)
	o := sourceOptions(b, laneTopic, 0, wire.Failover)
	natstest.EnsureTopic(t, b, laneTopic, 0)
	natstest.EnsureSubscription(t, b, laneTopic, 0, o.Source.Subscription)
	produce(t, b, laneTopic, make([]pipeline.Message, 5)...)
	first := newSource(t, o)
	lanes, err := first.Open(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	batch := readBatch(t, lanes[0], 5)
	if err := lanes[0].Settle(t.Context(), batch, make([]pipeline.Verdict, 5)); err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(first.Close(t.Context()), natstest.Connect(t, b).DeleteStream(t.Context(), wire.StreamName(laneTopic))); err != nil {
		t.Fatal(err)
	}
	natstest.EnsureTopic(t, b, laneTopic, 0)
	produce(t, b, laneTopic, make([]pipeline.Message, 2)...)
	second := newSource(t, o)
	defer second.Close(t.Context())
	if lanes, err = second.Open(t.Context()); err != nil {
		t.Fatal(err)
	}
	if got := len(readBatch(t, lanes[0], 5).Messages); got != 2 {
		t.Errorf("%d messages of the new topic, want 2", got)
	}
}

func TestFailoverSharesPartitions(t *testing.T) {
	b := natstest.Start(t)
	o := sourceOptions(b, laneTopic, 5, wire.Failover)
	natstest.EnsureTopic(t, b, laneTopic, 5)
	natstest.EnsureSubscription(t, b, laneTopic, 5, o.Source.Subscription)
	want := map[int]int{0: 2, 1: 2, 2: 1}
	for id, lanes := range want {
		o.Instance = wire.Instance{ID: id, Parallelism: 3}
		s := newSource(t, o)
		got, err := s.Open(t.Context())
		if err != nil || len(got) != lanes {
			t.Errorf("instance %d has %d partitions, want %d: %v", id, len(got), lanes, err)
		}
		_ = s.Close(t.Context())
	}
}
