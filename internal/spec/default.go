package spec

import "maps"

// TenantDefaults returns the tenant as it is: a tenant has no defaults, what is unset
// is the platform's choice.
func TenantDefaults(t Tenant) Tenant { return t.Clone() }

// NamespaceDefaults puts a namespace without a tenant into public.
func NamespaceDefaults(n Namespace) Namespace {
	n.Tenant = or(n.Tenant, DefaultTenant)
	return n
}

// DefaultTopic puts a topic without tenant and namespace into public/default.
// Partitions stay unset: an unpartitioned topic.
func DefaultTopic(t Topic) Topic {
	t = t.Clone()
	t.Tenant = or(t.Tenant, DefaultTenant)
	t.Namespace = or(t.Namespace, DefaultNamespace)
	return t
}

// DefaultComponent fills in what is unset and qualifies topic names:
//
//   - tenant public, namespace default, parallelism 1, atleast_once;
//   - with inputs: subscription named tenant/namespace/name at latest, retain_ordering,
//     retain_key_ordering and cleanup_subscription false, auto_ack true but with manual;
//   - functions: forward_source_message_property true, skip_to_latest false;
//   - input keys, output.topic, dead_letter_topic and log_topic become full names.
//
// timeout_ms, max_message_retries and resources stay unset, their meaning being the
// platform's; state stays unset because nobody but the platform knows it. A name that
// is no topic name stays as it is, for ValidateComponent to report. The argument is not
// changed, and defaulting twice changes nothing.
func DefaultComponent(c Component) Component {
	c = c.Clone()
	c.Tenant = or(c.Tenant, DefaultTenant)
	c.Namespace = or(c.Namespace, DefaultNamespace)
	c.Config, c.UserConfig = c.Config.normal(), c.UserConfig.normal()
	if c.ProcessingGuarantees == "" {
		c.ProcessingGuarantees = AtLeastOnce
	}
	c.Parallelism = orPtr(c.Parallelism, 1)
	if c.Kind == KindFunction {
		c.ForwardSourceMessageProperty = orPtr(c.ForwardSourceMessageProperty, true)
	}
	if c.Kind != KindSource {
		c.defaultSubscription()
	}
	c.qualifyTopics()
	return c
}

func (c *Component) defaultSubscription() {
	c.RetainOrdering = orPtr(c.RetainOrdering, false)
	c.RetainKeyOrdering = orPtr(c.RetainKeyOrdering, false)
	c.CleanupSubscription = orPtr(c.CleanupSubscription, false)
	if c.Kind == KindFunction {
		c.SkipToLatest = orPtr(c.SkipToLatest, false)
	}
	if c.ProcessingGuarantees != Manual {
		c.AutoAck = orPtr(c.AutoAck, true)
	}
	if c.Subscription == nil {
		c.Subscription = &Subscription{}
	}
	if c.Subscription.Name == "" {
		c.Subscription.Name = SubscriptionName(*c)
	}
	if c.Subscription.Position == "" {
		c.Subscription.Position = Latest
	}
}

func (c *Component) qualifyTopics() {
	c.Inputs = c.qualifiedInputs()
	if c.Output != nil {
		c.Output.Topic = c.qualify(c.Output.Topic)
	}
	c.DeadLetterTopic = c.qualify(c.DeadLetterTopic)
	c.LogTopic = c.qualify(c.LogTopic)
}

func (c *Component) qualify(topic string) string {
	if topic == "" {
		return ""
	}
	name, err := ParseTopic(topic, c.Tenant, c.Namespace)
	if err != nil {
		return topic
	}
	return name.String()
}

// qualifyInput is the full name of an input; an expression stays as it is.
func (c *Component) qualifyInput(key string) string {
	if isTrue(c.Inputs[key].Regex) {
		return key
	}
	return c.qualify(key)
}

// qualifiedInputs keys the inputs by full name. Of two spellings of one topic the full
// one, else the first, gets the full name; the other stays, so that nothing is lost
// before validation reports it.
func (c *Component) qualifiedInputs() map[string]Input {
	if c.Inputs == nil {
		return nil
	}
	inputs := make(map[string]Input, len(c.Inputs))
	for key, input := range c.Inputs {
		if c.qualifyInput(key) == key {
			inputs[key] = input
		}
	}
	for _, key := range SortedKeys(c.Inputs) {
		full := c.qualifyInput(key)
		if full == key {
			continue
		}
		if _, taken := inputs[full]; taken {
			full = key
		}
		inputs[full] = c.Inputs[key]
	}
	return inputs
}

// DefaultMesh puts a mesh into public/default and defaults its components as what they
// are inside it: Kind from the map, tenant and namespace of the mesh, named by their
// keys. Only the mesh's own fields and what DefaultComponent fills in are set; a
// component's tenant, namespace and name stay unset when they were, and its default
// subscription carries the name it runs under, `<mesh>-<component>`.
func DefaultMesh(m Mesh) Mesh {
	m = m.Clone()
	m.Tenant = or(m.Tenant, DefaultTenant)
	m.Namespace = or(m.Namespace, DefaultNamespace)
	for _, kind := range ComponentKinds() {
		components := m.Components(kind)
		for _, key := range SortedKeys(components) {
			components[key] = defaultMember(m, kind, key, components[key])
		}
	}
	return m
}

func defaultMember(m Mesh, kind Kind, key string, c Component) Component {
	tenant, namespace, name := c.Tenant, c.Namespace, c.Name
	c = DefaultComponent(m.Member(kind, key, c))
	c.Tenant, c.Namespace, c.Name = tenant, namespace, name
	return c
}

// Components is the map of the components of a kind; nil for other kinds.
func (m Mesh) Components(kind Kind) map[string]Component {
	switch kind {
	case KindSource:
		return m.Sources
	case KindFunction:
		return m.Functions
	case KindSink:
		return m.Sinks
	default:
		return nil
	}
}

// Member is the component of a mesh as it runs: with its kind, the tenant and namespace
// of the mesh and the name `<mesh>-<key>`.
func (m Mesh) Member(kind Kind, key string, c Component) Component {
	c = c.Clone()
	c.Kind = kind
	c.Tenant = or(m.Tenant, DefaultTenant)
	c.Namespace = or(m.Namespace, DefaultNamespace)
	c.Name = MemberName(m.Name, key)
	return c
}

// MemberName is the name under which a component of a mesh runs.
func MemberName(mesh, component string) string { return mesh + "-" + component }

func orPtr[T any](p *T, fallback T) *T {
	if p == nil {
		return &fallback
	}
	return p
}

func cloneMap[V any](m map[string]V, clone func(V) V) map[string]V {
	if m == nil {
		return nil
	}
	out := maps.Clone(m)
	for k, v := range out {
		out[k] = clone(v)
	}
	return out
}
