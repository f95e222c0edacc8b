package wire

// ExitTerminal is the exit code of an instance that no restart can help; the reason
// is in TerminationFile. Any other non-zero code is a crash: restart with backoff.
const ExitTerminal = 78

// TerminationFile is written into WorkDir by an instance that ends on its own
// account: a Termination as JSON.
const TerminationFile = "termination.json"

// Termination says why an instance ended.
type Termination struct {
	Reason  string `json:"reason"` // ClassNotFound, InvalidCode, InvalidConfig, …; "" where starting again may help
	Message string `json:"message"`
}

// Status is what an instance answers on GET /status of its probe. The probe also
// serves /healthz (200 once running), /readyz (200 once ready) and /metrics.
type Status struct {
	Ready     bool  `json:"ready"`
	Received  int64 `json:"received"`
	Processed int64 `json:"processed"`

	UserExceptions   int64       `json:"user_exceptions"`
	SystemExceptions int64       `json:"system_exceptions"`
	SourceExceptions int64       `json:"source_exceptions"`
	SinkExceptions   int64       `json:"sink_exceptions"`
	DeadLettered     int64       `json:"dead_lettered"`
	LatestUser       []Exception `json:"latest_user,omitempty"` // newest last, at most 10
	LatestSystem     []Exception `json:"latest_system,omitempty"`
	LatestSource     []Exception `json:"latest_source,omitempty"`
	LatestSink       []Exception `json:"latest_sink,omitempty"`

	AverageLatencyMs float64            `json:"average_latency_ms"`
	LastInvocationMs int64              `json:"last_invocation_ms"` // ms since the epoch, 0 never
	InFlightBytes    int64              `json:"in_flight_bytes"`
	UserMetrics      map[string]float64 `json:"user_metrics,omitempty"`

	Path      Path             `json:"path,omitempty"`      // by which messages move to and from a Pulsar
	PathNote  string           `json:"path_note,omitempty"` // why that one
	Repeats   int64            `json:"repeats,omitempty"`   // outputs that the broker had stored before and dropped
	Malformed map[string]int64 `json:"malformed,omitempty"` // broker entries that could not be opened, by what was wrong
}

// Exception is one failure, at most 4 KiB of text.
type Exception struct {
	Message string `json:"message"`
	AtMs    int64  `json:"at_ms"` // ms since the epoch
}
