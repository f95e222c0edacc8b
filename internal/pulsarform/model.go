package pulsarform

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"strings"

	"github.com/functionmesh/terraform-provider-functionmesh/internal/spec"
)

// FieldError is a configuration that cannot be read, with the place in Pulsar's words.
type FieldError struct {
	Path spec.Path
	Err  error
}

// Error reads "path: cause".
func (e *FieldError) Error() string {
	if e.Path == "" {
		return e.Err.Error()
	}
	return string(e.Path) + ": " + e.Err.Error()
}

// Unwrap gives the cause.
func (e *FieldError) Unwrap() error { return e.Err }

// unmarshalModel fills the tagged fields of *model and returns what is left. Unlike
// encoding/json it matches names exactly: Pulsar's fields differ from a user's unknown
// ones only by case now and then. Null means unset, as it does for Pulsar.
func unmarshalModel(data []byte, model any) (map[string]json.RawMessage, error) {
	var all map[string]json.RawMessage
	if err := json.Unmarshal(data, &all); err != nil {
		return nil, fmt.Errorf("not a JSON object: %w", err)
	}
	v := reflect.ValueOf(model).Elem()
	for i := range v.NumField() {
		name := tagName(v.Type().Field(i))
		raw, ok := all[name]
		if name == "" || !ok {
			continue
		}
		delete(all, name)
		if isNull(raw) {
			continue
		}
		if err := json.Unmarshal(raw, v.Field(i).Addr().Interface()); err != nil {
			return nil, fieldError(name, err)
		}
	}
	for k, raw := range all {
		if isNull(raw) {
			delete(all, k)
		}
	}
	if len(all) == 0 {
		return nil, nil //nolint:nilnil // nothing left is the ordinary case
	}
	return all, nil
}

func fieldError(name string, err error) error {
	path := spec.Path("").Field(name)
	if inner, ok := errors.AsType[*FieldError](err); ok {
		return &FieldError{Path: path + "." + inner.Path, Err: inner.Err}
	}
	if wrong, ok := errors.AsType[*json.UnmarshalTypeError](err); ok {
		err = fmt.Errorf("it is %s and must be %s", written(wrong.Value), wanted(wrong.Type))
	}
	return &FieldError{Path: path, Err: err}
}

// written is what a value of JSON is in words.
func written(value string) string {
	kind, _, _ := strings.Cut(value, " ") // of a number its text follows
	switch kind {
	case "string":
		return "text"
	case "bool":
		return "true or false"
	case "number":
		return "a number"
	case "array":
		return "a list"
	default:
		return "an object"
	}
}

// wanted is what a Go type takes, in the same words.
func wanted(t reflect.Type) string {
	for t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	switch {
	case t.Kind() == reflect.String:
		return "text"
	case t.Kind() == reflect.Bool:
		return "true or false"
	case t.Kind() == reflect.Slice:
		return "a list"
	case t.Kind() == reflect.Float64:
		return "a number"
	case t.ConvertibleTo(reflect.TypeFor[int]()):
		return "a whole number that is not too large"
	default:
		return "an object"
	}
}

// marshalModel is the inverse of unmarshalModel: unset fields (nil) are left out, and
// an entry of rest with the name of a field counts only where the field is unset and
// could hold it.
func marshalModel(model any, rest map[string]json.RawMessage) (map[string]json.RawMessage, error) {
	out := make(map[string]json.RawMessage, len(rest)+8)
	for k, raw := range rest {
		if !isNull(raw) {
			out[k] = raw
		}
	}
	v := reflect.ValueOf(model)
	for i := range v.NumField() {
		name := tagName(v.Type().Field(i))
		if name == "" {
			continue
		}
		if v.Field(i).IsNil() {
			if raw, ok := out[name]; ok && json.Unmarshal(raw, reflect.New(v.Type().Field(i).Type).Interface()) != nil {
				delete(out, name)
			}
			continue
		}
		raw, err := json.Marshal(v.Field(i).Interface())
		if err != nil {
			return nil, &FieldError{Path: spec.Path(name), Err: err}
		}
		out[name] = raw
	}
	return out, nil
}

func tagName(f reflect.StructField) string {
	name, _, _ := strings.Cut(f.Tag.Get("json"), ",")
	if name == "-" {
		return ""
	}
	return name
}

func isNull(raw json.RawMessage) bool { return string(bytes.TrimSpace(raw)) == "null" }

// isObject reports whether raw is a JSON object; raw is known to be valid JSON.
func isObject(raw json.RawMessage) bool { return bytes.HasPrefix(bytes.TrimSpace(raw), []byte("{")) }

// canonical is the text by which documents are compared: sorted keys, no spaces,
// numbers as they were written.
func canonical(raw []byte) (string, error) {
	dec := json.NewDecoder(bytes.NewReader(raw))
	dec.UseNumber()
	var v any
	if err := dec.Decode(&v); err != nil {
		return "", fmt.Errorf("not JSON: %w", err)
	}
	if dec.More() {
		return "", errors.New("not JSON: text after the document")
	}
	b, err := json.Marshal(v)
	if err != nil {
		return "", fmt.Errorf("not JSON: %w", err)
	}
	return string(b), nil
}

// same reports whether two valid documents are equal; nil is a document that is not
// there.
func same(a, b json.RawMessage) bool {
	if (a == nil) != (b == nil) {
		return false
	}
	if a == nil || bytes.Equal(a, b) {
		return true
	}
	x, errX := canonical(a)
	y, errY := canonical(b)
	return errX == nil && errY == nil && x == y
}

// val is what p points at, or nothing.
func val[T any](p *T) T {
	if p == nil {
		var zero T
		return zero
	}
	return *p
}

// opt is a pointer to v, or nil when v is nothing.
func opt[T comparable](v T) *T {
	var zero T
	if v == zero {
		return nil
	}
	return &v
}
