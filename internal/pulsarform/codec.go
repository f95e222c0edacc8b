package pulsarform

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"

	"github.com/functionmesh/terraform-provider-functionmesh/internal/spec"
)

// Decoded is one configuration taken apart. Form remembers spelling that means
// nothing (an inputs list instead of inputSpecs, defaults written out), by top-level
// key, null where the key was absent; whoever does not need the original text back
// drops it.
type Decoded struct {
	Component spec.Component
	Envelope  Envelope
	Form      map[string]json.RawMessage
}

// Decode reads the configuration of a component of the kind: a FunctionConfig, a
// SourceConfig or a SinkConfig as JSON. A key with the value null is not set.
func Decode(kind spec.Kind, config []byte) (Decoded, error) {
	var given map[string]json.RawMessage
	if err := json.Unmarshal(config, &given); err != nil {
		return Decoded{}, &FieldError{Err: fmt.Errorf("not a JSON object: %w", err)}
	}
	if given == nil {
		return Decoded{}, &FieldError{Err: errors.New("not a JSON object")}
	}
	c, env, err := componentOf(kind, config)
	if err != nil {
		return Decoded{}, err
	}
	if err := checkObjects(given); err != nil {
		return Decoded{}, err
	}
	c = restore(c, env, given)
	out := Decoded{Component: c, Envelope: env.Envelope}
	written, err := encode(out)
	if err != nil {
		return Decoded{}, err
	}
	out.Form = formOf(given, written)
	return out, nil
}

// checkObjects refuses settings of the connector or the code that are no object.
func checkObjects(given map[string]json.RawMessage) error {
	for _, key := range []string{"userConfig", "configs"} {
		if raw, ok := given[key]; ok && !isNull(raw) && !isObject(raw) {
			return &FieldError{Path: spec.Path(key), Err: errors.New("must be a JSON object")}
		}
	}
	return nil
}

func formOf(given, written map[string]json.RawMessage) map[string]json.RawMessage {
	form := map[string]json.RawMessage{}
	for k, raw := range given {
		if !isNull(raw) && !same(raw, written[k]) {
			form[k] = raw
		}
	}
	for k := range written {
		if raw, ok := given[k]; !ok || isNull(raw) {
			form[k] = json.RawMessage("null")
		}
	}
	if len(form) == 0 {
		return nil
	}
	return form
}

// Encode writes the configuration of d, the inverse of Decode.
func Encode(d Decoded) ([]byte, error) {
	out, err := encode(d)
	if err != nil {
		return nil, err
	}
	for k, raw := range d.Form {
		if isNull(raw) {
			delete(out, k)
			continue
		}
		out[k] = raw
	}
	return json.Marshal(out)
}

// encode writes the plain configuration, reads it back, and puts what was lost on the
// way into the envelope.
func encode(d Decoded) (map[string]json.RawMessage, error) {
	env := envelope{Envelope: d.Envelope}
	plain, err := configOf(d.Component, env)
	if err != nil {
		return nil, err
	}
	text, err := json.Marshal(plain)
	if err != nil {
		return nil, fmt.Errorf("encode: %w", err)
	}
	back, _, err := componentOf(d.Component.Kind, text)
	if err != nil {
		return nil, err
	}
	lost, err := lostFields(d.Component, back)
	if err != nil || lost == nil {
		return plain, err
	}
	env.spec = lost
	return configOf(d.Component, env)
}

// lostFields are the fields of want that got differs in, null where want has none.
func lostFields(want, got spec.Component) (map[string]json.RawMessage, error) {
	w, err := fields(want)
	if err != nil {
		return nil, err
	}
	g, err := fields(got)
	if err != nil {
		return nil, err
	}
	var lost map[string]json.RawMessage
	put := func(k string, raw json.RawMessage) {
		if lost == nil {
			lost = map[string]json.RawMessage{}
		}
		lost[k] = raw
	}
	for k, raw := range w {
		if !same(raw, g[k]) {
			put(k, raw)
		}
	}
	for k := range g {
		if _, ok := w[k]; !ok {
			put(k, json.RawMessage("null"))
		}
	}
	return lost, nil
}

func fields(c spec.Component) (map[string]json.RawMessage, error) {
	b, err := json.Marshal(c)
	if err != nil {
		return nil, fmt.Errorf("encode: %w", err)
	}
	var out map[string]json.RawMessage
	if err := json.Unmarshal(b, &out); err != nil {
		return nil, fmt.Errorf("encode: %w", err)
	}
	return out, nil
}

// restore puts back the fields that the configuration could not say. They are
// believed only where the configuration would read the same with them: somebody may
// have changed it since, with a tool that knows nothing of us.
func restore(c spec.Component, env envelope, given map[string]json.RawMessage) spec.Component {
	lost := env.spec
	env.spec = nil
	plain, err := configOf(c, env)
	if len(lost) == 0 || err != nil {
		return c
	}
	readsSame := func(other spec.Component) bool {
		meaning, err := configOf(other, env)
		if err != nil {
			return false
		}
		sealed := env
		sealed.spec = lost
		written, err := configOf(other, sealed)
		return err == nil && eachSame(meaning, plain, written, given)
	}
	if all, ok := withFields(c, lost); ok && readsSame(all) {
		return all
	}
	for _, name := range slices.Sorted(maps.Keys(lost)) {
		if one, ok := withFields(c, map[string]json.RawMessage{name: lost[name]}); ok && readsSame(one) {
			c = one
		}
	}
	return c
}

// eachSame reports whether every key means what is plainly there, or is written as it
// was given.
func eachSame(meaning, plain, written, given map[string]json.RawMessage) bool {
	for k, raw := range meaning {
		if !same(raw, plain[k]) && !same(written[k], given[k]) {
			return false
		}
	}
	for k := range plain {
		if _, ok := meaning[k]; !ok && given[k] != nil {
			return false
		}
	}
	return true
}

func withFields(c spec.Component, over map[string]json.RawMessage) (spec.Component, bool) {
	have, err := fields(c)
	if err != nil {
		return c, false
	}
	for k, raw := range over {
		if isNull(raw) {
			delete(have, k)
			continue
		}
		have[k] = raw
	}
	b, err := json.Marshal(have)
	if err != nil {
		return c, false
	}
	out := spec.Component{Kind: c.Kind}
	return out, json.Unmarshal(b, &out) == nil
}
