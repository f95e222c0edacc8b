package diff

import (
	"fmt"
	"reflect"
	"slices"
	"strings"

	"github.com/functionmesh/terraform-provider-functionmesh/internal/engine"
	"github.com/functionmesh/terraform-provider-functionmesh/internal/spec"
)

// Options tune one comparison.
type Options struct {
	Owned []string    // paths that were ours: absent from want, they are cleared even under Server
	Holes []spec.Path // paths not known yet: nothing at, below or above them is compared
	Rules Rules
}

// Rule says what an unset field means and how a difference is applied.
type Rule int

// The rules. A field without one inherits that of what contains it; Default is the
// outermost.
const (
	Default    Rule = iota + 1 // unset means the documented default: compared and written
	Server                     // unset belongs to the platform: neither compared nor written, cleared when owned
	Replace                    // as Default, and a difference cannot be applied in place
	ClientOnly                 // never compared: it means something to the caller alone
)

// Rules maps path patterns to rules. A pattern is a spec.Path with [*] in place of
// every key: inputs[*].schema.
type Rules map[string]Rule

// canonical types have several spellings of one value.
type canonical interface{ Canonical() string }

// Compare says what must change for have to become want, both of one struct type
// (or pointers to it). A change is a leaf, or a whole map entry that one side lacks.
// The order is that of the fields and of sorted keys. Nil pointers, empty strings,
// empty maps and empty lists are unset; lists are sets.
//
// Two types of spec mean more than their fields. A Runtime is a one-of: another
// choice is one change at its path. Code is its content: a digest known on both
// sides decides, else the URL; File is never compared.
func Compare(have, want any, opts Options) []engine.Change {
	h, w := reflect.Indirect(reflect.ValueOf(have)), reflect.Indirect(reflect.ValueOf(want))
	if !h.IsValid() || !w.IsValid() || h.Type() != w.Type() || h.Kind() != reflect.Struct {
		return nil
	}
	c := comparison{opts: opts}
	c.fields(place{rule: Default}, h, w)
	return c.changes
}

// comparison gathers changes.
type comparison struct {
	opts    Options
	changes []engine.Change
}

// place is where the walk stands: the path, its pattern and the rule in force.
type place struct {
	path    spec.Path
	pattern string
	rule    Rule
}

func (c *comparison) below(p place, field string) place {
	pattern := field
	if p.pattern != "" {
		pattern = p.pattern + "." + field
	}
	return place{p.path.Field(field), pattern, c.rule(pattern, p.rule)}
}

func (c *comparison) entry(p place, key string) place {
	pattern := p.pattern + "[*]"
	return place{p.path.Key(key), pattern, c.rule(pattern, p.rule)}
}

func (c *comparison) rule(pattern string, inherited Rule) Rule {
	if r, ok := c.opts.Rules[pattern]; ok {
		return r
	}
	return inherited
}

// fields compares the fields of two structs.
func (c *comparison) fields(p place, have, want reflect.Value) {
	for i := range have.NumField() {
		f := have.Type().Field(i)
		name, _, _ := strings.Cut(f.Tag.Get("json"), ",")
		if !f.IsExported() || name == "-" || name == "" {
			continue
		}
		c.value(c.below(p, name), have.Field(i), want.Field(i))
	}
}

// value compares two values of one type.
func (c *comparison) value(p place, have, want reflect.Value) {
	if p.rule == ClientOnly || c.unknown(p.path) {
		return
	}
	switch {
	case have.Type() == reflect.TypeFor[*spec.Runtime]():
		c.runtime(p, have, want)
	case have.Type() == reflect.TypeFor[*spec.Code]():
		c.code(p, have, want)
	case have.Kind() == reflect.Map:
		c.entries(p, have, want)
	case structural(have.Type()):
		c.fields(p, filled(have), filled(want))
	default:
		c.leaf(p, have, want)
	}
}

// structural types are compared field by field.
func structural(t reflect.Type) bool {
	if t.Implements(reflect.TypeFor[canonical]()) {
		return false
	}
	if t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	return t.Kind() == reflect.Struct && !t.Implements(reflect.TypeFor[canonical]())
}

// filled dereferences; a nil pointer is a struct with every field unset.
func filled(v reflect.Value) reflect.Value {
	if v.Kind() != reflect.Pointer {
		return v
	}
	if v.IsNil() {
		return reflect.Zero(v.Type().Elem())
	}
	return v.Elem()
}

// unknown says whether the path is, or lies below, a hole.
func (c *comparison) unknown(p spec.Path) bool {
	return slices.ContainsFunc(c.opts.Holes, func(h spec.Path) bool { return h.Contains(p) })
}

// holed says whether a hole lies at, below or above the path: a whole value there
// cannot be told.
func (c *comparison) holed(p spec.Path) bool {
	return slices.ContainsFunc(c.opts.Holes, func(h spec.Path) bool { return h.Contains(p) || p.Contains(h) })
}

// owned says whether the path was ours.
func (c *comparison) owned(p spec.Path) bool {
	return slices.ContainsFunc(c.opts.Owned, func(o string) bool { return spec.Path(o).Contains(p) })
}

// entries compares two maps by key.
func (c *comparison) entries(p place, have, want reflect.Value) {
	keys := map[string]reflect.Value{}
	for _, m := range []reflect.Value{have, want} {
		for _, k := range m.MapKeys() {
			keys[k.String()] = k
		}
	}
	names := make([]string, 0, len(keys))
	for name := range keys {
		names = append(names, name)
	}
	slices.Sort(names)
	for _, name := range names {
		at := c.entry(p, name)
		if want.Len() == 0 && p.rule == Server {
			at.rule = Server // the map as a whole was left to the platform
		}
		h, w := have.MapIndex(keys[name]), want.MapIndex(keys[name])
		switch {
		case h.IsValid() && w.IsValid():
			c.value(at, h, w)
		case w.IsValid():
			c.add(at, engine.Set, nil, plain(w))
		default:
			c.drop(at, plain(h))
		}
	}
}

// leaf compares two values that have no parts.
func (c *comparison) leaf(p place, have, want reflect.Value) {
	switch {
	case same(have, want):
	case unset(want):
		c.drop(p, plain(have))
	default:
		c.add(p, engine.Set, plain(have), plain(want))
	}
}

// drop is a value that want does not have.
func (c *comparison) drop(p place, old any) {
	if p.rule == Server && !c.owned(p.path) {
		return
	}
	c.add(p, engine.Clear, old, nil)
}

func (c *comparison) add(p place, op engine.Op, from, to any) {
	if p.rule == ClientOnly || c.holed(p.path) {
		return
	}
	if p.rule == Replace {
		op = engine.Replace
	}
	c.changes = append(c.changes, engine.Change{Path: string(p.path), Op: op, Old: from, New: to})
}

// unset says whether nothing was said.
func unset(v reflect.Value) bool {
	switch v.Kind() {
	case reflect.Map, reflect.Slice, reflect.String:
		return v.Len() == 0
	case reflect.Pointer, reflect.Interface:
		return v.IsNil()
	default:
		return v.IsZero()
	}
}

// same compares two leaves by their canonical form.
func same(have, want reflect.Value) bool {
	if unset(have) || unset(want) {
		return unset(have) && unset(want)
	}
	return reflect.DeepEqual(form(have), form(want))
}

// form is what two equal leaves share.
func form(v reflect.Value) any {
	if c, ok := reflect.TypeAssert[canonical](v); ok {
		return c.Canonical()
	}
	x := plain(v)
	if list, ok := x.([]string); ok {
		return slices.Compact(slices.Sorted(slices.Values(list)))
	}
	return x
}

// plain takes pointers and named basic types away, so that a Change holds what JSON
// would. Unset text and nil pointers are nil.
func plain(v reflect.Value) any {
	switch v.Kind() {
	case reflect.Pointer:
		if v.IsNil() {
			return nil
		}
		return plain(v.Elem())
	case reflect.String:
		if v.Len() == 0 {
			return nil
		}
		return v.String()
	case reflect.Bool:
		return v.Bool()
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		return v.Int()
	case reflect.Slice:
		return texts(v)
	default:
		return v.Interface()
	}
}

// texts is a list of strings as such; another list stays as it is.
func texts(v reflect.Value) any {
	if v.Len() == 0 {
		return nil
	}
	if v.Type().Elem().Kind() != reflect.String {
		return v.Interface()
	}
	list := make([]string, v.Len())
	for i := range list {
		list[i] = v.Index(i).String()
	}
	return list
}

// String is the rule's word.
func (r Rule) String() string {
	switch r {
	case Default:
		return "default"
	case Server:
		return "server"
	case Replace:
		return "replace"
	case ClientOnly:
		return "client only"
	default:
		return fmt.Sprintf("Rule(%d)", int(r))
	}
}
