package wire

// Version is the format this build writes. It reads Version and Version-1.
const Version = 2

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
	Probe     string            `json:"probe,omitempty"`     // unix:/path or tcp host:port for health and metrics; "" none
	WorkDir   string            `json:"work_dir"`            // scratch, private to the instance; relative connector paths do NOT resolve here
	BaseDir   string            `json:"base_dir,omitempty"`  // what relative paths of connectors resolve against
	CacheDir  string            `json:"cache_dir,omitempty"` // where instances of the same code share what it is compiled to; "" is a folder of WorkDir
}

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

// Broker is how to reach a messaging system.
type Broker struct {
	Kind     string `json:"kind"` // nats
	URL      string `json:"url"`
	User     string `json:"user,omitempty"`
	Password string `json:"password,omitempty"`
	CAFile   string `json:"ca_file,omitempty"`
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
}

// Mode is how a subscription is shared among instances.
type Mode string

// Shared spreads messages over all instances without order. Failover gives each
// partition to one instance, in order.
const (
	Shared   Mode = "shared"
	Failover Mode = "failover"
)

// Subscription is the cursor of all inputs.
type Subscription struct {
	Name     string `json:"name,omitempty"`
	Mode     Mode   `json:"mode,omitempty"`
	Position string `json:"position,omitempty"` // latest, earliest; only where the platform has not placed the cursor yet
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
	Broker     string `json:"broker,omitempty"`
	Topic      string `json:"topic"`
	Partitions int    `json:"partitions"`
	Schema     string `json:"schema,omitempty"`
}

// Connector is a built-in connector with its own settings, a JSON object.
type Connector struct {
	Name   string `json:"name"`
	Config string `json:"config,omitempty"`
}

// Delivery is what happens around one message.
type Delivery struct {
	Guarantee         string  `json:"guarantee"`   // atleast_once, atmost_once
	MaxRetries        int     `json:"max_retries"` // after the first attempt; then dead-lettered
	BackoffMs         int64   `json:"backoff_ms"`  // before the first retry, doubled each time
	MaxBackoffMs      int64   `json:"max_backoff_ms"`
	DeadLetter        *Output `json:"dead_letter,omitempty"` // nil: dropped and counted after the last retry
	ForwardProperties bool    `json:"forward_properties"`
}

// Limits bound what one instance holds.
type Limits struct {
	BatchMessages int   `json:"batch_messages"`
	BatchBytes    int64 `json:"batch_bytes"`
	InFlightBytes int64 `json:"in_flight_bytes"` // R6, over all lanes
	CallTimeoutMs int64 `json:"call_timeout_ms"` // one call of user code; 0: none
	MemoryBytes   int64 `json:"memory_bytes"`    // of user code where it can be enforced (WASM); 0: the runtime's default
	GraceMs       int64 `json:"grace_ms"`        // R7: time to drain after SIGTERM
}
