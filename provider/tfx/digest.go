package tfx

import (
	"fmt"
	"reflect"

	"github.com/hashicorp/terraform-plugin-go/tftypes"

	"github.com/functionmesh/terraform-provider-functionmesh/internal/engine"
	"github.com/functionmesh/terraform-provider-functionmesh/internal/spec"
)

const digestAttribute = "sha256"

// digester fills in the sha256 of every piece of code in an object. Strict, it refuses
// a file that cannot be read or that changed since the plan; otherwise it plans.
type digester struct {
	strict bool
	fail   func(at spec.Path, summary, detail string)
}

// walk is guided by the spec type t, as the codec is.
func (d digester) walk(t reflect.Type, planned, prior tftypes.Value, at spec.Path) tftypes.Value {
	if !isSet(planned) {
		return planned
	}
	switch {
	case t.Kind() == reflect.Pointer:
		return d.walk(t.Elem(), planned, prior, at)
	case t == reflect.TypeFor[spec.Code]():
		return d.code(planned, prior, at)
	case t.Kind() == reflect.Struct:
		return d.object(t, planned, prior, at)
	case t.Kind() == reflect.Map && holdsCode(t.Elem()):
		return d.mapping(t, planned, prior, at)
	}
	return planned
}

// holdsCode spares the maps that cannot hold code: inputs, secrets, texts.
func holdsCode(t reflect.Type) bool { return t == reflect.TypeFor[spec.Component]() }

func (d digester) object(t reflect.Type, planned, prior tftypes.Value, at spec.Path) tftypes.Value {
	now, err := children(planned)
	before, err2 := children(prior)
	if err != nil || err2 != nil {
		return planned
	}
	for _, f := range fieldsOf(t) {
		if v, ok := now[f.name]; ok {
			now[f.name] = d.walk(t.Field(f.index).Type, v, before[f.name], at.Field(f.name))
		}
	}
	return tftypes.NewValue(planned.Type(), now)
}

func (d digester) mapping(t reflect.Type, planned, prior tftypes.Value, at spec.Path) tftypes.Value {
	now, err := children(planned)
	before, err2 := children(prior)
	if err != nil || err2 != nil {
		return planned
	}
	for k, v := range now {
		now[k] = d.walk(t.Elem(), v, before[k], at.Key(k))
	}
	return tftypes.NewValue(planned.Type(), now)
}

func (d digester) code(planned, prior tftypes.Value, at spec.Path) tftypes.Value {
	now, err := children(planned)
	before, err2 := children(prior)
	if err != nil || err2 != nil {
		return planned
	}
	now[digestAttribute] = d.digest(now, before, at)
	return tftypes.NewValue(planned.Type(), now)
}

func (d digester) digest(now, before map[string]tftypes.Value, at spec.Path) tftypes.Value {
	if !isSet(now["file"]) {
		return d.elsewhere(now, before)
	}
	var name string
	if err := now["file"].As(&name); err != nil {
		return unknownText()
	}
	sum, err := fileDigest(name)
	if err == nil {
		if d.strict && isSet(now[digestAttribute]) && !now[digestAttribute].Equal(tftypes.NewValue(tftypes.String, sum)) {
			d.fail(at.Field("file"), "Code changed since the plan", fmt.Sprintf("%s: %s is not the file that was planned. Plan and apply again.", at.Field("file"), name))
		}
		return tftypes.NewValue(tftypes.String, sum)
	}
	if d.strict {
		d.fail(at.Field("file"), "Code cannot be read", fmt.Sprintf("%s: %v. Build or create the file before applying.", at.Field("file"), err))
	} else if sameWord(now["file"], before["file"]) && isSet(before[digestAttribute]) {
		return before[digestAttribute]
	}
	return unknownText()
}

// elsewhere is the digest of code that is not a file: only the platform can tell it,
// and it stays while the URL does.
func (d digester) elsewhere(now, before map[string]tftypes.Value) tftypes.Value {
	if d.strict || sameWord(now["url"], before["url"]) && now["file"].IsKnown() {
		return known(before[digestAttribute])
	}
	return unknownText()
}

func unknownText() tftypes.Value { return tftypes.NewValue(tftypes.String, tftypes.UnknownValue) }

// known turns "not known" into null: nothing is unknown once a plan is applied.
func known(v tftypes.Value) tftypes.Value {
	if isSet(v) {
		return v
	}
	return tftypes.NewValue(tftypes.String, nil)
}

func sameWord(a, b tftypes.Value) bool { return isSet(a) && isSet(b) && a.Equal(b) }

func fileDigest(name string) (string, error) {
	sum, err := engine.FileDigest(name)
	if err != nil {
		return "", fmt.Errorf("read %s: %w", name, err)
	}
	return sum, nil
}
