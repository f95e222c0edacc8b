package pulsarform

import (
	"encoding/json"

	"github.com/functionmesh/terraform-provider-functionmesh/internal/spec"
)

// Keys of settings that are put together from several places.
const (
	batchingKey   = "batchingConfig"
	roundRobinKey = "roundRobinRouterBatchingPartitionSwitchFrequency"
)

// outputForm is where Pulsar's models speak of an output.
type outputForm struct {
	topic, schema, serde *string
	producer             *ProducerConfig
	builder              *string // goes before that of producer
}

func (f outputForm) output() *spec.Output {
	out := spec.Output{Topic: val(f.topic), Schema: schema(f.schema), SerdeClass: val(f.serde), Producer: producer(f.producer, val(f.builder))}
	if out == (spec.Output{}) {
		return nil
	}
	return &out
}

func producer(p *ProducerConfig, builder string) *spec.Producer {
	if p == nil {
		p = &ProducerConfig{}
	}
	out := &spec.Producer{
		Compression: lower(p.CompressionType), MaxPendingMessages: p.MaxPendingMessages, Extra: extraOf(p.Rest),
		Batching: batching(p, builder),
	}
	// 0 pending messages is how Pulsar's clients write "unset".
	if out.MaxPendingMessages != nil && *out.MaxPendingMessages == 0 {
		out.MaxPendingMessages = nil
	}
	if p.BatchingConfig != nil {
		keepBatching(out, p.BatchingConfig.Rest)
	}
	if out.Compression == "" && out.MaxPendingMessages == nil && out.Batching == nil && out.Extra == nil {
		return nil
	}
	return out
}

// keepBatching puts what has no word of batchingConfig where it is written back from.
func keepBatching(out *spec.Producer, rest map[string]json.RawMessage) {
	for key, raw := range rest {
		if _, taken := out.Extra[key]; key == roundRobinKey && !taken {
			out.Extra = putExtra(out.Extra, key, raw)
			continue
		}
		other := map[string]json.RawMessage{}
		_ = json.Unmarshal([]byte(out.Extra[batchingKey]), &other) // unset, or what was put there
		other[key] = raw
		b, _ := json.Marshal(other) // raw messages from a valid document
		out.Extra = putExtra(out.Extra, batchingKey, b)
	}
}

func batching(p *ProducerConfig, builder string) *spec.Batching {
	b := BatchingConfig{}
	if p.BatchingConfig != nil {
		b = *p.BatchingConfig
	}
	for _, inner := range []*string{b.BatchBuilder, p.BatchBuilder} {
		if builder == "" {
			builder = val(inner)
		}
	}
	out := spec.Batching{
		Enabled: b.Enabled, MaxPublishDelayMs: b.MaxPublishDelayMs, MaxMessages: b.MaxMessages, MaxBytes: b.MaxBytes, Builder: lower(&builder),
	}
	if out == (spec.Batching{}) {
		return nil
	}
	return &out
}

func producerConfig(p *spec.Producer) *ProducerConfig {
	if p == nil {
		return nil
	}
	out := &ProducerConfig{CompressionType: upper(p.Compression), MaxPendingMessages: p.MaxPendingMessages}
	b := BatchingConfig{}
	if p.Batching != nil {
		out.BatchBuilder = upper(p.Batching.Builder)
		b.Enabled, b.MaxPublishDelayMs = p.Batching.Enabled, p.Batching.MaxPublishDelayMs
		b.MaxMessages, b.MaxBytes = p.Batching.MaxMessages, p.Batching.MaxBytes
	}
	extra := p.Extra
	if other := objectRaw(extra[batchingKey]); other != nil {
		_ = json.Unmarshal(other, &b.Rest) // objectRaw has checked it
	}
	rest := restOf(extra)
	if raw, ok := rest[roundRobinKey]; ok {
		delete(rest, roundRobinKey)
		if b.Rest == nil {
			b.Rest = map[string]json.RawMessage{}
		}
		b.Rest[roundRobinKey] = raw
	}
	delete(rest, batchingKey)
	if b.Enabled != nil || b.MaxPublishDelayMs != nil || b.MaxMessages != nil || b.MaxBytes != nil || b.Rest != nil {
		out.BatchingConfig = &b
	}
	out.Rest = rest
	return out
}

// acknowledging is autoAck where it says something: workers answer true with manual as
// well, where the code acknowledges whatever it says.
func acknowledging(ack *bool, guarantees *string) *bool {
	if ack != nil && *ack && guarantee(guarantees) == spec.Manual {
		return nil
	}
	return ack
}

// delay is a pause where there is one; workers answer 0 for none.
func delay(ms *int64) *int64 {
	if ms != nil && *ms == 0 {
		return nil
	}
	return ms
}
