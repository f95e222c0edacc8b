package tfx

import (
	"fmt"
	"slices"

	"github.com/hashicorp/terraform-plugin-go/tftypes"

	"github.com/functionmesh/terraform-provider-functionmesh/internal/spec"
)

// empties refuses attributes that hold an empty text. A spec cannot tell one from an
// attribute that is left out, so it would come back as null or as its default, and
// Terraform takes that for a defect. Elements of maps and lists may be empty.
func empties(config tftypes.Value, known []spec.Problem) []spec.Problem {
	var found []spec.Problem
	// The walk fails only as the function does.
	_ = tftypes.Walk(config, func(at *tftypes.AttributePath, v tftypes.Value) (bool, error) {
		steps := at.Steps()
		if len(steps) == 0 || !v.IsKnown() || v.IsNull() || !v.Type().Is(tftypes.String) {
			return true, nil
		}
		var text string
		if err := v.As(&text); err != nil {
			return false, err
		}
		if _, named := steps[len(steps)-1].(tftypes.AttributeName); !named || text != "" {
			return true, nil
		}
		path := pathOf(steps)
		if !slices.ContainsFunc(known, func(p spec.Problem) bool { return p.Path == path }) {
			found = append(found, spec.Problem{
				Path: path, Severity: spec.SeverityError, Message: "The value is empty.", Hint: "Give a value, or leave it out (null).",
			})
		}
		return true, nil
	})
	return found
}

// pathOf is a Terraform path in the words of a spec. Sets have no paths there and are not
// used.
func pathOf(steps []tftypes.AttributePathStep) spec.Path {
	var path spec.Path
	for _, s := range steps {
		switch s := s.(type) {
		case tftypes.AttributeName:
			path = path.Field(string(s))
		case tftypes.ElementKeyString:
			path = path.Key(string(s))
		case tftypes.ElementKeyInt:
			path += spec.Path(fmt.Sprintf("[%d]", int64(s)))
		}
	}
	return path
}
