package pulsarform

import (
	"strings"

	"github.com/functionmesh/terraform-provider-functionmesh/internal/spec"
)

func (c SourceConfig) component() (spec.Component, envelope) {
	out := spec.Component{
		Kind: spec.KindSource, Tenant: val(c.Tenant), Namespace: val(c.Namespace), Name: val(c.Name),
		Config: object(c.Configs),
		Output: outputForm{
			topic: c.TopicName, schema: c.SchemaType, serde: c.SerdeClassName, producer: c.ProducerConfig, builder: c.BatchBuilder,
		}.output(),
		LogTopic: val(c.LogTopic), Parallelism: c.Parallelism,
		ProcessingGuarantees: guarantee(c.ProcessingGuarantees), Extra: extraOf(c.Rest),
	}
	archive(&out, c.Archive)
	env, own := openEnvelope(c.CustomRuntimeOptions)
	finish(&out, env, own, c.Secrets, c.Resources)
	return out, env
}

func sourceConfig(c spec.Component, env envelope) SourceConfig {
	out := SourceConfig{
		Tenant: opt(c.Tenant), Namespace: opt(c.Namespace), Name: opt(c.Name), Archive: archiveText(c.Builtin),
		LogTopic: opt(c.LogTopic), Configs: objectRaw(c.Config), Secrets: secretsText(c.Secrets, c.Extra),
		Parallelism: c.Parallelism, ProcessingGuarantees: guaranteeText(c.ProcessingGuarantees),
		Resources: resourcesText(c.Resources, c.Extra), Rest: restOf(c.Extra),
	}
	if o := c.Output; o != nil {
		out.TopicName, out.SchemaType, out.SerdeClassName = opt(o.Topic), opt(o.Schema), opt(o.SerdeClass)
		out.ProducerConfig = producerConfig(o.Producer)
	}
	env.state = c.State
	out.CustomRuntimeOptions = env.seal(c.Extra)
	return out
}

func (c SinkConfig) component() (spec.Component, envelope) {
	out := spec.Component{
		Kind: spec.KindSink, Tenant: val(c.Tenant), Namespace: val(c.Namespace), Name: val(c.Name),
		Config: object(c.Configs),
		Inputs: inputForms{
			list: c.Inputs, serde: c.TopicToSerdeClassName, schemas: c.TopicToSchemaType, specs: c.InputSpecs,
		}.inputs(),
		TopicsPattern:     val(c.TopicsPattern),
		Subscription:      subscription(c.SourceSubscriptionName, c.SourceSubscriptionPosition),
		MaxMessageRetries: c.MaxMessageRetries, DeadLetterTopic: val(c.DeadLetterTopic), TimeoutMs: c.TimeoutMs,
		LogTopic: val(c.LogTopic), Parallelism: c.Parallelism,
		ProcessingGuarantees: guarantee(c.ProcessingGuarantees),
		RetainOrdering:       c.RetainOrdering, RetainKeyOrdering: c.RetainKeyOrdering,
		CleanupSubscription: c.CleanupSubscription, Extra: extraOf(c.Rest),
		SkipToLatest: c.SkipToLatest, AutoAck: acknowledging(c.AutoAck, c.ProcessingGuarantees),
		NegativeAckRedeliveryDelayMs: delay(c.NegativeAckRedeliveryDelayMs),
	}
	archive(&out, c.Archive)
	env, own := openEnvelope(c.CustomRuntimeOptions)
	finish(&out, env, own, c.Secrets, c.Resources)
	return out, env
}

func sinkConfig(c spec.Component, env envelope) SinkConfig {
	out := SinkConfig{
		Tenant: opt(c.Tenant), Namespace: opt(c.Namespace), Name: opt(c.Name), Archive: archiveText(c.Builtin),
		InputSpecs: inputSpecs(c.Inputs), TopicsPattern: opt(c.TopicsPattern),
		LogTopic: opt(c.LogTopic), Configs: objectRaw(c.Config), Secrets: secretsText(c.Secrets, c.Extra),
		MaxMessageRetries: c.MaxMessageRetries, DeadLetterTopic: opt(c.DeadLetterTopic), TimeoutMs: c.TimeoutMs,
		Parallelism: c.Parallelism, ProcessingGuarantees: guaranteeText(c.ProcessingGuarantees),
		RetainOrdering: c.RetainOrdering, RetainKeyOrdering: c.RetainKeyOrdering,
		CleanupSubscription: c.CleanupSubscription,
		SkipToLatest:        c.SkipToLatest, AutoAck: c.AutoAck, NegativeAckRedeliveryDelayMs: c.NegativeAckRedeliveryDelayMs,
		Resources: resourcesText(c.Resources, c.Extra), Rest: restOf(c.Extra),
	}
	out.SourceSubscriptionName, out.SourceSubscriptionPosition = subscriptionText(c.Subscription)
	env.state = c.State
	out.CustomRuntimeOptions = env.seal(c.Extra)
	return out
}

// archive knows the connectors by name; any other archive is a NAR, which travels in
// Extra.
func archive(c *spec.Component, p *string) {
	if p == nil {
		return
	}
	if name, ok := strings.CutPrefix(*p, builtin); ok && name != "" {
		c.Builtin = name
		return
	}
	c.Extra = putExtraString(c.Extra, "archive", *p)
}

func archiveText(name string) *string {
	if name == "" {
		return nil
	}
	return opt(builtin + name)
}
