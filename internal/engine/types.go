package engine

import "context"

// Key names one object. Kind is spec's word (function, topic, …); Tenant and
// Namespace are empty where the kind has none.
type Key struct {
	Kind      string
	Tenant    string
	Namespace string
	Name      string
}

// String is the import id: tenant/namespace/name without empty parts.
func (k Key) String() string {
	s := ""
	for _, p := range []string{k.Tenant, k.Namespace, k.Name} {
		if p == "" {
			continue
		}
		if s != "" {
			s += "/"
		}
		s += p
	}
	return s
}

// Marks is what we write beside an object to know it again.
type Marks struct {
	Owner    string `json:"owner,omitempty"`    // who created it: the provider's owner, "cli", …
	Mesh     string `json:"mesh,omitempty"`     // the mesh it is a component of, by name
	Creating bool   `json:"creating,omitempty"` // a create of several requests has not finished
	Digest   string `json:"digest,omitempty"`   // hex SHA-256 of the user code stored with it
	BaseDir  string `json:"base_dir,omitempty"` // where relative paths of connectors start: the writer's directory, where instances run on its machine
	// Connections is how the names of connections in the spec are reached: a JSON object
	// from name to the platform's key, in one spelling. "" says nothing about them.
	Connections string `json:"connections,omitempty"`
}

// Object is what a caller wants: the spec with our marks.
type Object[S any] struct {
	Spec  S
	Marks Marks
}

// Observed is what a platform holds. Platform identifies the platform instance and
// is set also when nothing was found. Owned are the field paths that we are known
// to have written; nil means unknown.
type Observed[S any] struct {
	Found bool
	Object[S]
	Platform string
	Owned    []string
	Status   Status
}

// Phase is the tri-state of readiness.
type Phase string

// The phases. Failed is terminal without a change: waiting longer does not help.
const (
	Progressing Phase = "progressing"
	Ready       Phase = "ready"
	Failed      Phase = "failed"
	Stopped     Phase = "stopped" // asked to be stopped and it is: counts as ready for a wait
)

// Status is observed, never assumed; the same for all kinds. Reason is one
// CamelCase word that programs compare, Message is for people and deterministic.
type Status struct {
	Phase     Phase      `json:"phase"`
	Reason    string     `json:"reason,omitempty"`
	Message   string     `json:"message,omitempty"`
	Wanted    int        `json:"wanted"`
	Ready     int        `json:"ready"`
	Instances []Instance `json:"instances,omitempty"`
}

// Instance is one running copy of a component. Counters count messages since the
// process started.
type Instance struct {
	Component string   `json:"component,omitempty"` // full key, set in a mesh's status
	ID        int      `json:"id"`
	Running   bool     `json:"running"`
	Ready     bool     `json:"ready"`
	Restarts  int      `json:"restarts"`
	Error     string   `json:"error,omitempty"`
	LogTail   []string `json:"log_tail,omitempty"`
	Received  int64    `json:"received"`
	Processed int64    `json:"processed"`
	Failures  int64    `json:"failures"`

	Exceptions       map[string]Exceptions `json:"exceptions,omitempty"`         // Failures by whose they were: user, system, source, sink
	LatencyMs        float64               `json:"latency_ms,omitempty"`         // mean of one message
	LastInvocationMs int64                 `json:"last_invocation_ms,omitempty"` // since the epoch; 0 never

	DataPath     string           `json:"data_path,omitempty"`      // by which messages move to and from a Pulsar: entry, compatible
	DataPathNote string           `json:"data_path_note,omitempty"` // why that one
	Repeats      int64            `json:"repeats,omitempty"`        // outputs that the broker had already and dropped
	Malformed    map[string]int64 `json:"malformed,omitempty"`      // stored batches that could not be opened, by what was wrong
}

// Exceptions are the failures of one class since the process started.
type Exceptions struct {
	Total  int64       `json:"total"`
	Latest []Exception `json:"latest,omitempty"` // newest last, at most 10
}

// Exception is one failure. Its text names no secret.
type Exception struct {
	Message string `json:"message"`
	AtMs    int64  `json:"at_ms"` // since the epoch
}

// Op is what a Change does to a field.
type Op string

// The operations. Replace means that the platform cannot change the field in place.
const (
	Set     Op = "set"
	Clear   Op = "clear"
	Replace Op = "replace"
)

// Change is one difference, by field path (spec.Path's syntax). It is the only
// diff there is: plan, drift repair and update all read it.
type Change struct {
	Path string `json:"path"`
	Op   Op     `json:"op"`
	Old  any    `json:"old,omitempty"`
	New  any    `json:"new,omitempty"`
}

// DeleteOptions tune a deletion.
type DeleteOptions struct {
	Force bool // delete what still holds data or consumers
}

// Client drives one kind on one platform. Implementations are safe for concurrent
// use and return the error classes of this package.
type Client[S any] interface {
	// Observe reads an object. An absent one is Found=false without an error; a
	// missing parent is NotFound.
	Observe(ctx context.Context, key Key) (Observed[S], error)
	// Create is strict: Exists when the object is there already. Where it takes
	// several requests the first writes the marks with Creating, the last clears it.
	Create(ctx context.Context, want Object[S]) (Observed[S], error)
	// Update performs changes, which turn have into want, and writes want's marks
	// with Creating cleared; the engine has put have's owner there. Without changes
	// only the marks are to be written. Afterwards Observe reports the status of
	// what was written, never the failure of what was there before.
	Update(ctx context.Context, have Observed[S], want Object[S], changes []Change) error
	// Delete is idempotent.
	Delete(ctx context.Context, have Observed[S], opts DeleteOptions) error
}

// Lister is implemented by clients that can list a namespace in one go. Empty
// tenant or namespace in the key means the kind has none.
type Lister[S any] interface {
	List(ctx context.Context, in Key) ([]Observed[S], error)
}

// Watcher is implemented by clients that can tell when an object may have changed;
// others are polled.
type Watcher interface {
	// Watch returns a channel that receives after every change and is closed when
	// ctx ends or the platform stops telling. Receives may be coalesced.
	Watch(ctx context.Context, key Key) (<-chan struct{}, error)
}

// Actor is implemented by clients whose objects know one-off verbs: restart, stop,
// start, trigger. Args and the result are verb specific and documented there.
type Actor interface {
	Act(ctx context.Context, key Key, verb string, args map[string]string) (string, error)
}
