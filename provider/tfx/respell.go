package tfx

import (
	"reflect"

	"github.com/hashicorp/terraform-plugin-go/tftypes"
)

// respell returns the planned value with every text whose meaning did not change in
// its prior spelling, so that writing 1024Mi for 1Gi is no change. t is the spec type
// that guides it. A map keyed by topic keeps its prior keys only as a whole: Terraform
// accepts a planned key that is not in the configuration in no other case.
func (p place) respell(t reflect.Type, planned, prior tftypes.Value, sem semantic) tftypes.Value {
	if !isSet(planned) || !isSet(prior) {
		return planned
	}
	switch t.Kind() {
	case reflect.Pointer:
		return p.respell(t.Elem(), planned, prior, sem)
	case reflect.Struct:
		return p.respellObject(t, planned, prior)
	case reflect.Map:
		return p.respellMap(t, planned, prior)
	case reflect.String:
		var a, b string
		if planned.As(&a) == nil && prior.As(&b) == nil && p.canonical(sem, a) == p.canonical(sem, b) {
			return prior
		}
	}
	return planned
}

func (p place) respellObject(t reflect.Type, planned, prior tftypes.Value) tftypes.Value {
	now, err := children(planned)
	before, err2 := children(prior)
	if err != nil || err2 != nil {
		return planned
	}
	for _, f := range fieldsOf(t) {
		if _, ok := now[f.name]; ok {
			now[f.name] = p.respell(t.Field(f.index).Type, now[f.name], before[f.name], f.sem)
		}
	}
	return tftypes.NewValue(planned.Type(), now)
}

func (p place) respellMap(t reflect.Type, planned, prior tftypes.Value) tftypes.Value {
	now, err := children(planned)
	before, err2 := children(prior)
	if err != nil || err2 != nil {
		return planned
	}
	spelt := encoder{place: p}.spellings(t, before)
	same := len(now) == len(before)
	for k, v := range now {
		old := before[spelt[p.canonical(keySemantic(t), k)]]
		now[k] = p.respell(t.Elem(), v, old, elementSemantic(t))
		same = same && isSet(old) && now[k].Equal(old)
	}
	if same {
		return prior
	}
	return tftypes.NewValue(planned.Type(), now)
}
