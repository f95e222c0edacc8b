package tfx

import (
	"github.com/hashicorp/terraform-plugin-framework/path"

	"github.com/functionmesh/terraform-provider-functionmesh/internal/spec"
)

// attributeOf is the top attribute that holds a field path, nil for the whole object.
// Terraform finds the source line of a top attribute only: with a longer path it shows
// the line of the resource. The text of the diagnostic has the path itself.
func attributeOf(at spec.Path) *path.Path {
	steps, err := spec.ParsePath(at)
	if err != nil || len(steps) == 0 {
		return nil
	}
	top := path.Root(steps[0].Name)
	return &top
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
