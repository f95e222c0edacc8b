package pipeline

import (
	"encoding/base64"
	"maps"
)

// Properties that Pulsar's runtimes add to every output beside the forwarded ones.
const (
	InputTopic = "__pfn_input_topic__"  // full name of the input's topic
	InputID    = "__pfn_input_msg_id__" // the input's id in base64
)

// forward gives what a function returned for the configured output the input's key and
// event time, where the function set none, and, when asked, its properties. Messages
// published to a topic by name stay as the function made them, as on Pulsar.
func forward(in *Message, out []Message, properties bool) {
	for i := range out {
		o := &out[i]
		if o.Topic != "" {
			continue
		}
		if o.Key == nil {
			o.Key = in.Key
		}
		if o.EventTime == 0 {
			o.EventTime = in.EventTime
		}
		if properties {
			o.Properties = merged(in, o.Properties)
		}
	}
}

// merged is a new map: a function may hand the same one to several outputs.
func merged(in *Message, own map[string]string) map[string]string {
	p := make(map[string]string, len(in.Properties)+len(own)+2)
	maps.Copy(p, in.Properties)
	p[InputTopic] = in.Topic
	p[InputID] = base64.StdEncoding.EncodeToString([]byte(in.ID))
	maps.Copy(p, own)
	return p
}
