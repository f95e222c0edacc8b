package spec

import "slices"

func pulsarCode() []Setting {
	return slices.Concat(
		honoured(PlatformPulsar, "tenant", "namespace", "name"),
		onPlatform(PlatformPulsar, []Setting{
			{
				Path: "runtime.wasm.**", Refusal: "Pulsar's function workers run no WASM.",
				Hint: "Use go, python or java, or run the function on local.",
			},
			{
				Path: "builtin", Refusal: "Pulsar's function workers do not have this connector.",
				Hint: "Run the connector on local.",
			},
			{Path: "config", Kinds: connectorKinds()},
			{Path: "user_config", Kinds: []Kind{KindFunction}},
		}),
		honoured(PlatformPulsar, "runtime.go.**", "runtime.python.**", "runtime.java.**"),
	)
}

func pulsarStreams() []Setting {
	const (
		oneTopic = "Pulsar's Go runtime subscribes to topics by name only."
		bytes    = "Pulsar's Go runtime handles bytes only."
		list     = "List the topics in inputs."
		other    = "Use python or java."
	)
	goOnly := []string{"go"}
	rows := onPlatform(PlatformPulsar, []Setting{
		{Path: "inputs[*].regex", Match: isFalse},
		{Path: "inputs[*].regex", Runs: goOnly, Refusal: oneTopic, Hint: list},
		{Path: "topics_pattern", Runs: goOnly, Refusal: oneTopic, Hint: list},
		{Path: "inputs[*].schema", Runs: goOnly, Match: `^bytes$`},
		{Path: "inputs[*].schema", Runs: goOnly, Refusal: bytes, Hint: other},
		{Path: "inputs[*].serde_class", Runs: goOnly, Refusal: bytes, Hint: other},
		{Path: "output.schema", Runs: goOnly, Match: `^bytes$`},
		{Path: "output.schema", Runs: goOnly, Refusal: bytes, Hint: other},
		{Path: "output.serde_class", Runs: goOnly, Refusal: bytes, Hint: other},
	})
	const ownCluster = "Pulsar's function workers reach the cluster that they belong to."
	const ownHint = "Leave it out, or run the component on this machine: write local = {} beside pulsar in the provider."
	rows = append(rows, onPlatform(PlatformPulsar, []Setting{
		{Path: "inputs[*].connection", Refusal: ownCluster, Hint: ownHint},
		{Path: "output.connection", Refusal: ownCluster, Hint: ownHint},
		{
			Path: "subscription.type", Match: `^exclusive$`,
			Refusal: "Pulsar's function workers know no exclusive subscription.", Hint: `Use "failover".`,
		},
		{
			Path: "subscription.type", Refusal: "Pulsar's function workers derive it from the order that is asked for.",
			Hint: "Leave it out, and set retain_ordering for failover or retain_key_ordering for key_shared.",
		},
	})...)
	return append(rows, honoured(PlatformPulsar,
		"output.producer.batching.enabled", "output.producer.batching.max_publish_delay_ms", "output.producer.batching.max_messages",
		"output.producer.batching.max_bytes", "output.producer.batching.builder",
		"inputs[*]", "inputs[*].schema", "inputs[*].serde_class", "inputs[*].regex", "inputs[*].receiver_queue_size",
		"topics_pattern",
		"output.topic", "output.schema", "output.serde_class",
		"output.producer.compression", "output.producer.max_pending_messages",
		"subscription.name", "subscription.position")...)
}

// pulsarExtras are settings that one language's instance knows and another's drops.
func pulsarExtras() []Setting {
	const goIgnores, pythonIgnores = "Pulsar's Go runtime ignores it.", "Pulsar's Python runtime ignores it."
	const java, other = "Use java.", "Use python or java."
	goOnly, python := []string{"go"}, []string{"python"}
	return append(onPlatform(PlatformPulsar, []Setting{
		{Path: "inputs[*].extra[*]", Runs: goOnly, Match: `^(cryptoConfig|schemaProperties)$`, Refusal: goIgnores, Hint: other},
		{Path: "inputs[*].extra[*]", Runs: goOnly, Match: `^(consumerProperties|poolMessages|messagePayloadProcessorConfig)$`, Refusal: goIgnores, Hint: java},
		{Path: "inputs[*].extra[*]", Runs: python, Match: `^(consumerProperties|poolMessages|messagePayloadProcessorConfig)$`, Refusal: pythonIgnores, Hint: java},
		{Path: "output.producer.extra[*]", Runs: goOnly, Match: `^cryptoConfig$`, Refusal: goIgnores, Hint: other},
		{Path: "extra[*]", Runs: goOnly, Match: `^(windowConfig|exposePulsarAdminClientEnabled|maxPendingAsyncRequests)$`, Refusal: goIgnores, Hint: java},
		{Path: "extra[*]", Runs: python, Match: `^(windowConfig|exposePulsarAdminClientEnabled|maxPendingAsyncRequests)$`, Refusal: pythonIgnores, Hint: java},
	}), honoured(PlatformPulsar, "inputs[*].extra[*]", "output.producer.extra[*]", "extra[*]")...)
}

func pulsarDelivery() []Setting {
	goOnly, scripted := []string{"go"}, []string{"go", "python"}
	const noRetries = "Pulsar's workers retry and dead-letter for Java functions and sinks only."
	rows := onPlatform(PlatformPulsar, []Setting{
		{
			Path: "processing_guarantees", Runs: goOnly, Match: `^effectively_once$`,
			Refusal: "Pulsar's Go runtime does not offer effectively_once.", Hint: `Use "atleast_once", or java.`,
		},
		{
			Path: "processing_guarantees", Runs: []string{"python"}, Match: `^effectively_once$`,
			Refusal: "Pulsar's workers refuse effectively_once for Python.", Hint: `Use "atleast_once", or java.`,
		},
		{Path: "retain_ordering", Match: isFalse},
		{Path: "retain_ordering", Runs: goOnly, Refusal: "Pulsar's Go runtime ignores it.", Hint: "Use python or java."},
		{Path: "retain_key_ordering", Match: isFalse},
		{Path: "retain_key_ordering", Runs: goOnly, Refusal: "Pulsar's Go runtime ignores it.", Hint: "Use python or java."},
		{Path: "forward_source_message_property", Match: isFalse},
		{Path: "forward_source_message_property", Runs: goOnly, Refusal: "Pulsar's Go runtime does not forward properties.", Hint: "Leave it out, or use python or java."},
		{Path: "max_message_retries", Runs: scripted, Refusal: noRetries, Hint: "Leave it out, or use java."},
		{Path: "dead_letter_topic", Runs: scripted, Refusal: noRetries, Hint: "Leave it out, or use java."},
	})
	rows = append(rows, onPlatform(PlatformPulsar, []Setting{
		{Path: "skip_to_latest", Kinds: []Kind{KindFunction}},
		{Path: "skip_to_latest", Refusal: "Pulsar's function workers know it for functions only.", Hint: "Leave it out."},
		{Path: "negative_ack_redelivery_delay_ms", Kinds: []Kind{KindSink}},
		{
			Path: "negative_ack_redelivery_delay_ms", Refusal: "Pulsar's function workers know it for sinks only.",
			Hint: "Leave it out; they take timeout_ms for the pause as well.",
		},
		{Path: "data_path", Refusal: onlyRunner, Hint: "Leave it out."},
	})...)
	return append(rows, honoured(PlatformPulsar, "auto_ack", "processing_guarantees", "retain_ordering", "retain_key_ordering",
		"forward_source_message_property", "cleanup_subscription", "max_message_retries", "dead_letter_topic",
		"timeout_ms", "log_topic")...)
}

func pulsarRunning() []Setting {
	rows := onPlatform(PlatformPulsar, []Setting{
		{Path: "secrets[*]", Runs: []string{"go"}, Refusal: "Pulsar's Go runtime hands out no secrets.", Hint: "Use python or java."},
	})
	return append(rows, honoured(PlatformPulsar, "parallelism", "state", "secrets.**",
		"resources.cpu", "resources.memory", "resources.disk")...)
}
