package tfx

import (
	"slices"

	"github.com/hashicorp/terraform-plugin-go/tftypes"

	"github.com/functionmesh/terraform-provider-functionmesh/internal/spec"
)

// owned lists the paths of the leaves that a state mentions: what we wrote before, so
// that taking one out of the configuration clears it on the platform.
func owned(state tftypes.Value) []string {
	paths := []string{}
	collectOwned(state, "", &paths)
	slices.Sort(paths)
	return paths
}

func collectOwned(v tftypes.Value, at spec.Path, paths *[]string) {
	if !isSet(v) {
		return
	}
	isMap := v.Type().Is(tftypes.Map{})
	if !isMap && !v.Type().Is(tftypes.Object{}) {
		*paths = append(*paths, string(at))
		return
	}
	elems, err := children(v)
	if err != nil {
		return
	}
	for k, e := range elems {
		if isMap {
			collectOwned(e, at.Key(k), paths)
		} else {
			collectOwned(e, at.Field(k), paths)
		}
	}
}
