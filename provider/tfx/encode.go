package tfx

import (
	"reflect"
	"strings"

	"github.com/hashicorp/terraform-plugin-go/tftypes"

	"github.com/functionmesh/terraform-provider-functionmesh/internal/spec"
)

// mode says what encoding does with what the user has not written.
type mode int

const (
	refreshing mode = iota // null stays null while the observed value is the default
	importing              // as refreshing, and what is left to the platform is written down
	reporting              // every value is written: a data source
)

// rules say which fields are not simply the user's. Patterns are paths with [*] in
// place of every key; catalog.Entity has them.
type rules interface {
	ServerOwned(pattern string) bool
	ClientOnly(pattern string) bool
}

// encoder turns an observed spec into an object, guided by a prior one.
type encoder struct {
	place
	mode  mode
	rules rules
}

// encode writes the fields of observed into an object of prior's type. fill
// completes a spec with the documented defaults. Attributes that the spec has no
// field for keep prior's value.
func encode[S any](e encoder, observed S, prior tftypes.Value, fill func(S) S) tftypes.Value {
	have := reflect.ValueOf(fill(observed))
	bare := reflect.New(have.Type()).Elem()
	e.strip(have, bare, prior)
	def := reflect.ValueOf(fill(bare.Interface().(S))) //nolint:forcetypeassert // bare was made with S's type
	return e.object(cell{t: prior.Type(), have: have, def: def, prior: prior})
}

// cell is one place of the object that is being encoded.
type cell struct {
	t     tftypes.Type
	have  reflect.Value // what is observed, defaults filled in
	def   reflect.Value // what the defaults make of the place when the user says nothing
	prior tftypes.Value // what the user wrote, or the last state
	sem   semantic
	at    string // the pattern of the path, as diff.Rules has them
}

func (c cell) null() tftypes.Value { return tftypes.NewValue(c.t, nil) }

func (e encoder) value(c cell) tftypes.Value {
	switch c.have.Kind() {
	case reflect.Pointer:
		if c.have.Type().Elem().Kind() != reflect.Struct {
			return e.leaf(c)
		}
		return e.optional(c)
	case reflect.Struct:
		return e.object(c)
	case reflect.Map:
		return e.mapping(c)
	default:
		return e.leaf(c)
	}
}

// optional encodes a nested object that may be absent. One that the user has not
// written appears only when it says something.
func (e encoder) optional(c cell) tftypes.Value {
	if c.have.IsNil() {
		if isSet(c.prior) && isEmpty(c.prior) {
			return c.prior
		}
		return c.null()
	}
	inner := c
	inner.have, inner.def = c.have.Elem(), reflect.Zero(c.have.Type().Elem())
	if c.def.IsValid() && !c.def.IsNil() {
		inner.def = c.def.Elem()
	}
	v := e.object(inner)
	if !isSet(c.prior) && isEmpty(v) {
		return c.null()
	}
	return v
}

func (e encoder) object(c cell) tftypes.Value {
	types := c.t.(tftypes.Object).AttributeTypes //nolint:forcetypeassert // the schema's objects are made for spec's structs
	attrs, _ := children(c.prior)
	out := make(map[string]tftypes.Value, len(types))
	for name, at := range types {
		if v, ok := attrs[name]; ok {
			out[name] = v
		} else {
			out[name] = tftypes.NewValue(at, nil)
		}
	}
	for _, f := range fieldsOf(c.have.Type()) {
		at, ok := types[f.name]
		if !ok {
			continue
		}
		out[f.name] = e.value(cell{
			t: at, have: c.have.Field(f.index), def: c.def.Field(f.index), prior: attrs[f.name],
			sem: f.sem, at: strings.TrimPrefix(c.at+"."+f.name, "."),
		})
	}
	if c.have.Type() == reflect.TypeFor[spec.Code]() && e.mode != reporting {
		e.origin(c, attrs, out)
	}
	return tftypes.NewValue(c.t, out)
}

// origin settles where code comes from. Code is compared by its digest: what the user
// wrote stays while the digest is theirs, and always when they wrote a file. Of what
// a platform names, an import prefers the URL.
func (e encoder) origin(c cell, prior, out map[string]tftypes.Value) {
	digest := prior[digestAttribute]
	switch {
	case isSet(prior["file"]), isSet(prior["url"]) && isSet(digest) && digest.Equal(out[digestAttribute]):
		out["file"], out["url"] = prior["file"], prior["url"]
	case c.have.FieldByName("URL").String() != "" || e.mode == refreshing:
		out["file"] = tftypes.NewValue(tftypes.String, nil)
	}
}

func (e encoder) mapping(c cell) tftypes.Value {
	if c.have.Len() == 0 {
		if isSet(c.prior) {
			return tftypes.NewValue(c.t, map[string]tftypes.Value{})
		}
		return c.null()
	}
	if !isSet(c.prior) && e.mode == refreshing && e.rules.ServerOwned(c.at) {
		return c.null()
	}
	mt := c.have.Type()
	et := c.t.(tftypes.Map).ElementType //nolint:forcetypeassert // the schema's maps are made for spec's maps
	elems, _ := children(c.prior)
	spelt := e.spellings(mt, elems)
	out := make(map[string]tftypes.Value, c.have.Len())
	for _, k := range c.have.MapKeys() {
		word, ok := spelt[e.canonical(keySemantic(mt), k.String())]
		if !ok {
			word = e.shortest(keySemantic(mt), k.String())
		}
		d := reflect.Zero(mt.Elem())
		if c.def.IsValid() && c.def.MapIndex(k).IsValid() {
			d = c.def.MapIndex(k)
		}
		out[word] = e.value(cell{
			t: et, have: c.have.MapIndex(k), def: d, prior: elems[word],
			sem: elementSemantic(mt), at: c.at + "[*]",
		})
	}
	return tftypes.NewValue(c.t, out)
}

func (e encoder) leaf(c cell) tftypes.Value {
	client := e.rules.ClientOnly(c.at)
	if isSet(c.prior) {
		if client || e.means(c) {
			return c.prior
		}
		return e.write(c)
	}
	if e.mode == reporting || !e.unsaid(c, client) {
		return e.write(c)
	}
	return c.null()
}

// unsaid reports whether a leaf that the user has not written stays so.
func (e encoder) unsaid(c cell, client bool) bool {
	if e.mode == refreshing && (client || e.rules.ServerOwned(c.at)) {
		return true
	}
	if c.sem == count {
		return whole(c.have) == 0
	}
	return c.def.IsValid() && reflect.DeepEqual(c.have.Interface(), c.def.Interface()) || isUsual(c.have)
}

// isUsual reports the one value that a platform chooses by itself and that an import
// need not mention: a component that runs.
func isUsual(have reflect.Value) bool {
	return have.Type() == reflect.TypeFor[spec.State]() && have.String() == string(spec.StateRunning)
}

// means reports whether the user's value says what is observed.
func (e encoder) means(c cell) bool {
	said := reflect.New(c.have.Type()).Elem()
	if err := (&decoder{}).value(c.prior, said, ""); err != nil {
		return false
	}
	if c.sem == count {
		return whole(said) == whole(c.have)
	}
	if c.have.Kind() == reflect.String {
		return e.canonical(c.sem, said.String()) == e.canonical(c.sem, c.have.String())
	}
	return reflect.DeepEqual(said.Interface(), c.have.Interface())
}

// whole is the number behind an optional one, zero when there is none.
func whole(v reflect.Value) int64 {
	if v.Kind() == reflect.Pointer {
		if v.IsNil() {
			return 0
		}
		v = v.Elem()
	}
	return v.Int()
}

// isSet reports whether prior holds a known value. The zero Value, which a missing
// attribute gives, is not set.
func isSet(prior tftypes.Value) bool {
	return prior.Type() != nil && prior.IsKnown() && !prior.IsNull()
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
