package broker_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/functionmesh/terraform-provider-functionmesh/internal/engine"
	"github.com/functionmesh/terraform-provider-functionmesh/internal/local/broker"
	"github.com/functionmesh/terraform-provider-functionmesh/internal/wire"
)

func TestInspect(t *testing.T) {
	b := start(t, t.TempDir(), 0)
	js := outside(t, b)
	if _, err := b.Inspect(t.Context(), topic); !engine.Is(err, engine.NotFound) {
		t.Errorf("no topic: %v, want not found", err)
	}
	must(t, b.CreateTopic(t.Context(), broker.Topic{Name: topic, Partitions: 2}))
	publish(t, js, 0, 3)
	for _, mode := range []wire.Mode{wire.Shared, wire.Failover} {
		must(t, b.Subscribe(t.Context(), broker.Cursor{Topic: topic, Subscription: "a/b/" + string(mode), Mode: mode}))
	}
	must(t, b.Subscribe(t.Context(), broker.Cursor{Topic: topic, Subscription: "a/b/all", Mode: wire.Failover, Earliest: true}))
	publish(t, js, 1, 4)
	must(t, b.UpdateTopic(t.Context(), broker.Topic{Name: topic, Partitions: 3}))
	publish(t, js, 2, 5)
	got, err := b.Inspect(t.Context(), topic)
	must(t, err)
	if got.Bytes == 0 {
		t.Error("the messages have no size")
	}
	got.Bytes = 0
	want := broker.Contents{Messages: 12, Published: 12, Cursors: []broker.Reading{
		{Subscription: "a/b/all", Mode: wire.Failover, Backlog: 12},
		{Subscription: "a/b/failover", Mode: wire.Failover, Backlog: 9},
		{Subscription: "a/b/shared", Mode: wire.Shared, Backlog: 9},
	}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	s, err := js.Stream(t.Context(), wire.StreamName(topic))
	must(t, err)
	if n := s.CachedInfo().State.Consumers; n != 1 {
		t.Errorf("%d consumers are left, want the shared subscription's", n)
	}
}
