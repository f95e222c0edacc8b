package spec

import "slices"

// The runner platform is our runner on this machine with its streams on a Pulsar.

func runnerCode() []Setting {
	return slices.Concat(
		honoured(PlatformRunner, "tenant", "namespace", "name"),
		onPlatform(PlatformRunner, []Setting{
			{Path: "builtin", Match: `^(file|generator)$`},
			{Path: "config"},
			{Path: "user_config"},
			{Path: "runtime.java.**", Refusal: "Our runner runs no Java.", Hint: "Use go, wasm or python, or leave local out of the provider: Pulsar's workers run Java."},
			{Path: "runtime.go.url", Match: `^builtin:`, Refusal: builtinCode, Hint: builtinHint},
			{Path: "runtime.wasm.url", Match: `^builtin:`, Refusal: builtinCode, Hint: builtinHint},
			{Path: "runtime.python.url", Match: `^builtin:`, Refusal: builtinCode, Hint: builtinHint},
		}),
		honoured(PlatformRunner, "runtime.go.**", "runtime.wasm.**", "runtime.python.**"),
	)
}

func runnerStreams() []Setting {
	const (
		kept      = "Messages of a non-persistent topic cannot be acknowledged, so that no guarantee holds."
		keptHint  = "Use a persistent:// topic."
		whole     = "Our runner reads and writes whole topics, not one partition."
		wholeHint = "Name the topic without -partition-N."
		noSerde   = "No runtime of our runner loads SerDe classes."
		serdeHint = "Decode and encode in the function."
		registry  = "Our runner does not speak to the schema registry."
		decode    = "Only Python functions decode and encode by schema."
		labels    = "Use bytes, or string or json for a Python function."
		format    = "Leave it out; config.format says what a connector reads or writes, where it has a choice."
	)
	python := []string{"python"}
	rows := onPlatform(PlatformRunner, []Setting{
		{Path: "inputs[*]", Match: notPersistent, Refusal: kept, Hint: keptHint},
		{Path: "inputs[*]", Match: onePartition, Refusal: whole, Hint: wholeHint},
		{Path: "inputs[*].schema", Match: onlyBytes},
		{Path: "inputs[*].schema", Match: plainSchema, Runs: python},
		{Path: "inputs[*].schema", Match: plainSchema, Kinds: connectorKinds(), Refusal: decode, Hint: format},
		{Path: "inputs[*].schema", Match: plainSchema, Refusal: decode, Hint: "Leave it out, and decode in the function."},
		{Path: "inputs[*].schema", Refusal: registry, Hint: labels},
		{Path: "inputs[*].serde_class", Refusal: noSerde, Hint: serdeHint},
		{Path: "inputs[*].receiver_queue_size", Match: `^0$`, Refusal: "Our runner fetches at least one message at a time.", Hint: "Use 1 or more."},
		{Path: "output.topic", Match: notPersistent, Refusal: kept, Hint: keptHint},
		{Path: "output.topic", Match: onePartition, Refusal: whole, Hint: wholeHint},
		{Path: "output.schema", Match: onlyBytes},
		{Path: "output.schema", Match: plainSchema, Runs: python},
		{Path: "output.schema", Match: plainSchema, Kinds: connectorKinds(), Refusal: decode, Hint: format},
		{Path: "output.schema", Match: plainSchema, Refusal: decode, Hint: "Leave it out, and encode in the function."},
		{Path: "output.schema", Refusal: registry, Hint: labels},
		{Path: "output.serde_class", Refusal: noSerde, Hint: serdeHint},
	})
	return slices.Concat(rows, runnerExtras(), honoured(PlatformRunner,
		"inputs[*]", "inputs[*].connection", "inputs[*].regex", "inputs[*].receiver_queue_size", "topics_pattern",
		"output.topic", "output.connection", "output.producer.compression", "output.producer.max_pending_messages", "output.producer.batching.**",
		"subscription.name", "subscription.position", "subscription.type"))
}

func runnerExtras() []Setting {
	const bounded = "Our runner bounds what is pending by bytes, over all partitions."
	return onPlatform(PlatformRunner, []Setting{
		{Path: "inputs[*].extra[*]", Match: `^(cryptoConfig|consumerProperties)$`},
		{Path: "inputs[*].extra[*]", Match: `^schemaProperties$`, Refusal: "Our runner does not speak to the schema registry.", Hint: "Leave it out."},
		{Path: "inputs[*].extra[*]", Match: `^poolMessages$`, Refusal: "It is about memory of the Java client.", Hint: "Leave it out: our runner always reuses its buffers."},
		{Path: "inputs[*].extra[*]", Match: `^messagePayloadProcessorConfig$`, Refusal: "Our runner loads no Java classes.", Hint: "Decode in the function."},
		{Path: "inputs[*].extra[*]", Refusal: noSuchSetting, Hint: "Check its name, or leave it out."},
		{Path: "output.producer.extra[*]", Match: `^cryptoConfig$`},
		{Path: "output.producer.extra[*]", Match: `^maxPendingMessagesAcrossPartitions$`, Refusal: bounded, Hint: "Use max_pending_messages, or leave it out."},
		{Path: "output.producer.extra[*]", Match: `^useThreadLocalProducers$`, Refusal: "It is about threads of the Java client.", Hint: "Leave it out: every lane has a producer of its own."},
		{
			Path: "output.producer.extra[*]", Match: `^roundRobinRouterBatchingPartitionSwitchFrequency$`,
			Refusal: "Our runner goes to the next partition with every batch.", Hint: "Leave it out.",
		},
		{Path: "output.producer.extra[*]", Refusal: noSuchSetting, Hint: "Check its name, or leave it out."},
		{Path: "extra[*]", Match: `^windowConfig$`, Refusal: "Our runner has no windows.", Hint: "Leave local out of the provider: Pulsar's workers run windows of Java functions."},
		{Path: "extra[*]", Match: `^runtimeFlags$`, Refusal: "Our runner passes no flags to a runtime.", Hint: "Leave it out; user_config and secrets reach the code."},
		{Path: "extra[*]", Match: `^customRuntimeOptions$`, Refusal: "They are for a runtime of Pulsar's workers.", Hint: "Leave it out."},
		{Path: "extra[*]", Match: `^exposePulsarAdminClientEnabled$`, Refusal: "Our runner hands out no admin client.", Hint: "Leave it out."},
		{Path: "extra[*]", Match: `^maxPendingAsyncRequests$`, Refusal: "User code is called with batches, one at a time, and answers with results.", Hint: "Leave it out; parallelism runs more at once."},
		{Path: "extra[*]", Refusal: noSuchSetting, Hint: "Check its name, or leave it out."},
	})
}

const noSuchSetting = "Our runner has no such setting."

func runnerDelivery() []Setting {
	const connectorOnly = "A connector has no user code that could acknowledge messages or write a log."
	rows := onPlatform(PlatformRunner, []Setting{
		{
			Path: "processing_guarantees", Kinds: []Kind{KindSource}, Match: `^effectively_once$`,
			Refusal: "What a connector reads has no positions to recognise a repeat by.", Hint: `Use "atleast_once".`,
		},
		{
			Path: "processing_guarantees", Kinds: []Kind{KindSink}, Match: `^effectively_once$`,
			Refusal: "What a connector writes to cannot recognise a repeat.", Hint: `Use "atleast_once".`,
		},
		{Path: "processing_guarantees", Kinds: connectorKinds(), Match: `^manual$`, Refusal: connectorOnly, Hint: `Use "atleast_once" or "atmost_once".`},
		{Path: "auto_ack", Kinds: connectorKinds(), Match: isFalse, Refusal: connectorOnly, Hint: "Leave it out."},
		{Path: "log_topic", Kinds: connectorKinds(), Refusal: connectorOnly, Hint: "Leave it out; `functionmesh local logs` shows what the runner says."},
		{Path: "log_topic", Match: notPersistent, Refusal: "The log is kept: its topic is persistent.", Hint: "Use a persistent:// topic."},
		{Path: "log_topic", Match: onePartition, Refusal: "The log goes to a topic, not to one partition.", Hint: "Name the topic without -partition-N."},
		{Path: "forward_source_message_property", Kinds: []Kind{KindFunction}},
		{Path: "dead_letter_topic", Match: notPersistent, Refusal: "Dead letters are kept: their topic is persistent.", Hint: "Use a persistent:// topic."},
		{Path: "dead_letter_topic", Match: onePartition, Refusal: "Dead letters go to a topic, not to one partition.", Hint: "Name the topic without -partition-N."},
		{Path: "timeout_ms", Kinds: []Kind{KindFunction}},
		{Path: "timeout_ms", Refusal: "It limits a call of user code, and a connector makes none.", Hint: "Leave it out."},
	})
	return append(rows, honoured(PlatformRunner, "processing_guarantees", "retain_ordering", "retain_key_ordering", "forward_source_message_property",
		"cleanup_subscription", "max_message_retries", "dead_letter_topic", "log_topic",
		"skip_to_latest", "auto_ack", "negative_ack_redelivery_delay_ms", "data_path")...)
}

func runnerRunning() []Setting {
	rows := processes(PlatformRunner, "Our runner")
	return append(rows, honoured(PlatformRunner, "state")...)
}
