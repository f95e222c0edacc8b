package tfx

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/hashicorp/terraform-plugin-go/tftypes"

	"github.com/functionmesh/terraform-provider-functionmesh/internal/spec"
)

func TestEmptyTextIsRefusedWhereItWouldMeanNothing(t *testing.T) {
	text := func(s string) tftypes.Value { return tftypes.NewValue(tftypes.String, s) }
	inner := tftypes.Object{AttributeTypes: map[string]tftypes.Type{"name": tftypes.String, "type": tftypes.String}}
	words := tftypes.Map{ElementType: tftypes.String}
	inputs := tftypes.Map{ElementType: inner}
	object := func(name string) tftypes.Value {
		return tftypes.NewValue(inner, map[string]tftypes.Value{"name": text(name), "type": tftypes.NewValue(tftypes.String, nil)})
	}
	config := tftypes.NewValue(
		tftypes.Object{AttributeTypes: map[string]tftypes.Type{
			"known": tftypes.String, "later": tftypes.String, "subscription": inner, "properties": words, "inputs": inputs,
		}},
		map[string]tftypes.Value{
			"known":        text(""),
			"later":        tftypes.NewValue(tftypes.String, tftypes.UnknownValue),
			"subscription": object(""),
			"properties":   tftypes.NewValue(words, map[string]tftypes.Value{"empty": text("")}),
			"inputs":       tftypes.NewValue(inputs, map[string]tftypes.Value{"in": object(""), "other": object("x")}),
		})
	got := map[spec.Path]spec.Severity{}
	for _, p := range empties(config, []spec.Problem{{Path: "known"}}) {
		got[p.Path] = p.Severity
	}
	want := map[spec.Path]spec.Severity{"subscription.name": spec.SeverityError, `inputs["in"].name`: spec.SeverityError}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}
