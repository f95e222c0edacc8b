package wire

// Version is the format this build writes. It reads Version and Version-1.
const Version = 3

// File tells one instance everything it needs: who it is, where messages come from,
// what is done to them and where results go. JSON names are snake_case; durations
// are milliseconds, sizes bytes.
type File struct {
	Version   int               `json:"version"`
	Component Component         `json:"component"`
	Instance  Instance          `json:"instance"`
	Brokers   map[string]Broker `json:"brokers"` // by connection name; "" is the platform's own
	Source    Source            `json:"source"`
	Function  *Function         `json:"function,omitempty"` // nil: messages pass unchanged
	Sink      Sink              `json:"sink"`
	Delivery  Delivery          `json:"delivery"`
	Limits    Limits            `json:"limits"`
	Secrets   map[string]string `json:"secrets,omitempty"`   // name the code asks for -> value
	LogTopic  *Output           `json:"log_topic,omitempty"` // where the log of user code is published as well
	Path      Path              `json:"path,omitempty"`      // of a Pulsar; "": entry
	PathNote  string            `json:"path_note,omitempty"` // why that path, for the status
	Probe     string            `json:"probe,omitempty"`     // unix:/path or tcp host:port for health and metrics; "" none
	Control   string            `json:"control,omitempty"`   // unix:/path or host:port of the InstanceControl service; "" none
	WorkDir   string            `json:"work_dir"`            // scratch, private to the instance; relative connector paths do NOT resolve here
	BaseDir   string            `json:"base_dir,omitempty"`  // what relative paths of connectors resolve against
	CacheDir  string            `json:"cache_dir,omitempty"` // where instances of the same code share what it is compiled to; "" is a folder of WorkDir
}

// Path is which of two implementations moves messages to and from a Pulsar.
type Path string

// EntryPath moves whole broker entries; CompatiblePath is Pulsar's own Go client.
const (
	EntryPath      Path = "entry"
	CompatiblePath Path = "compatible"
)

// Component names what the instance is a copy of.
type Component struct {
	Kind      string `json:"kind"` // function, source, sink
	Tenant    string `json:"tenant"`
	Namespace string `json:"namespace"`
	Name      string `json:"name"`
	Mesh      string `json:"mesh,omitempty"`
}

// Instance is which copy this is.
type Instance struct {
	ID          int    `json:"id"`          // 0 <= ID < Parallelism
	Parallelism int    `json:"parallelism"` // how many copies run
	Platform    string `json:"platform"`    // platform id: the cluster label of metrics
}

// Broker is how to reach a messaging system. Files are absolute paths and are read
// anew for every connection, because they are rotated under running instances.
type Broker struct {
	Kind     string `json:"kind"` // nats, pulsar
	URL      string `json:"url"`  // nats://…; pulsar://host:port,host:port or pulsar+ssl://…
	User     string `json:"user,omitempty"`
	Password string `json:"password,omitempty"`
	CAFile   string `json:"ca_file,omitempty"` // "": the system's authorities

	AdminURL     string  `json:"admin_url,omitempty"` // of Pulsar's REST API; "": policies are not looked at
	Token        string  `json:"token,omitempty"`     // at most one of Token, TokenFile and OAuth2
	TokenFile    string  `json:"token_file,omitempty"`
	CertFile     string  `json:"cert_file,omitempty"` // with KeyFile: the client's certificate
	KeyFile      string  `json:"key_file,omitempty"`
	Insecure     bool    `json:"insecure,omitempty"`      // any server certificate is taken
	AnyHostname  bool    `json:"any_hostname,omitempty"`  // the certificate may be another host's
	ListenerName string  `json:"listener_name,omitempty"` // which of the brokers' advertised addresses
	OAuth2       *OAuth2 `json:"oauth2,omitempty"`        // compatible path only
}

// OAuth2 is the client-credentials flow.
type OAuth2 struct {
	IssuerURL string `json:"issuer_url"`
	Audience  string `json:"audience,omitempty"`
	Scope     string `json:"scope,omitempty"`
	KeyFile   string `json:"key_file"` // JSON with client_id and client_secret
}

// Source is a connector or subscribed topics, never both.
type Source struct {
	Connector    *Connector   `json:"connector,omitempty"`
	Inputs       []Input      `json:"inputs,omitempty"`
	Subscription Subscription `json:"subscription"`
}

// Input is one subscribed topic.
type Input struct {
	Broker     string `json:"broker,omitempty"`
	Topic      string `json:"topic"`      // full name
	Partitions int    `json:"partitions"` // 0: unpartitioned, one lane
	Schema     string `json:"schema,omitempty"`
	QueueSize  int    `json:"queue_size,omitempty"` // messages fetched at a time; 0: Limits.BatchMessages

	Pattern    bool              `json:"pattern,omitempty"`    // Topic is a regular expression on full names; compatible path only
	Properties map[string]string `json:"properties,omitempty"` // of the consumer, shown by the broker's statistics
	Compacted  bool              `json:"compacted,omitempty"`  // only the newest message of each key
	Crypto     *Crypto           `json:"crypto,omitempty"`     // compatible path only
}

// Crypto is end-to-end encryption with keys from files.
type Crypto struct {
	PublicKeyFile  string   `json:"public_key_file,omitempty"`
	PrivateKeyFile string   `json:"private_key_file,omitempty"`
	Keys           []string `json:"keys,omitempty"`    // names to encrypt with
	Failure        string   `json:"failure,omitempty"` // fail, discard, consume, send
}

// Mode is how a subscription is shared among instances.
type Mode string

// Shared spreads messages over all instances without order. Failover gives each
// partition to one instance, in order. KeyShared spreads keys over all instances, each
// in order. Exclusive refuses a second instance.
const (
	Shared    Mode = "shared"
	Failover  Mode = "failover"
	KeyShared Mode = "key_shared"
	Exclusive Mode = "exclusive"
)

// Subscription is the cursor of all inputs.
type Subscription struct {
	Name     string `json:"name,omitempty"`
	Mode     Mode   `json:"mode,omitempty"`
	Position string `json:"position,omitempty"` // latest, earliest; only where the platform has not placed the cursor yet

	SkipToLatest bool  `json:"skip_to_latest,omitempty"` // at every start, what waits is passed over
	NackDelayMs  int64 `json:"nack_delay_ms,omitempty"`  // instead of the growing delay of Delivery before a redelivery; 0: that
}

// Function is user code.
type Function struct {
	Runtime    string `json:"runtime"` // wasm, python, go
	File       string `json:"file"`    // absolute path of the code
	SHA256     string `json:"sha256"`  // hex digest; a mismatch is refused
	Class      string `json:"class,omitempty"`
	UserConfig string `json:"user_config,omitempty"` // a JSON object
}

// Sink is a connector, a topic, or nothing.
type Sink struct {
	Connector *Connector `json:"connector,omitempty"`
	Output    *Output    `json:"output,omitempty"`
}

// Output is one topic to publish to.
type Output struct {
	Broker     string    `json:"broker,omitempty"`
	Topic      string    `json:"topic"`
	Partitions int       `json:"partitions"`
	Schema     string    `json:"schema,omitempty"`
	Producer   *Producer `json:"producer,omitempty"` // nil: Pulsar's defaults
}

// Producer tunes how a topic is written to. Batching says how messages of several
// input entries are put together; one input entry never waits for another.
type Producer struct {
	Compression string    `json:"compression,omitempty"` // none, lz4, zlib, zstd, snappy; "": lz4
	MaxPending  int       `json:"max_pending,omitempty"` // messages without receipt; 0: bounded by bytes only
	Batching    *Batching `json:"batching,omitempty"`    // nil: on, with its defaults
	Crypto      *Crypto   `json:"crypto,omitempty"`      // compatible path only
}

// Batching bounds one output entry.
type Batching struct {
	Enabled     bool   `json:"enabled"`
	DelayMs     int64  `json:"delay_ms,omitempty"`     // how long a message may wait for others; 0: 10
	MaxMessages int    `json:"max_messages,omitempty"` // 0: 1000
	MaxBytes    int    `json:"max_bytes,omitempty"`    // 0: 128 KiB
	Builder     string `json:"builder,omitempty"`      // default, key_based: one key per entry
}

// Connector is a built-in connector with its own settings, a JSON object.
type Connector struct {
	Name   string `json:"name"`
	Config string `json:"config,omitempty"`
}

// Delivery is what happens around one message.
type Delivery struct {
	Guarantee         string  `json:"guarantee"`       // atleast_once, atmost_once, effectively_once, manual
	Epoch             int64   `json:"epoch,omitempty"` // part of producer names with effectively_once; a seek raises it, so that what is replayed is written again
	MaxRetries        int     `json:"max_retries"`     // after the first attempt; then dead-lettered
	BackoffMs         int64   `json:"backoff_ms"`      // before the first retry, doubled each time
	MaxBackoffMs      int64   `json:"max_backoff_ms"`
	DeadLetter        *Output `json:"dead_letter,omitempty"` // nil: dropped and counted after the last retry
	ForwardProperties bool    `json:"forward_properties"`
}

// Limits bound what one instance holds.
type Limits struct {
	BatchMessages int   `json:"batch_messages"`
	ClaimMessages int   `json:"claim_messages,omitempty"` // at-most-once: of a batch while user code is quick; 0: BatchMessages
	BatchBytes    int64 `json:"batch_bytes"`
	InFlightBytes int64 `json:"in_flight_bytes"` // R6, over all lanes
	CallTimeoutMs int64 `json:"call_timeout_ms"` // one call of user code; 0: none
	MemoryBytes   int64 `json:"memory_bytes"`    // of user code where it can be enforced (WASM); 0: the runtime's default
	GraceMs       int64 `json:"grace_ms"`        // R7: time to drain after SIGTERM
}
