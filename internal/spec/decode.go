package spec

import (
	"encoding/json"
	"reflect"
	"strings"
)

// DecodeComponent reads a component of a kind from strict JSON: every unknown attribute
// and every value of a wrong type is a problem with its path. config and user_config
// may be an object or a string that holds one. With problems the component is empty but
// for its kind.
func DecodeComponent(kind Kind, data []byte) (Component, []Problem) {
	c, problems := DecodeStrict[Component](data)
	return c.decoded(kind), problems
}

// DecodeMesh reads a mesh as DecodeComponent does a component. Each component's kind is
// that of the map it lies in.
func DecodeMesh(data []byte) (Mesh, []Problem) {
	m, problems := DecodeStrict[Mesh](data)
	for _, kind := range meshOrder() {
		components := m.Components(kind)
		for key, c := range components {
			components[key] = c.decoded(kind)
		}
	}
	return m, problems
}

// DecodeTopic reads a topic as DecodeComponent does a component.
func DecodeTopic(data []byte) (Topic, []Problem) { return DecodeStrict[Topic](data) }

// DecodeTenant reads a tenant as DecodeComponent does a component.
func DecodeTenant(data []byte) (Tenant, []Problem) { return DecodeStrict[Tenant](data) }

// DecodeNamespace reads a namespace as DecodeComponent does a component.
func DecodeNamespace(data []byte) (Namespace, []Problem) { return DecodeStrict[Namespace](data) }

func (c Component) decoded(kind Kind) Component {
	c.Kind = kind
	c.Config, c.UserConfig = c.Config.unwrapped(), c.UserConfig.unwrapped()
	return c
}

// DecodeStrict reads one JSON document into a struct whose fields carry JSON names:
// every unknown field, every repeated one and every value of a wrong type is a problem
// with its path. null is unset. With problems the result is empty. No problem quotes a
// text of the document, which may be secret.
func DecodeStrict[S any](data []byte) (S, []Problem) {
	var spec S
	f := newFindings()
	document, err := decodeDocument(data)
	if err == nil {
		f.matches(document, reflect.TypeFor[S]())
	} else {
		f.fail(sentence(err.Error()), "")
	}
	if len(*f.all) > 0 {
		return spec, *f.all
	}
	if err := json.Unmarshal(data, &spec); err != nil {
		var empty S
		f.fail(sentence(err.Error()), "")
		return empty, *f.all
	}
	return spec, nil
}

// matches checks a decoded document against a type. null is unset, everywhere.
func (f findings) matches(v any, t reflect.Type) {
	switch {
	case v == nil && f.at != "", t == reflect.TypeFor[JSON]():
	case t == reflect.TypeFor[Quantity]():
		if _, number := v.(json.Number); !number {
			f.matchesBasic(v, t)
		}
	case t.Kind() == reflect.Pointer:
		f.matches(v, t.Elem())
	case t.Kind() == reflect.Struct:
		f.matchesStruct(v, t)
	case t.Kind() == reflect.Map:
		if object, ok := f.wantObject(v); ok {
			for _, key := range SortedKeys(object) {
				f.key(key).matches(object[key], t.Elem())
			}
		}
	case t.Kind() == reflect.Slice:
		f.matchesList(v, t)
	default:
		f.matchesBasic(v, t)
	}
}

func (f findings) wantObject(v any) (map[string]any, bool) {
	object, ok := v.(map[string]any)
	if !ok {
		f.failf("Write { … }.", "It is %s, not an object.", jsonType(v))
	}
	return object, ok
}

func (f findings) matchesStruct(v any, t reflect.Type) {
	object, ok := f.wantObject(v)
	if !ok {
		return
	}
	fields := fieldsOf(t)
	types := map[string]reflect.Type{}
	names := make([]string, len(fields))
	for i, field := range fields {
		types[field.name], names[i] = field.typ, field.name
	}
	for _, name := range SortedKeys(object) {
		at := f.below(f.at.entry(name))
		if typ, known := types[name]; known {
			at.matches(object[name], typ)
			continue
		}
		at.fail("There is no such attribute.", "Known here are "+strings.Join(names, ", ")+".")
	}
}

func (f findings) matchesList(v any, t reflect.Type) {
	list, ok := v.([]any)
	if !ok {
		f.failf("Write [ … ].", "It is %s, not a list.", jsonType(v))
		return
	}
	for i, element := range list {
		f.below(f.at.Index(i)).matches(element, t.Elem())
	}
}

func (f findings) matchesBasic(v any, t reflect.Type) {
	want, ok := "a string", false
	switch t.Kind() {
	case reflect.Bool:
		want = "a boolean"
		_, ok = v.(bool)
	case reflect.Int, reflect.Int64:
		want = "an integer"
		var number json.Number
		if number, ok = v.(json.Number); ok {
			_, err := number.Int64()
			ok = err == nil
		}
	default:
		_, ok = v.(string)
	}
	if !ok {
		f.failf("", "It is %s, not %s.", describe(v), want)
	}
}

// describe shows a number, whose value may be what is wrong, and the type of the rest.
func describe(v any) string {
	if number, ok := v.(json.Number); ok {
		return string(number)
	}
	return jsonType(v)
}
