package spec

// Component is a function, a source or a sink: one thing with three faces. A
// function has a Runtime and both ends; a source has a connector and an Output; a
// sink has Inputs and a connector. A nil pointer, an empty string or a nil map
// means "not set"; Default fills in what the documentation promises.
type Component struct {
	// Kind is the face. It is not a setting: the place where a component is
	// written decides it (functions, sources, sinks), so JSON leaves it out and
	// whoever decodes sets it.
	Kind Kind `json:"-"`

	Tenant    string `json:"tenant,omitempty"`
	Namespace string `json:"namespace,omitempty"`
	Name      string `json:"name,omitempty"`

	Runtime    *Runtime `json:"runtime,omitempty"`     // user code; functions only, so far
	Builtin    string   `json:"builtin,omitempty"`     // connectors: a name of Connectors()
	Config     JSON     `json:"config,omitempty"`      // connectors: the connector's own settings, an object
	UserConfig JSON     `json:"user_config,omitempty"` // functions: what the code reads from its context, an object

	Inputs        map[string]Input `json:"inputs,omitempty"` // keyed by topic
	TopicsPattern string           `json:"topics_pattern,omitempty"`
	Output        *Output          `json:"output,omitempty"`
	Subscription  *Subscription    `json:"subscription,omitempty"`

	ProcessingGuarantees         Guarantee `json:"processing_guarantees,omitempty"`
	RetainOrdering               *bool     `json:"retain_ordering,omitempty"`
	RetainKeyOrdering            *bool     `json:"retain_key_ordering,omitempty"`
	ForwardSourceMessageProperty *bool     `json:"forward_source_message_property,omitempty"`
	CleanupSubscription          *bool     `json:"cleanup_subscription,omitempty"`
	MaxMessageRetries            *int      `json:"max_message_retries,omitempty"`
	DeadLetterTopic              string    `json:"dead_letter_topic,omitempty"`
	TimeoutMs                    *int64    `json:"timeout_ms,omitempty"` // limit of one call of user code
	LogTopic                     string    `json:"log_topic,omitempty"`

	SkipToLatest *bool `json:"skip_to_latest,omitempty"` // at every start, what waits is passed over
	AutoAck      *bool `json:"auto_ack,omitempty"`       // Pulsar's older word for manual: false goes with Manual only
	// NegativeAckRedeliveryDelayMs is the pause before a message whose processing failed
	// comes again, instead of one that grows.
	NegativeAckRedeliveryDelayMs *int64 `json:"negative_ack_redelivery_delay_ms,omitempty"`
	DataPath                     string `json:"data_path,omitempty"` // EntryPath, CompatiblePath; unset: chosen by DataPath

	Parallelism *int                 `json:"parallelism,omitempty"`
	State       State                `json:"state,omitempty"`
	Secrets     map[string]SecretRef `json:"secrets,omitempty"`
	Resources   *Resources           `json:"resources,omitempty"`

	// Extra keeps settings of Pulsar's REST models that have no word here
	// (windowConfig, customSerdeInputs, …) verbatim under their Pulsar name, so
	// that reading and writing back loses nothing. A platform that cannot honour
	// one refuses it by path.
	Extra map[string]JSON `json:"extra,omitempty"`
}

// Runtime is a one-of: how user code is run. Exactly one field is set.
type Runtime struct {
	Go     *Code `json:"go,omitempty"`     // a binary built with runner/sdk/go
	WASM   *Code `json:"wasm,omitempty"`   // a core module with the documented batch ABI
	Python *Code `json:"python,omitempty"` // a .py file, .zip or .whl
	Java   *Code `json:"java,omitempty"`   // a .jar; Pulsar's own instance runs it
}

// Code says where user code comes from: File (a path on the caller's machine,
// uploaded) or URL (function://tenant/ns/name@version, https://…). SHA256 is the hex
// digest of the content: planned from File, compared with the digest stored beside
// the object. File itself is never compared. A digest alone is code that was uploaded
// before: what a platform reads back, and what an update that keeps the code says.
type Code struct {
	File   string `json:"file,omitempty"`
	URL    string `json:"url,omitempty"`
	SHA256 string `json:"sha256,omitempty"`
	Class  string `json:"class,omitempty"` // python: module.Class, module.function, or a module with process; java: fully qualified
}

// Input is how one topic is consumed.
type Input struct {
	Connection        string `json:"connection,omitempty"` // the cluster that holds the topic; unset: the platform's own
	Schema            string `json:"schema,omitempty"`
	SerdeClass        string `json:"serde_class,omitempty"`
	Regex             *bool  `json:"regex,omitempty"`
	ReceiverQueueSize *int   `json:"receiver_queue_size,omitempty"`

	Extra map[string]JSON `json:"extra,omitempty"` // as Component.Extra, of Pulsar's ConsumerConfig
}

// Output is where results are published.
type Output struct {
	Connection string    `json:"connection,omitempty"` // as Input.Connection
	Topic      string    `json:"topic,omitempty"`
	Schema     string    `json:"schema,omitempty"`
	SerdeClass string    `json:"serde_class,omitempty"`
	Producer   *Producer `json:"producer,omitempty"`
}

// Producer tunes the producer of an output.
type Producer struct {
	Compression        string    `json:"compression,omitempty"` // none, lz4, zlib, zstd, snappy
	MaxPendingMessages *int      `json:"max_pending_messages,omitempty"`
	Batching           *Batching `json:"batching,omitempty"`

	Extra map[string]JSON `json:"extra,omitempty"` // as Component.Extra, of Pulsar's ProducerConfig
}

// Batching says how a producer puts messages together.
type Batching struct {
	Enabled           *bool  `json:"enabled,omitempty"`
	MaxPublishDelayMs *int64 `json:"max_publish_delay_ms,omitempty"`
	MaxMessages       *int   `json:"max_messages,omitempty"`
	MaxBytes          *int   `json:"max_bytes,omitempty"`
	Builder           string `json:"builder,omitempty"` // default, key_based
}

// Subscription names and places the cursor of a component's inputs.
type Subscription struct {
	Name     string   `json:"name,omitempty"`     // default: tenant/namespace/name
	Position Position `json:"position,omitempty"` // where a new one starts; default latest
	// Type is how instances share it: shared, failover, key_shared, exclusive. Unset
	// follows from retain_ordering (failover) and retain_key_ordering (key_shared).
	Type SubscriptionType `json:"type,omitempty"`
}

// Resources asks for compute; quantities as Kubernetes writes them (500m, 256Mi).
type Resources struct {
	CPU    Quantity `json:"cpu,omitempty"`
	Memory Quantity `json:"memory,omitempty"`
	Disk   Quantity `json:"disk,omitempty"`
}

// SecretRef points at one value: key Key of the secret Name.
type SecretRef struct {
	Name string `json:"name,omitempty"`
	Key  string `json:"key,omitempty"`
}

// Chosen returns the chosen runtime's word and its code, or "" and nil when none or
// more than one is set.
func (r *Runtime) Chosen() (string, *Code) {
	if r == nil {
		return "", nil
	}
	name, code, n := "", (*Code)(nil), 0
	for _, c := range r.codes() {
		if c.code != nil {
			name, code, n = c.name, c.code, n+1
		}
	}
	if n != 1 {
		return "", nil
	}
	return name, code
}

// namedCode is the code of one runtime, set or not.
type namedCode struct {
	name string
	code *Code
}

// codes lists the runtimes in their documented order.
func (r *Runtime) codes() []namedCode {
	return []namedCode{{"go", r.Go}, {"wasm", r.WASM}, {"python", r.Python}, {"java", r.Java}}
}
