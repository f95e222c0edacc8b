package frame

import (
	"encoding/json"
	"fmt"

	"github.com/functionmesh/terraform-provider-functionmesh/internal/wire"
)

// MinProtocol and MaxProtocol are the versions this build speaks. A worker whose
// range overlaps is used at the highest common version.
const (
	MinProtocol = 1
	MaxProtocol = 2
)

// Hello is the first word of a worker.
type Hello struct {
	Min      int    `json:"min"`
	Max      int    `json:"max"`
	SDK      string `json:"sdk"`      // name and version of the SDK
	Language string `json:"language"` // go, python, …
}

// Start is everything that user code may ask for.
type Start struct {
	Protocol    int               `json:"protocol"`
	Version     string            `json:"version,omitempty"` // digest of the code
	Class       string            `json:"class,omitempty"`
	File        string            `json:"file,omitempty"`
	Tenant      string            `json:"tenant"`
	Namespace   string            `json:"namespace"`
	Name        string            `json:"name"`
	Mesh        string            `json:"mesh,omitempty"`
	InstanceID  int               `json:"instance_id"`
	Parallelism int               `json:"parallelism"`
	Inputs      []Topic           `json:"inputs"`
	Output      *Topic            `json:"output,omitempty"`
	UserConfig  json.RawMessage   `json:"user_config,omitempty"`
	Secrets     map[string]string `json:"secrets,omitempty"`
	Limits      Limits            `json:"limits"`

	// From protocol 2 on.
	Manual bool `json:"manual,omitempty"` // user code acknowledges by itself
	Log    bool `json:"log,omitempty"`    // records of the logger are wanted in frames too
	// Bytes of memory that descriptor 5 shares; 0: none. The first half is for batches,
	// the second for results: those of a batch at offset x go to x behind its middle.
	Shared int64 `json:"shared,omitempty"`
}

// Topic is a full topic name and the label of its schema: "", bytes, string or json.
type Topic struct {
	Topic      string `json:"topic"`
	Schema     string `json:"schema,omitempty"`
	Partitions int    `json:"partitions,omitempty"` // 0: unpartitioned
}

// Limits are what the worker itself must know of its bounds.
type Limits struct {
	CallTimeoutMs int64 `json:"call_timeout_ms,omitempty"`
	MaxFrameBytes int64 `json:"max_frame_bytes,omitempty"`
}

// Ready answers Start.
type Ready struct {
	Batch      bool `json:"batch,omitempty"`       // user code takes whole batches, so the time limit is n times the limit of one
	Shared     bool `json:"shared,omitempty"`      // the worker sees the shared memory
	ValuesOnly bool `json:"values_only,omitempty"` // user code sees nothing but values, so that nothing else need be sent
}

// Failed answers Start when user code cannot be loaded.
type Failed struct {
	Reason  string `json:"reason"` // ClassNotFound, InvalidCode, InvalidConfig
	Message string `json:"message"`
}

// NewStart builds what the instance of f tells user code.
func NewStart(f wire.File) Start {
	s := Start{
		Protocol: MaxProtocol, Tenant: f.Component.Tenant, Namespace: f.Component.Namespace, Name: f.Component.Name,
		Mesh: f.Component.Mesh, InstanceID: f.Instance.ID, Parallelism: f.Instance.Parallelism,
		Secrets: f.Secrets, Inputs: []Topic{},
		Limits: Limits{CallTimeoutMs: f.Limits.CallTimeoutMs, MaxFrameBytes: DefaultMaxFrame},
		Manual: f.Delivery.Guarantee == "manual", Log: f.LogTopic != nil,
	}
	for _, in := range f.Source.Inputs {
		s.Inputs = append(s.Inputs, Topic{Topic: in.Topic, Schema: in.Schema, Partitions: in.Partitions})
	}
	if out := f.Sink.Output; out != nil {
		s.Output = &Topic{Topic: out.Topic, Schema: out.Schema, Partitions: out.Partitions}
	}
	if fn := f.Function; fn != nil {
		s.Version, s.Class, s.File = fn.SHA256, fn.Class, fn.File
		if fn.UserConfig != "" {
			s.UserConfig = json.RawMessage(fn.UserConfig)
		}
	}
	return s
}

// Negotiate returns the highest version that both sides speak.
func Negotiate(h Hello) (int, error) {
	v := min(h.Max, MaxProtocol)
	if v < h.Min || v < MinProtocol {
		return 0, fmt.Errorf("%s speaks frame protocol %d to %d and this runner %d to %d: build the function with a matching SDK",
			h.SDK, h.Min, h.Max, MinProtocol, MaxProtocol)
	}
	return v, nil
}
