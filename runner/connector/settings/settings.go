package settings

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"path/filepath"
	"slices"

	"github.com/functionmesh/terraform-provider-functionmesh/internal/spec"
	"github.com/functionmesh/terraform-provider-functionmesh/runner/pipeline"
)

// Place is where a connector runs.
type Place struct {
	BaseDir     string          // what relative paths start at
	WorkDir     string          // private to the instance and kept between its runs: for positions
	Instance    int             // 0 <= Instance < Parallelism
	Parallelism int             // copies that share the work
	Report      func(err error) // counts and logs what was skipped; never nil after Checked
}

// Checked returns the place with every field usable.
func (p Place) Checked() Place {
	p.Parallelism = max(p.Parallelism, 1)
	if p.Report == nil {
		p.Report = func(error) {}
	}
	return p
}

// Resolve returns the absolute form of a path that a user configured.
func (p Place) Resolve(path string) (string, error) {
	if !filepath.IsAbs(path) {
		path = filepath.Join(p.BaseDir, path)
	}
	return filepath.Abs(path)
}

// Decode reads config, a JSON object or "", into v, which has one field per setting of
// the table. Defaults are the table's. The error is a *pipeline.TerminalError.
func Decode(connector string, kind spec.Kind, config string, v any) error {
	table, ok := spec.LookupConnector(connector)
	if !ok || !slices.Contains(table.Kinds, kind) {
		return invalid(fmt.Errorf("there is no built-in %s %q", kind, connector))
	}
	given := map[string]json.RawMessage{}
	if config != "" {
		if err := json.Unmarshal([]byte(config), &given); err != nil {
			return invalid(fmt.Errorf("config: %w", err))
		}
	}
	merged := map[string]json.RawMessage{}
	var errs []error
	for _, f := range table.FieldsFor(kind) {
		value, err := setting(f, given)
		delete(given, f.Name)
		if err != nil {
			errs = append(errs, err)
		} else if value != nil {
			merged[f.Name] = value
		}
	}
	for _, name := range slices.Sorted(maps.Keys(given)) {
		errs = append(errs, fmt.Errorf("config.%s: connector %s has no such setting as a %s", name, connector, kind))
	}
	if err := errors.Join(errs...); err != nil {
		return invalid(err)
	}
	if err := fill(v, merged); err != nil {
		return invalid(fmt.Errorf("config: %w", err))
	}
	return nil
}

// fill refuses a setting of the table that the connector does not have.
func fill(v any, merged map[string]json.RawMessage) error {
	data, err := json.Marshal(merged)
	if err != nil {
		return err
	}
	strict := json.NewDecoder(bytes.NewReader(data))
	strict.DisallowUnknownFields()
	return strict.Decode(v)
}

// setting is the given value of a field, else its default.
func setting(f spec.ConfigField, given map[string]json.RawMessage) (json.RawMessage, error) {
	value, ok := given[f.Name]
	if !ok || string(value) == "null" {
		if f.Required {
			return nil, fmt.Errorf("config.%s: is required", f.Name)
		}
		if f.Default == nil {
			return nil, nil
		}
		return json.Marshal(f.Default)
	}
	if len(f.Values) == 0 {
		return value, nil
	}
	var word string
	if err := json.Unmarshal(value, &word); err != nil || !slices.Contains(f.Values, word) {
		return nil, fmt.Errorf("config.%s: %s is not one of %q", f.Name, value, f.Values)
	}
	return value, nil
}

func invalid(err error) error {
	return &pipeline.TerminalError{Reason: "InvalidConfig", Err: err}
}
