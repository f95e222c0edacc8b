package diff

import (
	"reflect"
	"strings"

	"github.com/functionmesh/terraform-provider-functionmesh/internal/spec"
)

// Fill puts into want what belongs to the server and want leaves to it, so that whoever
// writes whole objects does not take away what Compare did not count as a difference.
// Want is a pointer to have's struct type; nothing it points to may be shared.
func Fill(have, want any, opts Options) {
	h, w := reflect.Indirect(reflect.ValueOf(have)), reflect.ValueOf(want)
	if w.Kind() != reflect.Pointer || w.IsNil() || !h.IsValid() || h.Type() != w.Elem().Type() || h.Kind() != reflect.Struct {
		return
	}
	c := comparison{opts: opts}
	c.fillFields(place{rule: Default}, h, w.Elem())
}

func (c *comparison) fillFields(p place, have, want reflect.Value) {
	for i := range have.NumField() {
		f := have.Type().Field(i)
		name, _, _ := strings.Cut(f.Tag.Get("json"), ",")
		if f.IsExported() && name != "-" && name != "" {
			c.fill(c.below(p, name), have.Field(i), want.Field(i))
		}
	}
}

// fill completes one settable value.
func (c *comparison) fill(p place, have, want reflect.Value) {
	switch {
	case p.rule == ClientOnly || have.Type() == reflect.TypeFor[*spec.Runtime]():
	case have.Kind() == reflect.Map:
		c.fillEntries(p, have, want)
	case !structural(have.Type()):
		c.fillLeaf(p, have, want)
	case have.Kind() == reflect.Pointer:
		c.fillPointer(p, have, want)
	default:
		c.fillFields(p, have, want)
	}
}

func (c *comparison) fillLeaf(p place, have, want reflect.Value) {
	if p.rule == Server && unset(want) && !unset(have) && !c.owned(p.path) {
		want.Set(have)
	}
}

// fillPointer completes a part that want may not have at all.
func (c *comparison) fillPointer(p place, have, want reflect.Value) {
	if have.IsNil() {
		return
	}
	part := reflect.New(have.Type().Elem())
	part.Elem().Set(filled(want))
	c.fillFields(p, have.Elem(), part.Elem())
	if !want.IsNil() || !part.Elem().IsZero() {
		want.Set(part)
	}
}

// fillEntries completes a map: entries that want has as well, and those that were left
// to the server.
func (c *comparison) fillEntries(p place, have, want reflect.Value) {
	left := unset(want) && p.rule == Server
	for _, key := range have.MapKeys() {
		at := c.entry(p, key.String())
		value := reflect.New(have.Type().Elem()).Elem()
		if w := want.MapIndex(key); w.IsValid() {
			value.Set(w)
			c.fill(at, have.MapIndex(key), value)
		} else if (left || at.rule == Server) && !c.owned(at.path) {
			value.Set(have.MapIndex(key))
		} else {
			continue
		}
		if want.IsNil() {
			want.Set(reflect.MakeMap(want.Type()))
		}
		want.SetMapIndex(key, value)
	}
}
