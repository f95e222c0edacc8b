package pulsarform

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"

	"github.com/functionmesh/terraform-provider-functionmesh/internal/spec"
)

// inputKeys are the settings that say what is read; a change of one replaces them all.
var inputKeys = []string{
	"inputs", "customSerdeInputs", "customSchemaInputs", "topicToSerdeClassName", "topicToSchemaType", "inputSpecs", "topicsPattern",
}

// Merge applies a partial configuration as Pulsar's PUT does: what change does not
// set stays. Inputs are replaced together; a topic that stays keeps its settings unless
// change speaks of them. The envelope stays unless change brings one.
func Merge(have, change []byte) ([]byte, error) {
	var old, delta map[string]json.RawMessage
	if err := json.Unmarshal(have, &old); err != nil {
		return nil, fmt.Errorf("stored configuration: %w", err)
	}
	if err := json.Unmarshal(change, &delta); err != nil || delta == nil {
		return nil, &FieldError{Err: errors.Join(errors.New("not a JSON object"), err)}
	}
	maps.DeleteFunc(delta, func(_ string, raw json.RawMessage) bool { return isNull(raw) })
	if err := mergeInputs(old, delta); err != nil {
		return nil, err
	}
	if raw, ok := delta["customRuntimeOptions"]; ok {
		merged, err := mergeOptions(old["customRuntimeOptions"], raw)
		if err != nil {
			return nil, err
		}
		delta["customRuntimeOptions"] = merged
	}
	maps.Copy(old, delta)
	return json.Marshal(old)
}

func mergeInputs(old, delta map[string]json.RawMessage) error {
	if !slices.ContainsFunc(inputKeys, func(key string) bool { _, ok := delta[key]; return ok }) {
		return nil
	}
	var specs, given map[string]json.RawMessage
	var list []string
	for key, target := range map[string]any{"inputSpecs": &given, "inputs": &list} {
		if raw, ok := delta[key]; ok {
			if err := json.Unmarshal(raw, target); err != nil {
				return &FieldError{Path: spec.Path(key), Err: err}
			}
		}
	}
	if raw, ok := old["inputSpecs"]; ok {
		if err := json.Unmarshal(raw, &specs); err != nil {
			return fmt.Errorf("stored configuration: %w", err)
		}
	}
	given = keepListed(given, specs, list)
	for _, key := range inputKeys {
		delete(old, key)
	}
	if given != nil {
		raw, err := json.Marshal(given)
		if err != nil {
			return fmt.Errorf("encode: %w", err)
		}
		delta["inputSpecs"] = raw
	}
	return nil
}

// keepListed adds to given the old settings of listed topics that given does not speak of.
func keepListed(given, old map[string]json.RawMessage, list []string) map[string]json.RawMessage {
	for _, topic := range list {
		if kept, ok := old[topic]; ok && given[topic] == nil {
			if given == nil {
				given = map[string]json.RawMessage{}
			}
			given[topic] = kept
		}
	}
	return given
}

// mergeOptions puts the user's new content beside the envelope that is there.
func mergeOptions(old, change json.RawMessage) (json.RawMessage, error) {
	var have, want *string
	if err := json.Unmarshal(change, &want); err != nil {
		return nil, &FieldError{Path: "customRuntimeOptions", Err: err}
	}
	if old != nil {
		if err := json.Unmarshal(old, &have); err != nil {
			return nil, fmt.Errorf("stored configuration: %w", err)
		}
	}
	if env, _ := openEnvelope(want); !env.isZero() {
		return change, nil
	}
	env, _ := openEnvelope(have)
	extra := map[string]spec.JSON{}
	if val(want) != "" {
		extra = putExtraString(extra, "customRuntimeOptions", *want)
	}
	sealed := env.seal(extra)
	if sealed == nil {
		return quote(""), nil
	}
	return quote(*sealed), nil
}
