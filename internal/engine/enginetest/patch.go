package enginetest

import (
	"encoding/json"
	"fmt"
	"reflect"
	"strings"

	"github.com/functionmesh/terraform-provider-functionmesh/internal/engine"
)

// patch performs changes on have, with the values of want. It works on the JSON that
// paths are written in; what JSON leaves out is taken from want.
func patch[S any](have, want S, changes []engine.Change) (S, error) {
	out := clone(want)
	from, to := map[string]any{}, map[string]any{}
	for doc, s := range map[*map[string]any]S{&from: want, &to: have} {
		raw, err := json.Marshal(s)
		if err != nil {
			return out, err
		}
		if err := json.Unmarshal(raw, doc); err != nil {
			return out, err
		}
	}
	for _, c := range changes {
		steps, err := split(c.Path)
		if err != nil {
			return out, err
		}
		move(to, from, steps)
	}
	raw, err := json.Marshal(to)
	if err != nil {
		return out, err
	}
	empty(reflect.ValueOf(&out).Elem())
	return out, json.Unmarshal(raw, &out)
}

// empty clears every field that JSON knows.
func empty(v reflect.Value) {
	for i := range v.NumField() {
		f := v.Type().Field(i)
		if name, _, _ := strings.Cut(f.Tag.Get("json"), ","); f.IsExported() && name != "-" {
			v.Field(i).SetZero()
		}
	}
}

// move makes the value at the end of steps in to that of from.
func move(to, from map[string]any, steps []string) {
	for _, s := range steps[:len(steps)-1] {
		next, ok := to[s].(map[string]any)
		if !ok {
			next = map[string]any{}
			to[s] = next
		}
		to = next
		from, _ = from[s].(map[string]any)
	}
	last := steps[len(steps)-1]
	value, ok := from[last]
	if !ok {
		delete(to, last)
		return
	}
	to[last] = value
}

// split reads a path: names joined by dots, keys as JSON strings in brackets.
func split(path string) ([]string, error) {
	var steps []string
	for rest := path; rest != ""; {
		if !strings.HasPrefix(rest, "[") {
			rest = strings.TrimPrefix(rest, ".")
			end := strings.IndexAny(rest, ".[")
			if end < 0 {
				end = len(rest)
			}
			steps, rest = append(steps, rest[:end]), rest[end:]
			continue
		}
		var key string
		d := json.NewDecoder(strings.NewReader(rest[1:]))
		if err := d.Decode(&key); err != nil {
			return nil, fmt.Errorf("path %q: %w", path, err)
		}
		rest = strings.TrimPrefix(rest[1+d.InputOffset():], "]")
		steps = append(steps, key)
	}
	if len(steps) == 0 {
		return nil, fmt.Errorf("path %q names nothing", path)
	}
	return steps, nil
}

// clone copies a value with everything below it, so that a caller and the platform
// never share memory.
func clone[T any](v T) T {
	out, _ := reflect.TypeAssert[T](copied(reflect.ValueOf(&v).Elem()))
	return out
}

func copied(v reflect.Value) reflect.Value {
	out := reflect.New(v.Type()).Elem()
	out.Set(v)
	switch v.Kind() {
	case reflect.Pointer, reflect.Map, reflect.Slice:
		if !v.IsNil() {
			out.Set(reached(v))
		}
	case reflect.Struct:
		for i := range v.NumField() {
			if out.Field(i).CanSet() {
				out.Field(i).Set(copied(v.Field(i)))
			}
		}
	default:
	}
	return out
}

// reached copies what a pointer, a map or a slice refers to.
func reached(v reflect.Value) reflect.Value {
	switch v.Kind() {
	case reflect.Map:
		out := reflect.MakeMapWithSize(v.Type(), v.Len())
		for _, k := range v.MapKeys() {
			out.SetMapIndex(k, copied(v.MapIndex(k)))
		}
		return out
	case reflect.Slice:
		out := reflect.MakeSlice(v.Type(), v.Len(), v.Len())
		for i := range v.Len() {
			out.Index(i).Set(copied(v.Index(i)))
		}
		return out
	default:
		out := reflect.New(v.Type().Elem())
		out.Elem().Set(copied(v.Elem()))
		return out
	}
}
