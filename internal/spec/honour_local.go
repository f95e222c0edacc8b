package spec

import "slices"

// Expressions of Setting.Match.
const (
	notPersistent = `^non-persistent://`
	onePartition  = `-partition-(0|[1-9][0-9]*)$`
	isFalse       = `^false$`
	isTrueText    = `^true$`
	plainSchema   = `^(bytes|string|json)$`
	onlyBytes     = `^bytes$`
)

func localCode() []Setting {
	return slices.Concat(
		honoured(PlatformLocal, "tenant", "namespace", "name"),
		onPlatform(PlatformLocal, []Setting{
			{Path: "builtin", Match: `^(file|generator)$`},
			{Path: "config"},
			{Path: "user_config"},
			{Path: "runtime.java.**", Refusal: "The local platform runs no Java.", Hint: "Use go, wasm or python, or run the function on pulsar."},
			{Path: "runtime.go.url", Match: `^builtin:`, Refusal: builtinCode, Hint: builtinHint},
			{Path: "runtime.wasm.url", Match: `^builtin:`, Refusal: builtinCode, Hint: builtinHint},
			{Path: "runtime.python.url", Match: `^builtin:`, Refusal: builtinCode, Hint: builtinHint},
		}),
		honoured(PlatformLocal, "runtime.go.**", "runtime.wasm.**", "runtime.python.**"),
	)
}

// onlyRunner refuses what says how our runner talks to a Pulsar.
const onlyRunner = "It chooses how our runner talks to a Pulsar, which is not what runs here."

const (
	builtinCode = "Our runner has no built-in functions."
	builtinHint = "Set file, or use a function:// or https:// URL."
)

func localStreams() []Setting {
	const (
		kept      = "The local platform keeps every message: its topics are persistent."
		whole     = "The local platform reads and writes whole topics, not one partition."
		noSerde   = "No runtime of the local platform loads SerDe classes."
		serdeHint = "Decode and encode in the function."
		noSchema  = "The local platform has no schema registry."
		noDecode  = "Only Python functions decode and encode by schema on the local platform."

		labels     = "Use bytes, or string or json for a Python function."
		ownStreams = "The streams of the local platform are its own."
		ownHint    = "Leave it out, or configure pulsar beside local in the provider: connections lead to clusters of Pulsar."

		formatHint = "Leave it out; config.format says what a connector reads or writes, where it has a choice."
	)
	return onPlatform(PlatformLocal, []Setting{
		{Path: "inputs[*]", Match: notPersistent, Refusal: kept, Hint: "Use a persistent:// topic."},
		{Path: "inputs[*]", Match: onePartition, Refusal: whole, Hint: "Name the topic without -partition-N."},
		{Path: "inputs[*]"},
		{Path: "inputs[*].schema", Match: onlyBytes},
		{Path: "inputs[*].schema", Match: plainSchema, Runs: []string{"python"}},
		{Path: "inputs[*].schema", Match: plainSchema, Kinds: connectorKinds(), Refusal: noDecode, Hint: formatHint},
		{Path: "inputs[*].schema", Match: plainSchema, Refusal: noDecode, Hint: "Leave it out, and decode in the function."},
		{Path: "inputs[*].schema", Refusal: noSchema, Hint: labels},
		{Path: "inputs[*].serde_class", Refusal: noSerde, Hint: serdeHint},
		{Path: "inputs[*].regex", Match: isFalse},
		{Path: "inputs[*].regex", Refusal: "The local platform subscribes to topics by name only.", Hint: "List the topics in inputs."},
		{Path: "inputs[*].receiver_queue_size", Match: `^0$`, Refusal: "The local platform fetches at least one message at a time.", Hint: "Use 1 or more."},
		{Path: "inputs[*].receiver_queue_size"},
		{Path: "topics_pattern", Refusal: "The local platform subscribes to topics by name only.", Hint: "List the topics in inputs."},
		{Path: "output.topic", Match: notPersistent, Refusal: kept, Hint: "Use a persistent:// topic."},
		{Path: "output.topic", Match: onePartition, Refusal: whole, Hint: "Name the topic without -partition-N."},
		{Path: "output.topic"},
		{Path: "output.schema", Match: onlyBytes},
		{Path: "output.schema", Match: plainSchema, Runs: []string{"python"}},
		{Path: "output.schema", Match: plainSchema, Kinds: connectorKinds(), Refusal: noDecode, Hint: formatHint},
		{Path: "output.schema", Match: plainSchema, Refusal: noDecode, Hint: "Leave it out, and encode in the function."},
		{Path: "output.schema", Refusal: noSchema, Hint: labels},
		{Path: "output.serde_class", Refusal: noSerde, Hint: serdeHint},
		{Path: "output.producer.compression", Match: `^none$`},
		{Path: "output.producer.compression", Refusal: "The local platform does not compress messages.", Hint: `Leave it out, or use "none".`},
		{Path: "output.producer.max_pending_messages", Refusal: "The local platform bounds what is pending by bytes on its own.", Hint: "Leave it out."},
		{Path: "output.producer.batching.**", Refusal: "The local platform stores messages one by one.", Hint: "Leave it out."},
		{Path: "inputs[*].connection", Refusal: ownStreams, Hint: ownHint},
		{Path: "output.connection", Refusal: ownStreams, Hint: ownHint},
		{Path: "subscription.name"},
		{Path: "subscription.position"},
		{Path: "subscription.type", Match: `^(shared|failover)$`},
		{
			Path: "subscription.type", Refusal: "The local platform knows shared and failover subscriptions.",
			Hint: `Use "shared", or "failover" for order per partition.`,
		},
	})
}

func localDelivery() []Setting {
	return onPlatform(PlatformLocal, []Setting{
		{Path: "processing_guarantees", Match: `^(atleast_once|atmost_once)$`},
		{Path: "processing_guarantees", Kinds: []Kind{KindFunction}, Match: `^manual$`},
		{
			Path: "processing_guarantees", Match: `^manual$`, Refusal: "A connector has no user code that could acknowledge messages.",
			Hint: `Use "atleast_once" or "atmost_once".`,
		},
		{
			Path: "processing_guarantees", Refusal: "The local platform does not recognise what it has stored before.",
			Hint: `Use "atleast_once" or "atmost_once", or configure pulsar beside local in the provider.`,
		},
		{Path: "retain_ordering"},
		{Path: "retain_key_ordering", Match: isFalse},
		{
			Path: "retain_key_ordering", Refusal: "The local platform keeps order per partition, not per key.",
			Hint: "Use retain_ordering: messages of one key share a partition.",
		},
		{Path: "forward_source_message_property", Kinds: []Kind{KindFunction}},
		{Path: "cleanup_subscription"},
		{Path: "max_message_retries"},
		{Path: "dead_letter_topic", Match: notPersistent, Refusal: "Dead letters are kept: their topic is persistent.", Hint: "Use a persistent:// topic."},
		{Path: "dead_letter_topic", Match: onePartition, Refusal: "Dead letters go to a topic, not to one partition.", Hint: "Name the topic without -partition-N."},
		{Path: "dead_letter_topic"},
		{Path: "timeout_ms", Kinds: []Kind{KindFunction}},
		{Path: "timeout_ms", Refusal: "It limits a call of user code, and a connector makes none.", Hint: "Leave it out."},
		{Path: "skip_to_latest", Match: isFalse},
		{Path: "skip_to_latest", Refusal: "The local platform goes on where it left off.", Hint: `Leave it out; subscription.position = "latest" says where a new subscription starts.`},
		{Path: "auto_ack", Match: isTrueText},
		{Path: "auto_ack", Kinds: []Kind{KindFunction}},
		{Path: "auto_ack", Refusal: "A connector has no user code that could acknowledge messages.", Hint: "Leave it out."},
		{Path: "negative_ack_redelivery_delay_ms", Refusal: "The pause before another attempt grows on the local platform.", Hint: "Leave it out."},
		{Path: "data_path", Refusal: onlyRunner, Hint: "Leave it out."},
		{Path: "log_topic", Kinds: connectorKinds(), Refusal: "A connector has no user code that could write a log.", Hint: "Leave it out; `functionmesh local logs` shows what the runner says."},
		{Path: "log_topic", Match: notPersistent, Refusal: "The log is kept: its topic is persistent.", Hint: "Use a persistent:// topic."},
		{Path: "log_topic", Match: onePartition, Refusal: "The log goes to a topic, not to one partition.", Hint: "Name the topic without -partition-N."},
		{Path: "log_topic"},
	})
}

func localRunning() []Setting {
	return append(processes(PlatformLocal, "The local platform"), onPlatform(PlatformLocal, []Setting{
		{Path: "state"},
		{Path: "extra[*]", Refusal: "The local platform has no such setting.", Hint: "Leave it out."},
		{Path: "inputs[*].extra[*]", Refusal: "The local platform has no such setting.", Hint: "Leave it out."},
		{Path: "output.producer.extra[*]", Refusal: "The local platform has no such setting.", Hint: "Leave it out."},
	})...)
}

// processes are the rows of a platform, called who in a sentence, that runs instances as
// processes of this machine.
func processes(platform Platform, who string) []Setting {
	unbounded := who + " cannot limit what a process uses."
	return onPlatform(platform, []Setting{
		{
			Path: "parallelism", Kinds: []Kind{KindSource}, Runs: []string{"file"}, Match: `^([2-9]|[0-9]{2,})$`,
			Refusal: "One instance reads a file; the others would have nothing to do.", Hint: "Leave it out.",
		},
		{
			Path: "parallelism", Match: `^(6[5-9]|[7-9][0-9]|[1-9][0-9]{2,})$`,
			Refusal: who + " runs at most 64 instances of a component: each is a process of this machine.",
			Hint:    "Use 64 or fewer, or run it on pulsar.",
		},
		{Path: "parallelism"},
		{Path: "secrets.**", Kinds: []Kind{KindFunction}},
		{Path: "secrets[*]", Refusal: "The built-in connectors ask for no secrets.", Hint: "Leave it out."},
		{Path: "secrets[*].name", Kinds: connectorKinds()},
		{Path: "secrets[*].key", Kinds: connectorKinds()},
		{Path: "resources.memory", Runs: []string{"wasm"}},
		{Path: "resources.memory", Runs: []string{"go", "python"}, Systems: []string{"linux"}},
		{
			Path: "resources.memory", Runs: []string{"go", "python"}, Refusal: who + " can limit the memory of a process on Linux only.",
			Hint: "Leave it out, run it on Linux, or use wasm, whose memory is limited everywhere.",
		},
		{Path: "resources.memory", Refusal: "A connector is part of our runner: it has no process of its own to limit.", Hint: "Leave it out."},
		{Path: "resources.cpu", Refusal: unbounded, Hint: "Leave it out; parallelism bounds how many run."},
		{Path: "resources.disk", Refusal: who + " cannot limit disk space.", Hint: "Leave it out."},
	})
}

func connectorKinds() []Kind { return []Kind{KindSource, KindSink} }
