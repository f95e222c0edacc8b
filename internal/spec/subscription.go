package spec

import "strings"

// SubscriptionName is the name of the component's cursor: the one that is set, else
// tenant/namespace/name as Pulsar names it.
func SubscriptionName(c Component) string {
	if c.Subscription != nil && c.Subscription.Name != "" {
		return c.Subscription.Name
	}
	return or(c.Tenant, DefaultTenant) + "/" + or(c.Namespace, DefaultNamespace) + "/" + c.Name
}

// SubscriptionTypeOf is how the instances of a component share its inputs:
// subscription.type, else failover with retain_ordering and for effectively_once,
// key_shared with retain_key_ordering, and shared for the rest, as Pulsar derives it.
func SubscriptionTypeOf(c Component) SubscriptionType {
	switch {
	case c.Subscription != nil && c.Subscription.Type != "":
		return c.Subscription.Type
	case isTrue(c.RetainOrdering), c.ProcessingGuarantees == EffectivelyOnce:
		return Failover
	case isTrue(c.RetainKeyOrdering):
		return KeyShared
	default:
		return Shared
	}
}

// SubscriptionMode reports whether the component reads its inputs in order, one lane
// per partition, rather than shared among instances.
func SubscriptionMode(c Component) (ordered bool) {
	kind := SubscriptionTypeOf(c)
	return kind == Failover || kind == Exclusive
}

// RedriveSubscription is the name of the subscription that keeps dead letters until they
// are sent again.
const RedriveSubscription = "functionmesh-redrive"

// DeadLetterTopic is the full name of the topic that takes messages given up on:
// dead_letter_topic, else `<first input>-<subscription with / replaced by ->-DLQ` beside
// the first input in sorted order that names a topic; with patterns only, the same
// without the input, beside the component. "" for a component without inputs.
func DeadLetterTopic(c Component) string {
	c.Tenant, c.Namespace = or(c.Tenant, DefaultTenant), or(c.Namespace, DefaultNamespace)
	if c.DeadLetterTopic != "" {
		return c.qualify(c.DeadLetterTopic)
	}
	if len(c.Inputs) == 0 && c.TopicsPattern == "" {
		return ""
	}
	suffix := strings.ReplaceAll(SubscriptionName(c), "/", "-") + "-DLQ"
	topic, named := c.firstInput()
	if !named {
		return NewTopicName(c.Tenant, c.Namespace, suffix).String()
	}
	first, err := ParseTopic(topic, c.Tenant, c.Namespace)
	if err != nil {
		return ""
	}
	first = first.Whole()
	first.Local += "-" + suffix
	return first.String()
}

// DeadLetterConnection is the connection of the topic that takes messages given up on:
// that of the input which it lies beside by default. The component is defaulted.
func DeadLetterConnection(c Component) string {
	topic, _ := c.firstInput()
	return c.Inputs[topic].Connection
}

// firstInput is the first input in the order of full names that names a topic; without
// one the first pattern, and named is false.
func (c Component) firstInput() (topic string, named bool) {
	inputs := c.qualifiedInputs()
	patterns := ""
	for _, key := range SortedKeys(inputs) {
		if !isTrue(inputs[key].Regex) {
			return key, true
		}
		patterns = or(patterns, key)
	}
	return patterns, false
}
