package platform

import (
	"context"
	"fmt"
	"slices"

	"github.com/functionmesh/terraform-provider-functionmesh/internal/engine"
	"github.com/functionmesh/terraform-provider-functionmesh/internal/gateway"
	"github.com/functionmesh/terraform-provider-functionmesh/internal/local/store"
	"github.com/functionmesh/terraform-provider-functionmesh/internal/spec"
	"github.com/functionmesh/terraform-provider-functionmesh/internal/wire"
)

// TopicStats implements gateway.TopicInspector.
func (p *Platform) TopicStats(ctx context.Context, topic spec.Topic) (gateway.TopicStats, error) {
	c, err := p.Broker.Inspect(ctx, topic.FullName())
	stats := gateway.TopicStats{Messages: c.Messages, Bytes: c.Bytes, In: c.Published}
	for _, r := range c.Cursors {
		word := map[wire.Mode]string{wire.Shared: "Shared", wire.Failover: "Failover"}[r.Mode]
		stats.Subscriptions = append(stats.Subscriptions, gateway.SubscriptionStats{Name: r.Subscription, Mode: word, Backlog: r.Backlog})
	}
	return stats, err
}

// DeleteSubscription implements gateway.TopicInspector. One that a declared component
// reads by is in use, also while the component is stopped. Taken away by force, it is
// made anew when the component starts again.
func (p *Platform) DeleteSubscription(ctx context.Context, topic spec.Topic, name string, force bool) error {
	p.tree.RLock()
	defer p.tree.RUnlock()
	stats, err := p.TopicStats(ctx, topic)
	if err != nil {
		return err
	}
	var names []string
	for _, s := range stats.Subscriptions {
		names = append(names, s.Name)
	}
	if !slices.Contains(names, name) {
		return engine.NoSubscription(topic.FullName(), name, names)
	}
	r, used, err := p.reader(topic.FullName(), name)
	if err != nil {
		return err
	}
	if used && !force {
		return &engine.Error{
			Class: engine.Conflict, Hint: "Delete that first, or use force",
			Err: fmt.Errorf("%s %s reads %s by the subscription %q", r.Kind, keyOf(r), topic.FullName(), name),
		}
	}
	return p.Broker.Unsubscribe(ctx, topic.FullName(), name)
}

// reader is the component that reads a topic by a subscription.
func (p *Platform) reader(topic, subscription string) (r store.Component, found bool, err error) {
	all, err := p.Store.Components.All("")
	if err != nil {
		return r, false, err
	}
	for _, r := range all {
		if cursorsOf(r)[wire.Stream{Topic: topic}] && spec.SubscriptionName(spec.DefaultComponent(r.Spec)) == subscription {
			return r, true, nil
		}
	}
	return r, false, nil
}
