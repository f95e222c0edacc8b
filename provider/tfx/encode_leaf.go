package tfx

import (
	"math/big"
	"reflect"

	"github.com/hashicorp/terraform-plugin-go/tftypes"
)

// write encodes an observed leaf in its shortest spelling. Empty is null.
func (e encoder) write(c cell) tftypes.Value {
	have := c.have
	if have.Kind() == reflect.Pointer {
		if have.IsNil() {
			return c.null()
		}
		have = have.Elem()
	}
	switch have.Kind() {
	case reflect.String:
		if have.Len() == 0 {
			return c.null()
		}
		return tftypes.NewValue(c.t, e.shortest(c.sem, have.String()))
	case reflect.Bool:
		return tftypes.NewValue(c.t, have.Bool())
	case reflect.Slice:
		return writeStrings(c, have)
	default:
		return tftypes.NewValue(c.t, new(big.Float).SetInt64(have.Int()))
	}
}

func writeStrings(c cell, have reflect.Value) tftypes.Value {
	if have.Len() == 0 {
		return c.null()
	}
	elems := make([]tftypes.Value, have.Len())
	for i := range elems {
		elems[i] = tftypes.NewValue(tftypes.String, have.Index(i).String())
	}
	return tftypes.NewValue(c.t, elems)
}

// strip copies have into bare without the leaves that prior does not mention: what
// the defaults then fill in is what null means there.
func (e encoder) strip(have, bare reflect.Value, prior tftypes.Value) {
	switch {
	case have.Kind() == reflect.Struct:
		e.stripObject(have, bare, prior)
	case have.Kind() == reflect.Map:
		e.stripMap(have, bare, prior)
	case have.Kind() == reflect.Pointer && have.Type().Elem().Kind() == reflect.Struct:
		if !have.IsNil() {
			bare.Set(reflect.New(have.Type().Elem()))
			e.strip(have.Elem(), bare.Elem(), prior)
		}
	case isSet(prior):
		bare.Set(have)
	}
}

func (e encoder) stripObject(have, bare reflect.Value, prior tftypes.Value) {
	attrs, _ := children(prior)
	for i := range have.NumField() {
		if have.Type().Field(i).Tag.Get("json") == "-" { // a component's kind: not a setting
			bare.Field(i).Set(have.Field(i))
		}
	}
	for _, f := range fieldsOf(have.Type()) {
		e.strip(have.Field(f.index), bare.Field(f.index), attrs[f.name])
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
		word := spelt[e.canonical(keySemantic(have.Type()), k.String())]
		b := reflect.New(have.Type().Elem()).Elem()
		e.strip(have.MapIndex(k), b, elems[word])
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
