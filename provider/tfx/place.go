package tfx

import (
	"strconv"

	"github.com/hashicorp/terraform-plugin-framework/path"
	"github.com/hashicorp/terraform-plugin-go/tftypes"

	"github.com/functionmesh/terraform-provider-functionmesh/internal/spec"
)

// attributePath finds the attribute that a field path means in v, with map keys as
// the user spelt them. A path below what v has ends at the deepest attribute there is.
func (p place) attributePath(v tftypes.Value, at spec.Path) path.Path {
	found := path.Empty()
	steps, err := spec.ParsePath(at)
	if err != nil {
		return found
	}
	for _, s := range steps {
		var ok bool
		if found, v, ok = p.step(found, v, s); !ok {
			return found
		}
	}
	return found
}

func (p place) step(at path.Path, v tftypes.Value, s spec.Step) (path.Path, tftypes.Value, bool) {
	if v.Type().Is(tftypes.List{}) {
		return listStep(at, v, s)
	}
	elems, err := children(v)
	if err != nil {
		return at, v, false
	}
	if v.Type().Is(tftypes.Object{}) {
		e, ok := elems[s.Name]
		if !ok {
			return at, v, false
		}
		return at.AtName(s.Name), e, true
	}
	if e, ok := elems[s.Name]; ok {
		return at.AtMapKey(s.Name), e, true
	}
	for k, e := range elems {
		if p.canonical(topic, k) == s.Name {
			return at.AtMapKey(k), e, true
		}
	}
	return at, v, false
}

func listStep(at path.Path, v tftypes.Value, s spec.Step) (path.Path, tftypes.Value, bool) {
	var elems []tftypes.Value
	i, err := strconv.Atoi(s.Name)
	if err != nil || v.As(&elems) != nil || i < 0 || i >= len(elems) {
		return at, v, false
	}
	return at.AtListIndex(i), elems[i], true
}

// unknownNear reports whether a hole decides about what is at the path: the hole
// holds it, or lies below it.
func unknownNear(holes []spec.Path, at spec.Path) bool {
	for _, h := range holes {
		if h.Contains(at) || at.Contains(h) {
			return true
		}
	}
	return false
}
