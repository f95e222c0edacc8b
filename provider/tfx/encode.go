package tfx

import (
	"math/big"
	"reflect"

	"github.com/hashicorp/terraform-plugin-go/tftypes"
)

// mode says what Encode does with what the user has not written.
type mode int

const (
	refresh mode = iota // null stays null while the observed value is the default
	imports             // as refresh, and what is left to the platform is written down
	all                 // every value is written: a data source
)

// encoder turns an observed spec into an object, guided by a prior one.
type encoder struct {
	place
	mode mode
}

// Encode writes the fields of observed into an object of prior's type. fill
// completes a spec with the documented defaults. Attributes that the spec has no
// field for keep prior's value.
func encode[S any](e encoder, observed S, prior tftypes.Value, fill func(S) S) tftypes.Value {
	have := reflect.ValueOf(fill(observed))
	bare := reflect.New(have.Type()).Elem()
	e.strip(have, bare, prior)
	def := reflect.ValueOf(fill(bare.Interface().(S))) //nolint:forcetypeassert // bare was made with S's type
	return e.object(prior.Type(), have, def, prior)
}

// strip copies have into bare without the leaves that prior does not mention: what
// the defaults then fill in is what null means.
func (e encoder) strip(have, bare reflect.Value, prior tftypes.Value) {
	switch have.Kind() {
	case reflect.Pointer:
		if have.IsNil() {
			return
		}
		if have.Type().Elem().Kind() != reflect.Struct {
			e.stripLeaf(have, bare, prior)
			return
		}
		bare.Set(reflect.New(have.Type().Elem()))
		e.strip(have.Elem(), bare.Elem(), prior)
	case reflect.Struct:
		attrs, _ := children(prior)
		e.stripHidden(have, bare)
		for _, f := range fieldsOf(have.Type()) {
			e.strip(have.Field(f.index), bare.Field(f.index), attrs[f.name])
		}
	case reflect.Map:
		e.stripMap(have, bare, prior)
	default:
		e.stripLeaf(have, bare, prior)
	}
}

func (e encoder) stripLeaf(have, bare reflect.Value, prior tftypes.Value) {
	if isSet(prior) {
		bare.Set(have)
	}
}

// stripHidden keeps what JSON has no word for: a component's kind.
func (e encoder) stripHidden(have, bare reflect.Value) {
	for i := range have.NumField() {
		if have.Type().Field(i).Tag.Get("json") == "-" {
			bare.Field(i).Set(have.Field(i))
		}
	}
}

func (e encoder) stripMap(have, bare reflect.Value, prior tftypes.Value) {
	if have.IsNil() {
		return
	}
	elems, _ := children(prior)
	spelt := e.spellings(have.Type(), elems)
	bare.Set(reflect.MakeMapWithSize(have.Type(), have.Len()))
	for _, k := range have.MapKeys() {
		b := reflect.New(have.Type().Elem()).Elem()
		e.strip(have.MapIndex(k), b, elems[spelt[k.String()]])
		bare.SetMapIndex(k, b)
	}
}

// spellings maps the canonical form of each key to the user's.
func (e encoder) spellings(t reflect.Type, elems map[string]tftypes.Value) map[string]string {
	spelt := make(map[string]string, len(elems))
	for k := range elems {
		spelt[e.canonical(keySemantic(t), k)] = k
	}
	return spelt
}

// isSet reports whether prior holds a known value. The zero Value, which a missing
// attribute gives, is not set.
func isSet(prior tftypes.Value) bool {
	return prior.Type() != nil && prior.IsKnown() && !prior.IsNull()
}

func (e encoder) value(t tftypes.Type, have, def reflect.Value, prior tftypes.Value, sem semantic) tftypes.Value {
	switch have.Kind() {
	case reflect.Pointer:
		if have.Type().Elem().Kind() != reflect.Struct {
			return e.leaf(t, have, def, prior, sem)
		}
		return e.optional(t, have, def, prior)
	case reflect.Struct:
		return e.object(t, have, def, prior)
	case reflect.Map:
		return e.mapping(t, have, def, prior)
	default:
		return e.leaf(t, have, def, prior, sem)
	}
}

// optional encodes a nested object that may be absent. One that the user has not
// written appears only when it says something.
func (e encoder) optional(t tftypes.Type, have, def reflect.Value, prior tftypes.Value) tftypes.Value {
	if have.IsNil() {
		if isSet(prior) && isEmpty(prior) {
			return prior
		}
		return tftypes.NewValue(t, nil)
	}
	inner := reflect.Zero(have.Type().Elem())
	if def.IsValid() && !def.IsNil() {
		inner = def.Elem()
	}
	v := e.object(t, have.Elem(), inner, prior)
	if !isSet(prior) && isEmpty(v) {
		return tftypes.NewValue(t, nil)
	}
	return v
}

func (e encoder) object(t tftypes.Type, have, def reflect.Value, prior tftypes.Value) tftypes.Value {
	types := t.(tftypes.Object).AttributeTypes //nolint:forcetypeassert // the schema's objects are made for spec's structs
	attrs, _ := children(prior)
	out := make(map[string]tftypes.Value, len(types))
	for name, at := range types {
		if v, ok := attrs[name]; ok {
			out[name] = v
		} else {
			out[name] = tftypes.NewValue(at, nil)
		}
	}
	for _, f := range fieldsOf(have.Type()) {
		at, ok := types[f.name]
		if !ok {
			continue
		}
		out[f.name] = e.value(at, have.Field(f.index), def.Field(f.index), attrs[f.name], f.sem)
	}
	return tftypes.NewValue(t, out)
}

func (e encoder) mapping(t tftypes.Type, have, def reflect.Value, prior tftypes.Value) tftypes.Value {
	if have.Len() == 0 {
		if isSet(prior) {
			return tftypes.NewValue(t, map[string]tftypes.Value{})
		}
		return tftypes.NewValue(t, nil)
	}
	et := t.(tftypes.Map).ElementType //nolint:forcetypeassert // the schema's maps are made for spec's maps
	elems, _ := children(prior)
	spelt := e.spellings(have.Type(), elems)
	out := make(map[string]tftypes.Value, have.Len())
	for _, k := range have.MapKeys() {
		word, ok := spelt[k.String()]
		if !ok {
			word = e.shortest(keySemantic(have.Type()), k.String())
		}
		d := reflect.Zero(have.Type().Elem())
		if def.IsValid() && def.MapIndex(k).IsValid() {
			d = def.MapIndex(k)
		}
		out[word] = e.value(et, have.MapIndex(k), d, elems[word], elementSemantic(have.Type()))
	}
	return tftypes.NewValue(t, out)
}

func (e encoder) leaf(t tftypes.Type, have, def reflect.Value, prior tftypes.Value, sem semantic) tftypes.Value {
	if isSet(prior) {
		if sem == file || e.means(prior, have, sem) {
			return prior
		}
		return e.write(t, have, sem)
	}
	switch {
	case e.mode == all:
	case sem == server:
		if e.mode == refresh || have.String() != "stopped" {
			return tftypes.NewValue(t, nil)
		}
	case sem == file && e.mode == refresh,
		reflect.DeepEqual(have.Interface(), def.Interface()):
		return tftypes.NewValue(t, nil)
	}
	return e.write(t, have, sem)
}

// means reports whether the user's value says what is observed.
func (e encoder) means(prior tftypes.Value, have reflect.Value, sem semantic) bool {
	said := reflect.New(have.Type()).Elem()
	if err := (&decoder{}).value(prior, said, ""); err != nil {
		return false
	}
	if have.Kind() == reflect.String {
		return e.canonical(sem, said.String()) == e.canonical(sem, have.String())
	}
	return reflect.DeepEqual(said.Interface(), have.Interface())
}

func (e encoder) write(t tftypes.Type, have reflect.Value, sem semantic) tftypes.Value {
	if have.Kind() == reflect.Pointer {
		if have.IsNil() {
			return tftypes.NewValue(t, nil)
		}
		have = have.Elem()
	}
	switch have.Kind() {
	case reflect.String:
		if have.Len() == 0 {
			return tftypes.NewValue(t, nil)
		}
		return tftypes.NewValue(t, e.shortest(sem, have.String()))
	case reflect.Bool:
		return tftypes.NewValue(t, have.Bool())
	case reflect.Slice:
		return writeStrings(t, have)
	default:
		return tftypes.NewValue(t, new(big.Float).SetInt64(have.Int()))
	}
}

func writeStrings(t tftypes.Type, have reflect.Value) tftypes.Value {
	if have.Len() == 0 {
		return tftypes.NewValue(t, nil)
	}
	elems := make([]tftypes.Value, have.Len())
	for i := range elems {
		elems[i] = tftypes.NewValue(tftypes.String, have.Index(i).String())
	}
	return tftypes.NewValue(t, elems)
}

// isEmpty reports whether an object says nothing: all of its attributes are null.
func isEmpty(v tftypes.Value) bool {
	attrs, err := children(v)
	if err != nil {
		return false
	}
	for _, a := range attrs {
		if !a.IsNull() {
			return false
		}
	}
	return true
}
