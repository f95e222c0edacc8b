package spec

import (
	"fmt"
	"regexp"
	"strings"
	"unicode"
)

// maxBatchBytes is the largest message that Pulsar takes unless it is told otherwise.
const maxBatchBytes = 5 << 20

// pattern checks an expression that names topics; "" is unset.
func (f findings) pattern(text string) {
	if text == "" {
		return
	}
	if _, err := regexp.Compile(text); err != nil {
		f.fail(sentence(strings.ReplaceAll(err.Error(), "`", "'")), "Write an expression like persistent://public/default/orders-.*")
	}
}

func (f findings) producer(p Producer) {
	f.field("compression").oneOf(p.Compression, Compressions()...)
	atLeast(f.field("max_pending_messages"), p.MaxPendingMessages, 0)
	if p.Batching != nil {
		f.field("batching").batching(*p.Batching)
	}
	f.field("extra").extra(p.Extra, producerWords(), producerShapes())
}

func (f findings) batching(b Batching) {
	off := b.Enabled != nil && !*b.Enabled
	for _, u := range []used{
		{field: "max_publish_delay_ms", set: b.MaxPublishDelayMs != nil},
		{field: "max_messages", set: b.MaxMessages != nil},
		{field: "max_bytes", set: b.MaxBytes != nil},
		{field: "builder", set: b.Builder != ""},
	} {
		if off && u.set {
			f.field(string(u.field)).fail("Batching is off, so that there is nothing to bound.", "Leave it out, or leave enabled out.")
		}
	}
	atLeast(f.field("max_publish_delay_ms"), b.MaxPublishDelayMs, 1)
	atLeast(f.field("max_messages"), b.MaxMessages, 1)
	atLeast(f.field("max_bytes"), b.MaxBytes, 1)
	if b.MaxBytes != nil && *b.MaxBytes > maxBatchBytes {
		f.field("max_bytes").failf(fmt.Sprintf("Use %d or less.", maxBatchBytes), "A Pulsar takes no batch of %d bytes.", *b.MaxBytes)
	}
	f.field("builder").oneOf(b.Builder, BatchBuilders()...)
}

func (f findings) subscription(c Component) {
	if c.Subscription == nil {
		return
	}
	s := *c.Subscription
	f = f.field("subscription")
	if strings.ContainsFunc(s.Name, unicode.IsControl) || len(s.Name) > MaxTopicName {
		f.field("name").failf("", "A subscription's name has at most %d bytes and no control characters.", MaxTopicName)
	}
	f.field("position").oneOf(string(s.Position), string(Latest), string(Earliest))
	f.field("type").oneOf(string(s.Type), string(Shared), string(Failover), string(KeyShared), string(Exclusive))
	f.field("type").subscriptionType(c, s.Type)
}

// subscriptionType refuses a type that does not keep what else is asked for.
func (f findings) subscriptionType(c Component, t SubscriptionType) {
	unordered := t == Shared || t == KeyShared
	const hint = `Leave it out, or use "failover".`
	switch {
	case unordered && c.ProcessingGuarantees == EffectivelyOnce:
		f.failf(hint, "effectively_once needs every partition read by one instance, in order, which a %s subscription does not give.", t)
	case unordered && isTrue(c.RetainOrdering):
		f.failf(hint, "retain_ordering asks for order per partition, which a %s subscription does not keep.", t)
	case t == Shared && isTrue(c.RetainKeyOrdering):
		f.fail("retain_key_ordering asks for order per key, which a shared subscription does not keep.", `Leave it out, or use "key_shared".`)
	case t == Exclusive && c.Parallelism != nil && *c.Parallelism > 1:
		f.failf(`Use "failover", or one instance.`, "An exclusive subscription admits one instance, and parallelism is %d.", *c.Parallelism)
	}
}

func (f findings) delivery(c Component) {
	f.field("processing_guarantees").oneOf(string(c.ProcessingGuarantees),
		string(AtLeastOnce), string(AtMostOnce), string(EffectivelyOnce), string(Manual))
	f.order(c)
	f.acknowledging(c)
	atLeast(f.field("max_message_retries"), c.MaxMessageRetries, 0)
	atLeast(f.field("timeout_ms"), c.TimeoutMs, 0)
	atLeast(f.field("negative_ack_redelivery_delay_ms"), c.NegativeAckRedeliveryDelayMs, 1)
	f.field("data_path").oneOf(c.DataPath, EntryPath, CompatiblePath)
	f.givingUp(c)
	f.field("log_topic").topic(c, c.LogTopic)
	f.deadLetter(c)
}

func (f findings) order(c Component) {
	f = f.field("retain_key_ordering")
	switch {
	case isTrue(c.RetainOrdering) && isTrue(c.RetainKeyOrdering):
		f.fail("retain_ordering and retain_key_ordering exclude each other.",
			"Keep retain_ordering for order per partition, or retain_key_ordering for order per key.")
	case c.ProcessingGuarantees == EffectivelyOnce && isTrue(c.RetainKeyOrdering):
		f.fail("effectively_once reads every partition in order, whole, not by key.", "Leave it out: order per partition keeps the order of each key in it.")
	}
}

// acknowledging holds auto_ack, which says less than processing_guarantees, to it.
func (f findings) acknowledging(c Component) {
	if c.AutoAck == nil || c.Kind == KindSource {
		return
	}
	f = f.field("auto_ack")
	manual := c.ProcessingGuarantees == Manual
	switch {
	case !*c.AutoAck && !manual:
		f.fail("Without it the code acknowledges messages itself, which is what manual means.", `Leave it out, and set processing_guarantees = "manual".`)
	case *c.AutoAck && manual:
		f.fail("manual means that the code acknowledges messages itself.", "Leave it out.")
	}
}

// givingUp refuses retries and dead letters where nothing could follow them.
func (f findings) givingUp(c Component) {
	if c.Kind == KindSource {
		return
	}
	why := ""
	if c.ProcessingGuarantees == AtMostOnce {
		why = "atmost_once acknowledges a message before it is worked on: it can be neither retried nor given up."
	}
	for _, u := range []used{
		{field: "max_message_retries", set: c.MaxMessageRetries != nil},
		{field: "dead_letter_topic", set: c.DeadLetterTopic != ""},
		{field: "negative_ack_redelivery_delay_ms", set: c.NegativeAckRedeliveryDelayMs != nil},
	} {
		if why != "" && u.set {
			f.field(string(u.field)).fail(why, `Leave it out, or use processing_guarantees = "atleast_once".`)
		}
	}
}
