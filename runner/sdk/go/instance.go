package function

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"sync"
)

// Topic is a topic of the function and the label of its schema.
type Topic struct {
	Topic      string `json:"topic"`
	Schema     string `json:"schema,omitempty"`
	Partitions int    `json:"partitions,omitempty"` // 0: unpartitioned
}

// Instance is where a handler runs: which copy of which function, its configuration,
// its secrets and its metrics. It is safe for concurrent use.
type Instance struct {
	info start

	logger *slog.Logger
	flush  func(batch uint64, n int, records []byte) // sends records of the log before their batch is done; nil: it cannot

	mu    sync.Mutex
	said  said
	batch uint64    // at work
	in    []Message // of it; nil between two batches, and where the handler knows no messages
	index int       // of the message at work, none for a whole batch and between two
	next  int       // behind the last message that was acknowledged itself
}

// none is the index that no message has.
const none = -1

type start struct {
	Protocol    int               `json:"protocol"`
	Tenant      string            `json:"tenant"`
	Namespace   string            `json:"namespace"`
	Name        string            `json:"name"`
	InstanceID  int               `json:"instance_id"`
	Parallelism int               `json:"parallelism"`
	Inputs      []Topic           `json:"inputs"`
	Output      *Topic            `json:"output,omitempty"`
	Version     string            `json:"version,omitempty"`
	Manual      bool              `json:"manual,omitempty"`
	Log         bool              `json:"log,omitempty"`
	Shared      int64             `json:"shared,omitempty"`
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
	i := &Instance{index: none}
	i.logger = slog.New(newHandler(i))
	return i
}

func newInstance(startJSON []byte) (*Instance, error) {
	i := &Instance{index: none}
	i.logger = slog.New(newHandler(i))
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

// FunctionID is the full name of the function: tenant/namespace/name.
func (i *Instance) FunctionID() string {
	return i.info.Tenant + "/" + i.info.Namespace + "/" + i.info.Name
}

// Version is the digest of the function's code.
func (i *Instance) Version() string { return i.info.Version }

// Logger writes to the log of the instance and, where the function has a log topic, to
// that. It never waits for a broker: records that pile up are dropped, and counted there.
func (i *Instance) Logger() *slog.Logger { return i.logger }

// RecordMetric adds an observation to a metric of the function.
func (i *Instance) RecordMetric(name string, value float64) {
	i.mu.Lock()
	defer i.mu.Unlock()
	if i.said.metrics == nil {
		i.said.metrics = map[string][]float64{}
	}
	i.said.metrics[name] = append(i.said.metrics[name], value)
}

// Ack acknowledges an input of this call or of an earlier one, where the function's
// guarantee is manual; else it is an error. It takes effect with the results of the
// batch at work. Of an earlier input a copy of its Topic, Partition, Unpartitioned and
// Position is enough.
func (i *Instance) Ack(m Message) error { return i.settle(&m, false) }

// Nack hands an input back to its broker, to be delivered again; else it is as Ack.
func (i *Instance) Nack(m Message) error { return i.settle(&m, true) }

func (i *Instance) settle(m *Message, nack bool) error {
	if !i.info.Manual {
		return errNotManual
	}
	i.mu.Lock()
	defer i.mu.Unlock()
	i.said.ackN++
	if at := i.find(m); at != none && !nack {
		i.said.acks, i.next = appendDone(i.said.acks, at), at+1
		return nil
	}
	i.said.acks = appendAck(i.said.acks, max(i.index, i.next-1, 0), m, nack)
	return nil
}

// find is where m is at work, as far as that is quickly seen: handlers of batches mostly
// go from the first to the last and leave few out.
func (i *Instance) find(m *Message) int {
	from, ahead := i.index, 1
	if from == none {
		from, ahead = i.next, 16
	}
	for at := from; at < min(from+ahead, len(i.in)); at++ {
		if m.is(&i.in[at]) {
			return at
		}
	}
	return none
}

// begin says which batch is at work, and with which message of it; none: as a whole.
func (i *Instance) begin(batch uint64, in []Message, index int) {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.batch, i.in, i.index = batch, in, index
}

// at says which message of it is.
func (i *Instance) at(index int) {
	if i.info.Manual || i.info.Log {
		i.mu.Lock()
		i.index = index
		i.mu.Unlock()
	}
}

// take is what was said since the last batch. The memory of old is used again.
func (i *Instance) take(old said) said {
	i.mu.Lock()
	defer i.mu.Unlock()
	s := i.said
	i.in, i.index, i.next = nil, none, 0 // what is said from here on belongs to the next
	i.said = said{acks: old.acks[:0], logs: old.logs[:0]}
	return s
}

func (i *Instance) maxFrame() int {
	if n := i.info.Limits.MaxFrameBytes; n > 0 {
		return int(n)
	}
	return 64 << 20
}
