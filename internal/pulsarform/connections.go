package pulsarform

import (
	"encoding/json"

	"github.com/functionmesh/terraform-provider-functionmesh/internal/spec"
)

// connectionsKey is the key in the envelope of what the names of connections mean.
const connectionsKey = "connections"

// Connections is what the names of connections mean to the platform: a JSON object in
// one spelling, "" where the envelope says nothing about them.
func (e Envelope) Connections() string {
	var by map[string]string
	if json.Unmarshal(e.Rest[connectionsKey], &by) != nil || by == nil {
		return ""
	}
	text, _ := json.Marshal(by) // strings always marshal, in the order of their keys
	return string(text)
}

// WithConnections puts what Envelope.Connections reads into Envelope.Rest; "" puts
// nothing there.
func WithConnections(rest map[string]json.RawMessage, connections string) map[string]json.RawMessage {
	document, err := spec.ParseJSON([]byte(connections))
	if err != nil || document == "" {
		return rest
	}
	if rest == nil {
		rest = map[string]json.RawMessage{}
	}
	rest[connectionsKey] = json.RawMessage(document)
	return rest
}
