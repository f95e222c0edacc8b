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

// SubscriptionMode reports whether the component reads its inputs in order, one lane
// per partition (failover), rather than shared among instances.
func SubscriptionMode(c Component) (ordered bool) {
	return c.RetainOrdering != nil && *c.RetainOrdering
}

// DeadLetterTopic is the full name of the topic that takes messages given up on:
// dead_letter_topic, else `<first input>-<subscription with / replaced by ->-DLQ` beside
// the first input in sorted order. "" for a component without inputs, or whose first
// input is no topic name.
func DeadLetterTopic(c Component) string {
	c.Tenant, c.Namespace = or(c.Tenant, DefaultTenant), or(c.Namespace, DefaultNamespace)
	if c.DeadLetterTopic != "" {
		return c.qualify(c.DeadLetterTopic)
	}
	inputs := SortedKeys(c.qualifiedInputs())
	if len(inputs) == 0 {
		return ""
	}
	first, err := ParseTopic(inputs[0], c.Tenant, c.Namespace)
	if err != nil {
		return ""
	}
	first = first.Whole()
	first.Local += "-" + strings.ReplaceAll(SubscriptionName(c), "/", "-") + "-DLQ"
	return first.String()
}
