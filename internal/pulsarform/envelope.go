package pulsarform

import (
	"encoding/json"

	"github.com/functionmesh/terraform-provider-functionmesh/internal/spec"
)

// EnvelopeKey is the key inside customRuntimeOptions that holds the Envelope.
const EnvelopeKey = "functionmesh"

// EnvelopeVersion is the version written. A reader keeps fields it does not know.
const EnvelopeVersion = 1

// Envelope is what Pulsar's models have no field for: our marks and the settings that
// only spec can say.
type Envelope struct {
	Owner    string     // who created the component
	Mesh     string     // the mesh that it belongs to
	Creating bool       // a creation of several requests has not finished
	Digest   string     // hex SHA-256 of the user code
	State    spec.State // running or stopped, where it was asked for
	Runtime  string     // a runtime that Pulsar has no word for: wasm
	URL      string     // where the code of such a runtime is

	// Spec holds fields of spec.Component that the configuration cannot say, by JSON
	// name. One is believed only while the configuration it belongs to is unchanged.
	Spec map[string]json.RawMessage
	// Raw is the user's own customRuntimeOptions where it is no JSON object.
	Raw *string
	// Rest keeps what a newer version wrote.
	Rest map[string]json.RawMessage
}

// Decoded is one configuration taken apart. Form remembers spelling that means
// nothing (an inputs list instead of inputSpecs, defaults written out); whoever does
// not need the original text back drops it.
type Decoded struct {
	Component spec.Component
	Envelope  Envelope
	Form      map[string]json.RawMessage
}
