package local

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"strconv"

	"github.com/functionmesh/terraform-provider-functionmesh/internal/engine"
	"github.com/functionmesh/terraform-provider-functionmesh/internal/spec"
)

// Subscription is one cursor of a topic.
type Subscription struct {
	Name    string `json:"name"`
	Mode    string `json:"mode"`    // Shared or Failover
	Backlog int64  `json:"backlog"` // messages not acknowledged
}

// Subscriptions lists the subscriptions of a topic, which is its full name; NotFound
// when there is no such topic.
func (c *Client) Subscriptions(ctx context.Context, topic string) ([]Subscription, error) {
	var all []Subscription
	err := c.call(ctx, http.MethodGet, "/subscriptions?"+url.Values{"topic": {topic}}.Encode(), nil, &all)
	return all, err
}

// Unsubscribe deletes a subscription with its backlog: NotFound when there is none,
// Conflict when a component reads by it and force is not set.
func (c *Client) Unsubscribe(ctx context.Context, topic, name string, force bool) error {
	args := url.Values{"topic": {topic}, "name": {name}, "force": {strconv.FormatBool(force)}}
	return c.call(ctx, http.MethodDelete, "/subscriptions?"+args.Encode(), nil, nil)
}

func topicIn(r *http.Request) (spec.Topic, error) {
	name, err := spec.ParseTopic(r.URL.Query().Get("topic"), "", "")
	if err != nil {
		return spec.Topic{}, engine.New(engine.Invalid, fmt.Errorf("topic: %w", err))
	}
	return spec.Topic{Tenant: name.Tenant, Namespace: name.Namespace, Name: name.Local}, nil
}

func (d *daemon) getSubscriptions(r *http.Request) (any, error) {
	topic, err := topicIn(r)
	if err != nil {
		return nil, err
	}
	stats, err := d.platform.TopicStats(r.Context(), topic)
	all := make([]Subscription, len(stats.Subscriptions))
	for i, s := range stats.Subscriptions {
		all[i] = Subscription{Name: s.Name, Mode: s.Mode, Backlog: s.Backlog}
	}
	return all, err
}

func (d *daemon) deleteSubscription(r *http.Request) (any, error) {
	topic, err := topicIn(r)
	if err != nil {
		return nil, err
	}
	q := r.URL.Query()
	return nil, d.platform.DeleteSubscription(r.Context(), topic, q.Get("name"), q.Get("force") == "true")
}
