package spec

import (
	"fmt"
	"reflect"
	"slices"
	"strings"
)

// leaf is one setting that is set: its path, the path with [*] for every key, and its
// value as text. A map entry is a leaf whose value is the key.
type leaf struct {
	path    Path
	pattern Path
	value   string
}

// leavesOf lists what is set in a spec, in a fixed order. Empty strings, nil pointers and
// empty maps are unset.
func leavesOf(spec any) []leaf {
	var found []leaf
	walkLeaves(reflect.ValueOf(spec), leaf{}, &found)
	return found
}

func walkLeaves(v reflect.Value, at leaf, found *[]leaf) {
	switch v.Kind() {
	case reflect.Pointer:
		if !v.IsNil() {
			walkLeaves(v.Elem(), at, found)
		}
	case reflect.Struct:
		for _, field := range fieldsOf(v.Type()) {
			walkLeaves(v.FieldByIndex(field.index), leaf{path: at.path.Field(field.name), pattern: at.pattern.Field(field.name)}, found)
		}
	case reflect.Map:
		for _, key := range sortedKeys(v) {
			entry := leaf{path: at.path.Key(key.String()), pattern: at.pattern + "[*]", value: key.String()}
			*found = append(*found, entry)
			if value := v.MapIndex(key); value.Kind() == reflect.Struct {
				walkLeaves(value, entry, found)
			}
		}
	case reflect.String:
		if at.value = v.String(); at.value != "" {
			*found = append(*found, at)
		}
	default:
		at.value = fmt.Sprint(v.Interface())
		*found = append(*found, at)
	}
}

func sortedKeys(m reflect.Value) []reflect.Value {
	return slices.SortedFunc(slices.Values(m.MapKeys()), func(a, b reflect.Value) int {
		return strings.Compare(a.String(), b.String())
	})
}

// jsonField is a field of a struct by its JSON name.
type jsonField struct {
	name  string
	index []int
	typ   reflect.Type
}

// fieldsOf lists the fields that JSON knows, in the order of their declaration.
func fieldsOf(t reflect.Type) []jsonField {
	var fields []jsonField
	for field := range t.Fields() {
		name, _, _ := strings.Cut(field.Tag.Get("json"), ",")
		if name != "" && name != "-" {
			fields = append(fields, jsonField{name: name, index: field.Index, typ: field.Type})
		}
	}
	return fields
}
