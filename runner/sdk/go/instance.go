package function

import (
	"context"
	"encoding/json"
	"fmt"
	"sync"
)

// Topic is a topic of the function and the label of its schema.
type Topic struct {
	Topic  string `json:"topic"`
	Schema string `json:"schema,omitempty"`
}

// Instance is where a handler runs: which copy of which function, its configuration,
// its secrets and its metrics. It is safe for concurrent use.
type Instance struct {
	info start

	mu      sync.Mutex
	metrics map[string][]float64
}

type start struct {
	Protocol    int               `json:"protocol"`
	Tenant      string            `json:"tenant"`
	Namespace   string            `json:"namespace"`
	Name        string            `json:"name"`
	InstanceID  int               `json:"instance_id"`
	Parallelism int               `json:"parallelism"`
	Inputs      []Topic           `json:"inputs"`
	Output      *Topic            `json:"output,omitempty"`
	UserConfig  json.RawMessage   `json:"user_config,omitempty"`
	Secrets     map[string]string `json:"secrets,omitempty"`
	Limits      struct {
		CallTimeoutMs int64 `json:"call_timeout_ms,omitempty"`
		MaxFrameBytes int64 `json:"max_frame_bytes,omitempty"`
	} `json:"limits"`
}

type instanceKey struct{}

// From returns the instance that called the handler. It is never nil: outside a
// handler it is an instance that knows nothing.
func From(ctx context.Context) *Instance {
	if i, ok := ctx.Value(instanceKey{}).(*Instance); ok {
		return i
	}
	return &Instance{}
}

func newInstance(startJSON []byte) (*Instance, error) {
	i := &Instance{}
	if err := json.Unmarshal(startJSON, &i.info); err != nil {
		return nil, fmt.Errorf("start frame: %w", err)
	}
	return i, nil
}

// Tenant of the function.
func (i *Instance) Tenant() string { return i.info.Tenant }

// Namespace of the function, without the tenant.
func (i *Instance) Namespace() string { return i.info.Namespace }

// Name of the function.
func (i *Instance) Name() string { return i.info.Name }

// ID says which copy this is: 0 <= ID < Parallelism.
func (i *Instance) ID() int { return i.info.InstanceID }

// Parallelism is how many copies run.
func (i *Instance) Parallelism() int { return i.info.Parallelism }

// Inputs are the topics that the function reads.
func (i *Instance) Inputs() []Topic { return i.info.Inputs }

// Output is the configured output; ok is false when there is none.
func (i *Instance) Output() (t Topic, ok bool) {
	if i.info.Output == nil {
		return Topic{}, false
	}
	return *i.info.Output, true
}

// UserConfig decodes the function's user_config into v; without any, v stays as it is.
func (i *Instance) UserConfig(v any) error {
	if len(i.info.UserConfig) == 0 {
		return nil
	}
	return json.Unmarshal(i.info.UserConfig, v)
}

// Secret returns the value of a secret by the name that the function's secrets gave it.
func (i *Instance) Secret(name string) (value string, ok bool) {
	value, ok = i.info.Secrets[name]
	return value, ok
}

// RecordMetric adds an observation to a metric of the function.
func (i *Instance) RecordMetric(name string, value float64) {
	i.mu.Lock()
	defer i.mu.Unlock()
	if i.metrics == nil {
		i.metrics = map[string][]float64{}
	}
	i.metrics[name] = append(i.metrics[name], value)
}

func (i *Instance) takeMetrics() map[string][]float64 {
	i.mu.Lock()
	defer i.mu.Unlock()
	m := i.metrics
	i.metrics = nil
	return m
}

func (i *Instance) maxFrame() int {
	if n := i.info.Limits.MaxFrameBytes; n > 0 {
		return int(n)
	}
	return 64 << 20
}
