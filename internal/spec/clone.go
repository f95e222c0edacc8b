package spec

import (
	"maps"
	"slices"
)

// Clone copies everything the tenant refers to.
func (t Tenant) Clone() Tenant {
	t.AdminRoles, t.AllowedClusters = slices.Clone(t.AdminRoles), slices.Clone(t.AllowedClusters)
	return t
}

// Clone copies everything the topic refers to.
func (t Topic) Clone() Topic {
	t.Partitions = clonePtr(t.Partitions)
	t.Properties = maps.Clone(t.Properties)
	return t
}

// Clone copies everything the mesh refers to.
func (m Mesh) Clone() Mesh {
	m.Sources = cloneMap(m.Sources, Component.Clone)
	m.Functions = cloneMap(m.Functions, Component.Clone)
	m.Sinks = cloneMap(m.Sinks, Component.Clone)
	return m
}

// Clone copies everything the component refers to.
func (c Component) Clone() Component {
	c.Runtime = c.Runtime.clone()
	c.Inputs = cloneMap(c.Inputs, Input.clone)
	c.Output = c.Output.clone()
	c.Subscription = clonePtr(c.Subscription)
	c.RetainOrdering = clonePtr(c.RetainOrdering)
	c.RetainKeyOrdering = clonePtr(c.RetainKeyOrdering)
	c.ForwardSourceMessageProperty = clonePtr(c.ForwardSourceMessageProperty)
	c.CleanupSubscription = clonePtr(c.CleanupSubscription)
	c.MaxMessageRetries = clonePtr(c.MaxMessageRetries)
	c.TimeoutMs = clonePtr(c.TimeoutMs)
	c.SkipToLatest, c.AutoAck = clonePtr(c.SkipToLatest), clonePtr(c.AutoAck)
	c.NegativeAckRedeliveryDelayMs = clonePtr(c.NegativeAckRedeliveryDelayMs)
	c.Parallelism = clonePtr(c.Parallelism)
	c.Secrets = maps.Clone(c.Secrets)
	c.Resources = clonePtr(c.Resources)
	c.Extra = maps.Clone(c.Extra)
	return c
}

func (r *Runtime) clone() *Runtime {
	if r == nil {
		return nil
	}
	return &Runtime{Go: clonePtr(r.Go), WASM: clonePtr(r.WASM), Python: clonePtr(r.Python), Java: clonePtr(r.Java)}
}

func (in Input) clone() Input {
	in.Regex = clonePtr(in.Regex)
	in.ReceiverQueueSize = clonePtr(in.ReceiverQueueSize)
	in.Extra = maps.Clone(in.Extra)
	return in
}

func (o *Output) clone() *Output {
	o = clonePtr(o)
	if o == nil || o.Producer == nil {
		return o
	}
	o.Producer = clonePtr(o.Producer)
	o.Producer.MaxPendingMessages = clonePtr(o.Producer.MaxPendingMessages)
	o.Producer.Batching = o.Producer.Batching.clone()
	o.Producer.Extra = maps.Clone(o.Producer.Extra)
	return o
}

func (b *Batching) clone() *Batching {
	b = clonePtr(b)
	if b != nil {
		b.Enabled, b.MaxPublishDelayMs = clonePtr(b.Enabled), clonePtr(b.MaxPublishDelayMs)
		b.MaxMessages, b.MaxBytes = clonePtr(b.MaxMessages), clonePtr(b.MaxBytes)
	}
	return b
}

func clonePtr[T any](p *T) *T {
	if p == nil {
		return nil
	}
	v := *p
	return &v
}

// SortedKeys lists the keys of a map in order, for every output that must not depend on
// the order of a map.
func SortedKeys[V any](m map[string]V) []string {
	return slices.Sorted(maps.Keys(m))
}
