package command

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"

	"github.com/functionmesh/terraform-provider-functionmesh/internal/engine"
	"github.com/functionmesh/terraform-provider-functionmesh/internal/pulsarform"
	"github.com/functionmesh/terraform-provider-functionmesh/internal/spec"
)

// pulsarKind recognises Pulsar's own FunctionConfig, SourceConfig or SinkConfig by its
// fields. What has a word of ours is ours.
func pulsarKind(fields map[string]json.RawMessage) (spec.Kind, bool) {
	has := func(names ...string) bool {
		return slices.ContainsFunc(names, func(n string) bool { _, ok := fields[n]; return ok })
	}
	if has("kind", "builtin", "user_config", "processing_guarantees", "subscription") || isObject(fields["runtime"]) || isObject(fields["output"]) || isObject(fields["inputs"]) {
		return "", false
	}
	switch {
	case has("sinkType"), has("archive") && has("inputs", "inputSpecs", "topicsPattern", "topicToSerdeClassName"):
		return spec.KindSink, true
	case has("sourceType", "topicName", "archive"):
		return spec.KindSource, true
	case has("className", "py", "jar", "go", "inputSpecs", "inputs", "topicsPattern", "fqfn", "functionType"):
		return spec.KindFunction, true
	}
	return "", false
}

func isObject(raw json.RawMessage) bool {
	var fields map[string]json.RawMessage
	return json.Unmarshal(raw, &fields) == nil && fields != nil
}

// decodePulsar reads Pulsar's own form. What it only sends along for other readers, the
// owner for instance, is dropped.
func decodePulsar(kind spec.Kind, fields map[string]json.RawMessage) (spec.Component, error) {
	raw, err := json.Marshal(fields)
	if err != nil {
		return spec.Component{}, err
	}
	d, err := pulsarform.Decode(kind, raw)
	if field, ok := errors.AsType[*pulsarform.FieldError](err); ok {
		return spec.Component{}, &engine.Error{Class: engine.Invalid, Path: string(field.Path), Err: field.Err}
	}
	if err != nil {
		return spec.Component{}, fmt.Errorf("Pulsar's %s configuration: %w", kind, err) //nolint:staticcheck // a name
	}
	c := d.Component
	c.Kind = kind
	if c.Parallelism == nil {
		c.Parallelism = new(1)
	}
	return c, nil
}
