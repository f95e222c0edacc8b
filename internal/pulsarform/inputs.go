package pulsarform

import (
	"encoding/json"

	"github.com/functionmesh/terraform-provider-functionmesh/internal/spec"
)

// inputForms are the spellings in which Pulsar's models take inputs, weakest first:
// where two speak of one topic, the later one wins, as in Pulsar.
type inputForms struct {
	list    []string
	serde   map[string]string
	schemas map[string]string
	specs   map[string]ConsumerConfig
}

func (f inputForms) inputs() map[string]spec.Input {
	if len(f.list)+len(f.serde)+len(f.schemas)+len(f.specs) == 0 {
		return nil
	}
	out := map[string]spec.Input{}
	for _, topic := range f.list {
		out[topic] = spec.Input{}
	}
	for topic, class := range f.serde {
		in := out[topic]
		in.SerdeClass = class
		out[topic] = in
	}
	for topic, text := range f.schemas {
		var c ConsumerConfig
		if isObject(json.RawMessage(text)) && json.Unmarshal([]byte(text), &c) == nil {
			out[topic] = input(c)
			continue
		}
		in := out[topic]
		in.Schema = schema(&text)
		out[topic] = in
	}
	for topic, c := range f.specs {
		out[topic] = input(c)
	}
	return out
}

func input(c ConsumerConfig) spec.Input {
	return spec.Input{
		Schema: schema(c.SchemaType), SerdeClass: val(c.SerdeClassName), Regex: c.RegexPattern,
		ReceiverQueueSize: c.ReceiverQueueSize, Extra: extraOf(c.Rest),
	}
}

func inputSpecs(in map[string]spec.Input) map[string]ConsumerConfig {
	if len(in) == 0 {
		return nil
	}
	out := make(map[string]ConsumerConfig, len(in))
	for topic, i := range in {
		out[topic] = ConsumerConfig{
			SchemaType: opt(i.Schema), SerdeClassName: opt(i.SerdeClass), RegexPattern: i.Regex,
			ReceiverQueueSize: i.ReceiverQueueSize, Rest: restOf(i.Extra),
		}
	}
	return out
}
