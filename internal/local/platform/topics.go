package platform

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/functionmesh/terraform-provider-functionmesh/internal/engine"
	"github.com/functionmesh/terraform-provider-functionmesh/internal/local/broker"
	"github.com/functionmesh/terraform-provider-functionmesh/internal/local/store"
	"github.com/functionmesh/terraform-provider-functionmesh/internal/spec"
	"github.com/functionmesh/terraform-provider-functionmesh/internal/wire"
)

type topicClient struct{ p *Platform }

func (c *topicClient) observed(t broker.Topic, found bool) engine.Observed[spec.Topic] {
	o := engine.Observed[spec.Topic]{Found: found, Platform: c.p.Store.ID()}
	if !found {
		return o
	}
	name, err := spec.ParseTopic(t.Name, "", "")
	if err != nil {
		return o // not a stream of ours
	}
	o.Spec = spec.Topic{Tenant: name.Tenant, Namespace: name.Namespace, Name: name.Local, Properties: t.Properties}
	if t.Partitions > 0 {
		o.Spec.Partitions = &t.Partitions
	}
	o.Marks, o.Status = engine.Marks{Owner: t.Owner, Creating: t.Creating}, ready()
	return o
}

func topicOf(want engine.Object[spec.Topic]) broker.Topic {
	t := broker.Topic{
		Name: want.Spec.FullName(), Owner: want.Marks.Owner, Creating: want.Marks.Creating, Properties: want.Spec.Properties,
	}
	if want.Spec.Partitions != nil {
		t.Partitions = *want.Spec.Partitions
	}
	return t
}

func fullName(key engine.Key) string {
	return spec.Topic{Tenant: key.Tenant, Namespace: key.Namespace, Name: key.Name}.FullName()
}

// Observe implements engine.Client.
func (c *topicClient) Observe(ctx context.Context, key engine.Key) (engine.Observed[spec.Topic], error) {
	if err := context.Cause(ctx); err != nil {
		return engine.Observed[spec.Topic]{}, err
	}
	if err := c.p.checkNamespace(key.Tenant, key.Namespace); err != nil {
		return c.observed(broker.Topic{}, false), err
	}
	t, ok, err := c.p.Broker.Topic(ctx, fullName(key))
	return c.observed(t, ok), err
}

// Create implements engine.Client. A topic that was only made for a component becomes
// the wanted one in place.
func (c *topicClient) Create(ctx context.Context, want engine.Object[spec.Topic]) (engine.Observed[spec.Topic], error) {
	want.Spec = spec.DefaultTopic(want.Spec)
	if err := begin(ctx, spec.ValidateTopic(want.Spec)); err != nil {
		return engine.Observed[spec.Topic]{}, err
	}
	c.p.tree.RLock()
	defer c.p.tree.RUnlock()
	if err := c.p.checkNamespace(want.Spec.Tenant, want.Spec.Namespace); err != nil {
		return engine.Observed[spec.Topic]{}, err
	}
	t := topicOf(want)
	err := c.p.Broker.CreateTopic(ctx, t)
	if engine.Is(err, engine.Exists) {
		err = c.claim(ctx, t, err)
	}
	if err != nil {
		return engine.Observed[spec.Topic]{}, err
	}
	return c.observed(t, true), nil
}

func (c *topicClient) claim(ctx context.Context, t broker.Topic, exists error) error {
	have, ok, err := c.p.Broker.Topic(ctx, t.Name)
	if err != nil {
		return err
	}
	if !ok || !have.Auto {
		return exists
	}
	err = c.p.Broker.UpdateTopic(ctx, t)
	if engine.Is(err, engine.Immutable) {
		return &engine.Error{
			Class: engine.Immutable, Path: "partitions",
			Hint: "Make the component wait for the topic by naming it through a reference, functionmesh_topic.<name>.name, or delete the topic first",
			Err:  fmt.Errorf("a component that uses the topic made it already, unpartitioned, and %w", err),
		}
	}
	if err != nil || have.Partitions == t.Partitions {
		return err
	}
	return c.grown(ctx, t.Name)
}

// grown lets the components that use a topic take up its new partitions.
func (c *topicClient) grown(ctx context.Context, topic string) error {
	return c.p.reach(ctx, func(r store.Component) bool { return slices.Contains(topicsOf(r), topic) })
}

// Update implements engine.Client.
func (c *topicClient) Update(ctx context.Context, have engine.Observed[spec.Topic], want engine.Object[spec.Topic], _ []engine.Change) error {
	want.Spec = spec.DefaultTopic(want.Spec)
	if err := begin(ctx, spec.ValidateTopic(want.Spec)); err != nil {
		return err
	}
	c.p.tree.RLock()
	defer c.p.tree.RUnlock()
	name := have.Spec.FullName()
	now, ok, err := c.p.Broker.Topic(ctx, name)
	if err == nil && !ok {
		err = engine.New(engine.NotFound, fmt.Errorf("topic %s does not exist", name))
	}
	if err != nil {
		return err
	}
	want.Marks = keepOwner(engine.Marks{Owner: now.Owner}, want.Marks)
	t := topicOf(want)
	if err := c.p.Broker.UpdateTopic(ctx, t); err != nil || t.Partitions == now.Partitions {
		return err
	}
	return c.grown(ctx, name)
}

// Delete implements engine.Client. A topic that a declared component uses is in use.
func (c *topicClient) Delete(ctx context.Context, have engine.Observed[spec.Topic], opts engine.DeleteOptions) error {
	if err := context.Cause(ctx); err != nil {
		return err
	}
	c.p.tree.RLock()
	defer c.p.tree.RUnlock()
	name := have.Spec.FullName()
	all, err := c.p.Store.Components.All("")
	if err != nil {
		return err
	}
	for _, r := range all {
		if !opts.Force && slices.Contains(topicsOf(r), name) {
			return &engine.Error{
				Class: engine.Conflict, Hint: "Delete it first, or delete the topic with force",
				Err: fmt.Errorf("%s %s uses the topic", r.Kind, keyOf(r)),
			}
		}
	}
	return c.p.Broker.DeleteTopic(ctx, name)
}

// List implements engine.Lister.
func (c *topicClient) List(ctx context.Context, in engine.Key) ([]engine.Observed[spec.Topic], error) {
	if err := context.Cause(ctx); err != nil {
		return nil, err
	}
	if err := c.p.checkNamespace(in.Tenant, in.Namespace); err != nil {
		return nil, err
	}
	all, err := c.p.Broker.Topics(ctx, namespacePrefix(in.Tenant, in.Namespace))
	list := make([]engine.Observed[spec.Topic], len(all))
	for i, t := range all {
		list[i] = c.observed(t, true)
	}
	return list, err
}

func namespacePrefix(tenant, namespace string) string {
	return spec.Persistent + "://" + tenant + "/" + namespace + "/"
}

// topicsOf are the full names of all topics that a component uses here.
func topicsOf(r store.Component) []string {
	if onPulsar(r) {
		return nil
	}
	var topics []string
	for _, s := range wire.StreamsOf(r.Spec) {
		if s.Broker == "" && !s.Pattern {
			topics = append(topics, s.Topic)
		}
	}
	return topics
}

// held counts the topics that somebody declared or that a component uses. The others
// were made for components that have gone: nobody could delete them first.
func (p *Platform) held(topics []broker.Topic) (int, error) {
	all, err := p.Store.Components.All("")
	if err != nil {
		return 0, err
	}
	n := 0
	for _, t := range topics {
		used := func(c store.Component) bool { return slices.Contains(topicsOf(c), t.Name) }
		if !t.Auto || slices.ContainsFunc(all, used) {
			n++
		}
	}
	return n, nil
}

// deleteNamespace removes a namespace; with force all that it holds.
func (p *Platform) deleteNamespace(ctx context.Context, n spec.Namespace, force bool) error {
	components, err := p.componentsIn(n.Tenant, n.Name)
	if err != nil {
		return err
	}
	topics, err := p.Broker.Topics(ctx, namespacePrefix(n.Tenant, n.Name))
	if err != nil {
		return err
	}
	held, err := p.held(topics)
	if err != nil {
		return err
	}
	if !force && len(components)+held > 0 {
		return inUse(fmt.Errorf("namespace %s/%s still has %d components and %d topics", n.Tenant, n.Name, len(components), held))
	}
	for _, c := range components {
		if err := p.deleteComponent(ctx, keyOf(c)); err != nil {
			return err
		}
	}
	return p.forgetNamespace(ctx, n, topics)
}

// forgetNamespace removes a namespace without components, with its topics.
func (p *Platform) forgetNamespace(ctx context.Context, n spec.Namespace, topics []broker.Topic) error {
	p.tree.Lock()
	defer p.tree.Unlock()
	if left, err := p.componentsIn(n.Tenant, n.Name); err != nil || len(left) > 0 {
		return errors.Join(err, inUse(fmt.Errorf("namespace %s/%s has components again", n.Tenant, n.Name)))
	}
	for _, t := range topics {
		if err := p.Broker.DeleteTopic(ctx, t.Name); err != nil {
			return err
		}
	}
	return p.Store.Namespaces.Delete(store.Key(n.Tenant, n.Name))
}
