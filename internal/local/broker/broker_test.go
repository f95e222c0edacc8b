package broker_test

import (
	"context"
	"fmt"
	"log/slog"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/functionmesh/terraform-provider-functionmesh/internal/engine"
	"github.com/functionmesh/terraform-provider-functionmesh/internal/local/broker"
	"github.com/functionmesh/terraform-provider-functionmesh/internal/spec"
	"github.com/functionmesh/terraform-provider-functionmesh/internal/wire"
)

const topic = "persistent://public/default/orders"

func start(t *testing.T, dir string, port int) *broker.Broker {
	t.Helper()
	b, err := broker.Start(t.Context(), broker.Options{
		Dir: dir, Port: port, User: "u", Password: spec.NewSecret("p"), Platform: "id", Log: slog.New(slog.DiscardHandler),
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(b.Close)
	return b
}

// outside is a client as instances are: over the loopback port, with the password.
func outside(t *testing.T, b *broker.Broker) jetstream.JetStream {
	t.Helper()
	a := b.Address()
	conn, err := nats.Connect(a.URL, nats.UserInfo(a.User, a.Password))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(conn.Close)
	js, err := jetstream.New(conn)
	if err != nil {
		t.Fatal(err)
	}
	return js
}

func publish(t *testing.T, js jetstream.JetStream, partition, n int) {
	t.Helper()
	for i := range n {
		if _, err := js.Publish(t.Context(), wire.Subject(topic, partition), fmt.Appendf(nil, "%d", i)); err != nil {
			t.Fatal(err)
		}
	}
}

func kept(t *testing.T, js jetstream.JetStream) uint64 {
	t.Helper()
	s, err := js.Stream(t.Context(), wire.StreamName(topic))
	if err != nil {
		t.Fatal(err)
	}
	return s.CachedInfo().State.Msgs
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func TestTopicDescribesItself(t *testing.T) {
	b := start(t, t.TempDir(), 0)
	want := broker.Topic{Name: topic, Partitions: 3, Owner: "me", Creating: true, Properties: map[string]string{"a b": "c\nd"}}
	must(t, b.CreateTopic(t.Context(), want))
	if err := b.CreateTopic(t.Context(), want); !engine.Is(err, engine.Exists) {
		t.Errorf("second create: %v, want exists", err)
	}
	got, ok, err := b.Topic(t.Context(), topic)
	if diff := cmp.Diff(want, got); diff != "" || !ok || err != nil {
		t.Errorf("found %v, error %v, difference %s", ok, err, diff)
	}
	all, err := b.Topics(t.Context(), "persistent://public/")
	if len(all) != 1 || err != nil {
		t.Errorf("list: %v, %v", all, err)
	}
	must(t, b.DeleteTopic(t.Context(), topic))
	must(t, b.DeleteTopic(t.Context(), topic))
	if _, ok, err := b.Topic(t.Context(), topic); ok || err != nil {
		t.Errorf("after delete: found %v, error %v", ok, err)
	}
}

func TestManyTopicsFit(t *testing.T) {
	b := start(t, t.TempDir(), 0)
	for i := range 300 {
		must(t, b.CreateTopic(t.Context(), broker.Topic{Name: fmt.Sprintf("persistent://public/default/t%d", i)}))
	}
}

func TestPartitionsOnlyGrow(t *testing.T) {
	cases := map[string]struct {
		have, want int
		class      engine.Class
	}{
		"Same":          {have: 2, want: 2},
		"Grow":          {have: 2, want: 5},
		"Shrink":        {have: 5, want: 2, class: engine.Immutable},
		"Partition":     {have: 0, want: 2, class: engine.Immutable},
		"Unpartition":   {have: 2, want: 0, class: engine.Immutable},
		"Unpartitioned": {have: 0, want: 0},
	}
	b := start(t, t.TempDir(), 0)
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			full := "persistent://public/default/" + name
			must(t, b.CreateTopic(t.Context(), broker.Topic{Name: full, Partitions: tc.have}))
			err := b.UpdateTopic(t.Context(), broker.Topic{Name: full, Partitions: tc.want})
			if got := engine.ClassOf(err); got != tc.class {
				t.Errorf("class %q of %v, want %q", got, err, tc.class)
			}
		})
	}
}

func TestGrownPartitionIsReadFromItsStart(t *testing.T) {
	b := start(t, t.TempDir(), 0)
	js := outside(t, b)
	must(t, b.CreateTopic(t.Context(), broker.Topic{Name: topic, Partitions: 1}))
	publish(t, js, 0, 4)
	must(t, b.Subscribe(t.Context(), broker.Cursor{Topic: topic, Subscription: "s", Mode: wire.Failover}))
	must(t, b.UpdateTopic(t.Context(), broker.Topic{Name: topic, Partitions: 2}))
	kv, err := js.KeyValue(t.Context(), wire.PositionsBucket)
	must(t, err)
	var got []string
	for p := range 2 {
		e, err := kv.Get(t.Context(), wire.PositionKey(topic, "s", p))
		must(t, err)
		got = append(got, string(e.Value()))
	}
	want := []string{`{"sequence":4,"epoch":0,"owner":"","subscription":"s"}`, `{"sequence":0,"epoch":0,"owner":""}`}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func TestPurgeKeepsWhatSomebodyNeeds(t *testing.T) {
	shared := func(name string) broker.Cursor {
		return broker.Cursor{Topic: topic, Subscription: name, Mode: wire.Shared, Earliest: true}
	}
	ordered := func(name string) broker.Cursor {
		return broker.Cursor{Topic: topic, Subscription: name, Mode: wire.Failover, Earliest: true}
	}
	cases := map[string]struct {
		cursors []broker.Cursor
		ack     map[string]int // of 10 messages in each of 2 partitions
		want    uint64
	}{
		"NobodySubscribed":   {want: 20},
		"NothingRead":        {cursors: []broker.Cursor{shared("a")}, want: 20},
		"AllRead":            {cursors: []broker.Cursor{shared("a")}, ack: map[string]int{"a": 20}, want: 0},
		"SlowestDecides":     {cursors: []broker.Cursor{shared("a"), shared("b")}, ack: map[string]int{"a": 20, "b": 5}, want: 15},
		"OrderedPartitions":  {cursors: []broker.Cursor{ordered("o")}, ack: map[string]int{"o": 4}, want: 16},
		"OrderedAndShared":   {cursors: []broker.Cursor{ordered("o"), shared("a")}, ack: map[string]int{"o": 4, "a": 20}, want: 16},
		"SharedBehind":       {cursors: []broker.Cursor{ordered("o"), shared("a")}, ack: map[string]int{"o": 10, "a": 3}, want: 17},
		"OrderedNothingRead": {cursors: []broker.Cursor{ordered("o")}, want: 20},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			b := start(t, t.TempDir(), 0)
			js := outside(t, b)
			must(t, b.CreateTopic(t.Context(), broker.Topic{Name: topic, Partitions: 2}))
			for _, c := range tc.cursors {
				must(t, b.Subscribe(t.Context(), c))
			}
			publish(t, js, 0, 10)
			publish(t, js, 1, 10)
			for _, c := range tc.cursors {
				acknowledge(t, js, c, tc.ack[c.Subscription])
			}
			for range 2 {
				must(t, b.Purge(t.Context()))
			}
			if got := kept(t, js); got != tc.want {
				t.Errorf("%d messages kept, want %d", got, tc.want)
			}
		})
	}
}

// acknowledge settles the first n messages; of an ordered subscription the first n
// of partition 0.
func acknowledge(t *testing.T, js jetstream.JetStream, c broker.Cursor, n int) {
	t.Helper()
	if n == 0 {
		return
	}
	if c.Mode == wire.Failover {
		kv, err := js.KeyValue(t.Context(), wire.PositionsBucket)
		must(t, err)
		_, err = kv.Put(t.Context(), wire.PositionKey(topic, c.Subscription, 0), fmt.Appendf(nil, `{"sequence":%d}`, n))
		must(t, err)
		return
	}
	consumer, err := js.Consumer(t.Context(), wire.StreamName(topic), wire.ConsumerName(c.Subscription))
	must(t, err)
	batch, err := consumer.Fetch(n)
	must(t, err)
	for m := range batch.Messages() {
		must(t, m.DoubleAck(t.Context()))
	}
	must(t, batch.Error())
}

func TestLatestLosesNothing(t *testing.T) {
	for _, mode := range []wire.Mode{wire.Shared, wire.Failover} {
		t.Run(string(mode), func(t *testing.T) {
			b := start(t, t.TempDir(), 0)
			js := outside(t, b)
			_, err := b.EnsureTopic(t.Context(), topic)
			must(t, err)
			publish(t, js, 0, 3)
			c := broker.Cursor{Topic: topic, Subscription: "a/b/c", Mode: mode}
			must(t, b.Subscribe(t.Context(), c))
			publish(t, js, 0, 2)
			must(t, b.Subscribe(t.Context(), c)) // again changes nothing
			must(t, b.Purge(t.Context()))
			if got := kept(t, js); got != 2 {
				t.Errorf("%d messages kept, want the 2 after the subscription", got)
			}
		})
	}
}

func TestChangeOfModeKeepsThePlace(t *testing.T) {
	cases := map[string]struct {
		from, to   wire.Mode
		atMostOnce bool
	}{
		"SharedToFailover": {from: wire.Shared, to: wire.Failover},
		"FailoverToShared": {from: wire.Failover, to: wire.Shared},
		"AtMostOnce":       {from: wire.Shared, to: wire.Failover, atMostOnce: true},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			b := start(t, t.TempDir(), 0)
			js := outside(t, b)
			_, err := b.EnsureTopic(t.Context(), topic)
			must(t, err)
			c := broker.Cursor{Topic: topic, Subscription: "s", Mode: tc.from, Earliest: true, AtMostOnce: tc.atMostOnce}
			must(t, b.Subscribe(t.Context(), c))
			publish(t, js, 0, 10)
			acknowledge(t, js, c, 6)
			c.Mode = tc.to
			must(t, b.Subscribe(t.Context(), c))
			must(t, b.Purge(t.Context()))
			if got := kept(t, js); got != 4 {
				t.Errorf("%d messages left to read, want 4", got)
			}
			if n, err := b.Subscriptions(t.Context(), topic); n != 1 || err != nil {
				t.Errorf("%d subscriptions, error %v, want 1", n, err)
			}
		})
	}
}

func TestUnsubscribe(t *testing.T) {
	b := start(t, t.TempDir(), 0)
	js := outside(t, b)
	_, err := b.EnsureTopic(t.Context(), topic)
	must(t, err)
	for _, mode := range []wire.Mode{wire.Shared, wire.Failover} {
		must(t, b.Subscribe(t.Context(), broker.Cursor{Topic: topic, Subscription: string(mode), Mode: mode}))
	}
	s, err := js.Stream(t.Context(), wire.StreamName(topic))
	must(t, err)
	if got := s.CachedInfo().Config.MaxAge; got != 0 {
		t.Errorf("age limit %s while somebody is subscribed", got)
	}
	for _, mode := range []wire.Mode{wire.Shared, wire.Failover, wire.Failover} {
		must(t, b.Unsubscribe(t.Context(), topic, string(mode)))
	}
	if n, err := b.Subscriptions(t.Context(), topic); n != 0 || err != nil {
		t.Errorf("%d subscriptions, error %v", n, err)
	}
	info, err := s.Info(t.Context())
	must(t, err)
	if got := info.Config.MaxAge; got != broker.UnreadAge {
		t.Errorf("age limit %s without a subscription, want %s", got, broker.UnreadAge)
	}
}

func TestRestartKeepsPortAndMessages(t *testing.T) {
	dir := t.TempDir()
	b := start(t, dir, 0)
	port := b.Port()
	_, err := b.EnsureTopic(t.Context(), topic)
	must(t, err)
	publish(t, outside(t, b), 0, 5)
	b.Close()
	again := start(t, dir, port)
	if again.Port() != port {
		t.Errorf("port %d, want %d again", again.Port(), port)
	}
	if got := kept(t, outside(t, again)); got != 5 {
		t.Errorf("%d messages, want 5", got)
	}
	other := start(t, t.TempDir(), port)
	if other.Port() == port || other.Port() == 0 {
		t.Errorf("port %d although it is taken", other.Port())
	}
}

func TestPasswordIsAsked(t *testing.T) {
	b := start(t, t.TempDir(), 0)
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	conn, err := nats.Connect(b.Address().URL, nats.Timeout(5*time.Second))
	if err == nil {
		conn.Close()
		t.Fatal("connected without a password")
	}
	if ctx.Err() != nil {
		t.Fatal("no answer")
	}
}

// A stream that another client made in the place of a topic is told of, and not tried for ever.
func TestEnsureTopicBesideAnotherStream(t *testing.T) {
	b := start(t, t.TempDir(), 0)
	_, err := outside(t, b).CreateStream(t.Context(), jetstream.StreamConfig{Name: wire.StreamName(topic), Subjects: []string{"another"}})
	must(t, err)
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
	defer cancel()
	if _, err := b.EnsureTopic(ctx, topic); !engine.Is(err, engine.Exists) || ctx.Err() != nil {
		t.Errorf("got %v", err)
	}
}
