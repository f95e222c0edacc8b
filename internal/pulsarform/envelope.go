package pulsarform

import (
	"encoding/json"

	"github.com/functionmesh/terraform-provider-functionmesh/internal/spec"
)

// EnvelopeKey is the key inside customRuntimeOptions that holds the Envelope.
const EnvelopeKey = "functionmesh"

// EnvelopeVersion is the version written. A reader keeps fields it does not know.
const EnvelopeVersion = 1

// Envelope is what we know of a component beside its settings, kept in
// customRuntimeOptions because Pulsar's models have no field for it.
type Envelope struct {
	Owner    string // who created the component
	Mesh     string // the mesh that it belongs to
	Creating bool   // a creation of several requests has not finished
	Digest   string // hex SHA-256 of the user code
	BaseDir  string // where relative paths of connectors start

	// Rest keeps what a newer version wrote.
	Rest map[string]json.RawMessage
}

// envelope is the Envelope with the settings that only spec can say.
type envelope struct {
	Envelope
	state   spec.State
	runtime string // a runtime that Pulsar has no word for: wasm
	url     string // where the code of such a runtime is

	// spec holds fields of spec.Component that the configuration cannot say, by JSON
	// name. They are believed only while the configuration is unchanged.
	spec map[string]json.RawMessage
	// raw is the user's own customRuntimeOptions where it is no JSON object.
	raw *string
}

type envelopeModel struct {
	V        *int                       `json:"v"`
	Owner    *string                    `json:"owner"`
	Mesh     *string                    `json:"mesh"`
	Creating *bool                      `json:"creating"`
	Digest   *string                    `json:"digest"`
	BaseDir  *string                    `json:"base_dir"`
	State    *spec.State                `json:"state"`
	Runtime  *string                    `json:"runtime"`
	URL      *string                    `json:"url"`
	Spec     map[string]json.RawMessage `json:"spec"`
	Raw      *string                    `json:"raw"`
}

// openEnvelope takes customRuntimeOptions apart: our envelope, and the user's own text
// without it. A text that is none of ours is the user's, to the byte.
func openEnvelope(text *string) (envelope, *string) {
	if text == nil {
		return envelope{}, nil
	}
	var all map[string]json.RawMessage
	if json.Unmarshal([]byte(*text), &all) != nil {
		return envelope{}, text
	}
	var m envelopeModel
	rest, err := unmarshalModel(all[EnvelopeKey], &m)
	if err != nil || m.V == nil {
		return envelope{}, text
	}
	env := envelope{
		Envelope: Envelope{
			Owner: val(m.Owner), Mesh: val(m.Mesh), Creating: val(m.Creating), Digest: val(m.Digest), BaseDir: val(m.BaseDir), Rest: rest,
		},
		state: val(m.State), runtime: val(m.Runtime), url: val(m.URL), spec: m.Spec, raw: m.Raw,
	}
	if m.Raw != nil {
		return env, m.Raw
	}
	delete(all, EnvelopeKey)
	if len(all) == 0 {
		return env, nil
	}
	b, _ := json.Marshal(all) // raw messages from a valid document
	own, err := canonical(b)
	if err != nil {
		return env, nil
	}
	return env, &own
}

func (e envelope) isZero() bool {
	return e.Owner == "" && e.Mesh == "" && !e.Creating && e.Digest == "" && e.BaseDir == "" && e.state == "" &&
		e.runtime == "" && e.url == "" && len(e.spec) == 0 && len(e.Rest) == 0
}

// seal writes the envelope beside the user's own content of customRuntimeOptions. No
// envelope leaves the user's text as it is.
func (e envelope) seal(extra map[string]spec.JSON) *string {
	var own *string
	_ = json.Unmarshal([]byte(extra["customRuntimeOptions"]), &own) // what is no string cannot be said
	if e.isZero() {
		return own
	}
	all := map[string]json.RawMessage{}
	e.raw = nil
	if own != nil {
		err := json.Unmarshal([]byte(*own), &all)
		if _, taken := all[EnvelopeKey]; err != nil || taken || all == nil {
			e.raw, all = own, map[string]json.RawMessage{}
		}
	}
	version := EnvelopeVersion
	inner, err := marshalModel(envelopeModel{
		V: &version, Owner: opt(e.Owner), Mesh: opt(e.Mesh), Creating: opt(e.Creating), Digest: opt(e.Digest), BaseDir: opt(e.BaseDir),
		State: opt(e.state), Runtime: opt(e.runtime), URL: opt(e.url), Spec: e.spec, Raw: e.raw,
	}, e.Rest)
	if err != nil {
		return own
	}
	all[EnvelopeKey], _ = json.Marshal(inner) // raw messages of valid documents
	b, _ := json.Marshal(all)
	return opt(string(b))
}
