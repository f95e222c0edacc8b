package pulsarform

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"sigs.k8s.io/yaml"

	"github.com/functionmesh/terraform-provider-functionmesh/internal/spec"
)

// ErrCustomResource is wrapped by ParseMeshYAML's refusal of a Kubernetes object.
var ErrCustomResource = errors.New("custom resources need the operator, which this build does not have")

// ParseMeshYAML reads one mesh from YAML, in PIP-66's words (functions is a list) or in
// those of functionmesh_mesh (functions is a map; config and user_config may be written
// as YAML). A custom resource is refused by its kind.
func ParseMeshYAML(text []byte) (spec.Mesh, []spec.Problem, error) {
	doc, err := yamlObject(text)
	if err != nil {
		return spec.Mesh{}, nil, err
	}
	var top map[string]json.RawMessage
	if err := json.Unmarshal(doc, &top); err != nil {
		return spec.Mesh{}, nil, fmt.Errorf("not a mesh: %w", err)
	}
	if top["apiVersion"] != nil || top["kind"] != nil {
		return spec.Mesh{}, nil, fmt.Errorf("kind %s: %w; write the mesh in the words of functionmesh_mesh or of PIP-66",
			textOr(top["kind"], "unnamed"), ErrCustomResource)
	}
	if functions := strings.TrimSpace(string(top["functions"])); strings.HasPrefix(functions, "[") || top["jarFile"] != nil {
		return pip66(doc)
	}
	for _, face := range []string{"sources", "functions", "sinks"} {
		if top[face], err = quoteComponents(top[face]); err != nil {
			return spec.Mesh{}, nil, fieldError(face, err)
		}
		if top[face] == nil {
			delete(top, face)
		}
	}
	if doc, err = json.Marshal(top); err != nil {
		return spec.Mesh{}, nil, fmt.Errorf("not a mesh: %w", err)
	}
	mesh, problems := spec.DecodeMesh(doc)
	return mesh, problems, nil
}

func textOr(raw json.RawMessage, otherwise string) string {
	var s string
	if json.Unmarshal(raw, &s) != nil || s == "" {
		return otherwise
	}
	return s
}

// yamlObject turns one YAML document into a JSON object. Further documents would be
// dropped silently by the parser, so they are refused.
func yamlObject(text []byte) ([]byte, error) {
	documents := 0
	content := false
	for line := range strings.Lines(string(text)) {
		marker := strings.HasPrefix(line, "---") && strings.TrimSpace(strings.TrimLeft(line, "-")) == ""
		switch {
		case marker:
			content = false
		case !content && !blank(line) && !strings.HasPrefix(strings.TrimSpace(line), "#"):
			content = true
			documents++
		}
	}
	if documents > 1 {
		return nil, errors.New("not one YAML document: write one mesh per file")
	}
	doc, err := yaml.YAMLToJSONStrict(text)
	if err != nil {
		return nil, fmt.Errorf("not YAML: %w", err)
	}
	if !isObject(doc) {
		return nil, errors.New("not a YAML mapping")
	}
	return doc, nil
}

// quoteComponents turns the JSON settings of components that are written as YAML into
// the text that spec holds.
func quoteComponents(face json.RawMessage) (json.RawMessage, error) {
	if face == nil || isNull(face) {
		return nil, nil
	}
	var components map[string]json.RawMessage
	if err := json.Unmarshal(face, &components); err != nil {
		return nil, err
	}
	for name, raw := range components {
		if !isObject(raw) {
			continue
		}
		var settings map[string]json.RawMessage
		if err := json.Unmarshal(raw, &settings); err != nil {
			return nil, fieldError(name, err)
		}
		for _, key := range []string{"config", "user_config"} {
			if value := settings[key]; isObject(value) {
				settings[key] = quote(string(value))
			}
		}
		out, err := json.Marshal(settings)
		if err != nil {
			return nil, fieldError(name, err)
		}
		components[name] = out
	}
	return json.Marshal(components)
}
