package natstest

import (
	"context"
	"encoding/json"
	"errors"
	"strconv"
	"testing"
	"time"

	natsio "github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/functionmesh/terraform-provider-functionmesh/internal/wire"
)

// AckWait is the acknowledgement timeout of shared subscriptions made here: short, so
// that a test need not wait for what a killed instance held.
const AckWait = 2 * time.Second

// Connect is a connection for the test's own questions.
func Connect(t testing.TB, b wire.Broker) jetstream.JetStream {
	t.Helper()
	nc, err := natsio.Connect(b.URL, natsio.UserInfo(b.User, b.Password))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(nc.Close)
	js, err := jetstream.New(nc)
	if err != nil {
		t.Fatal(err)
	}
	return js
}

// EnsureTopic makes a topic's stream; partitions 0 is an unpartitioned topic.
func EnsureTopic(t testing.TB, b wire.Broker, topic string, partitions int) {
	t.Helper()
	_, err := Connect(t, b).CreateOrUpdateStream(testContext(t), jetstream.StreamConfig{
		Name:     wire.StreamName(topic),
		Subjects: []string{wire.SubjectAll(topic)},
		Storage:  jetstream.FileStorage,
		Metadata: map[string]string{
			wire.MetaTopic:      topic,
			wire.MetaPartitions: strconv.Itoa(partitions),
		},
	})
	if err != nil {
		t.Fatal(err)
	}
}

// EnsureSubscription places a subscription's cursor at its position.
func EnsureSubscription(t testing.TB, b wire.Broker, topic string, partitions int, sub wire.Subscription) {
	t.Helper()
	if sub.Mode == wire.Failover {
		placePositions(t, Connect(t, b), topic, partitions, sub)
		return
	}
	EnsureShared(t, b, topic, sub, AckWait)
}

// EnsureShared places a shared subscription's cursor with an acknowledgement timeout.
func EnsureShared(t testing.TB, b wire.Broker, topic string, sub wire.Subscription, ackWait time.Duration) {
	t.Helper()
	config := jetstream.ConsumerConfig{
		Durable:       wire.ConsumerName(sub.Name),
		AckPolicy:     jetstream.AckExplicitPolicy,
		AckWait:       ackWait,
		MaxDeliver:    -1,
		MaxAckPending: -1,
		FilterSubject: wire.SubjectAll(topic),
	}
	if sub.Position == "latest" {
		config.DeliverPolicy = jetstream.DeliverNewPolicy
	}
	if _, err := Connect(t, b).CreateOrUpdateConsumer(testContext(t), wire.StreamName(topic), config); err != nil {
		t.Fatal(err)
	}
}

func placePositions(t testing.TB, js jetstream.JetStream, topic string, partitions int, sub wire.Subscription) {
	t.Helper()
	ctx := testContext(t)
	kv, err := js.CreateOrUpdateKeyValue(ctx, jetstream.KeyValueConfig{Bucket: wire.PositionsBucket})
	if err != nil {
		t.Fatal(err)
	}
	stream, err := js.Stream(ctx, wire.StreamName(topic))
	if err != nil {
		t.Fatal(err)
	}
	var p wire.Position
	if sub.Position == "latest" {
		p.Sequence = stream.CachedInfo().State.LastSeq
	}
	value, err := json.Marshal(p)
	if err != nil {
		t.Fatal(err)
	}
	for n := range max(partitions, 1) {
		_, err := kv.Create(ctx, wire.PositionKey(topic, sub.Name, n), value)
		if err != nil && !errors.Is(err, jetstream.ErrKeyExists) {
			t.Fatal(err)
		}
	}
}

func testContext(t testing.TB) context.Context {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(t.Context()), readyTimeout)
	t.Cleanup(cancel)
	return ctx
}
