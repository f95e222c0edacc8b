package tfx

import (
	"fmt"
	"maps"
	"math/big"
	"reflect"
	"slices"

	"github.com/hashicorp/terraform-plugin-go/tftypes"

	"github.com/functionmesh/terraform-provider-functionmesh/internal/spec"
)

// Decode reads the words of a spec out of a configuration, plan or state object and
// returns the paths that are not known yet. Attributes that the spec has no field
// for are the adapter's own and skipped. An element that is null is an error: there is
// no way to keep it, and Terraform wants back what it planned.
func Decode[S any](v tftypes.Value) (S, []spec.Path, error) {
	var s S
	d := decoder{}
	err := d.value(v, reflect.ValueOf(&s).Elem(), "")
	return s, d.holes, err
}

type decoder struct{ holes []spec.Path }

func (d *decoder) value(v tftypes.Value, rv reflect.Value, at spec.Path) error {
	if !v.IsKnown() {
		d.holes = append(d.holes, at)
		return nil
	}
	if v.IsNull() {
		return nil
	}
	switch rv.Kind() {
	case reflect.Pointer:
		p := reflect.New(rv.Type().Elem())
		rv.Set(p)
		return d.value(v, p.Elem(), at)
	case reflect.Struct:
		return d.object(v, rv, at)
	case reflect.Map:
		return d.mapping(v, rv, at)
	case reflect.Slice:
		return d.list(v, rv, at)
	default:
		return d.leaf(v, rv, at)
	}
}

func (d *decoder) object(v tftypes.Value, rv reflect.Value, at spec.Path) error {
	attrs, err := children(v)
	if err != nil {
		return fmt.Errorf("%s: %w", at, err)
	}
	for _, f := range fieldsOf(rv.Type()) {
		a, ok := attrs[f.name]
		if !ok {
			continue
		}
		if err := d.value(a, rv.Field(f.index), at.Field(f.name)); err != nil {
			return err
		}
	}
	return nil
}

func (d *decoder) mapping(v tftypes.Value, rv reflect.Value, at spec.Path) error {
	elems, err := children(v)
	if err != nil {
		return fmt.Errorf("%s: %w", at, err)
	}
	m := reflect.MakeMapWithSize(rv.Type(), len(elems))
	for _, k := range slices.Sorted(maps.Keys(elems)) {
		if elems[k].IsNull() {
			return nullElement(at.Key(k))
		}
		e := reflect.New(rv.Type().Elem()).Elem()
		if err := d.value(elems[k], e, at.Key(k)); err != nil {
			return err
		}
		m.SetMapIndex(reflect.ValueOf(k), e)
	}
	rv.Set(m)
	return nil
}

func (d *decoder) list(v tftypes.Value, rv reflect.Value, at spec.Path) error {
	var elems []tftypes.Value
	if err := v.As(&elems); err != nil {
		return fmt.Errorf("%s: %w", at, err)
	}
	s := reflect.MakeSlice(rv.Type(), len(elems), len(elems))
	for i, e := range elems {
		at := at + spec.Path(fmt.Sprintf("[%d]", i))
		if e.IsNull() {
			return nullElement(at)
		}
		if err := d.value(e, s.Index(i), at); err != nil {
			return err
		}
	}
	rv.Set(s)
	return nil
}

func nullElement(at spec.Path) error {
	return fmt.Errorf("%s is null: give it a value, {} where nothing is to be said, or leave the element out", at)
}

func (d *decoder) leaf(v tftypes.Value, rv reflect.Value, at spec.Path) error {
	var err error
	switch rv.Kind() {
	case reflect.String:
		var s string
		err = v.As(&s)
		if doc, bad := spec.ParseJSON([]byte(s)); bad == nil && rv.Type() == reflect.TypeFor[spec.JSON]() {
			s = string(doc)
		}
		rv.SetString(s)
	case reflect.Bool:
		var b bool
		err = v.As(&b)
		rv.SetBool(b)
	case reflect.Int, reflect.Int64:
		n := new(big.Float)
		if err = v.As(&n); err == nil {
			i, accuracy := n.Int64()
			if accuracy != big.Exact || rv.OverflowInt(i) {
				return fmt.Errorf("%s: %s is not a whole number in range", at, n)
			}
			rv.SetInt(i)
		}
	default:
		return fmt.Errorf("%s: no way to decode a %s", at, rv.Type())
	}
	if err != nil {
		return fmt.Errorf("%s: %w", at, err)
	}
	return nil
}

// children returns the attributes of an object or the elements of a map; none when
// the value is null or unknown.
func children(v tftypes.Value) (map[string]tftypes.Value, error) {
	c := map[string]tftypes.Value{}
	if v.IsNull() || !v.IsKnown() {
		return c, nil
	}
	err := v.As(&c)
	return c, err
}
