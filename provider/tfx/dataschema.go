package tfx

import (
	"github.com/hashicorp/terraform-plugin-framework/datasource/schema"
	rschema "github.com/hashicorp/terraform-plugin-framework/resource/schema"
)

// DataAttributes turns attributes of a resource into those of a data source, so that
// both have the same words: written by the user, or, when computed, by the platform.
// An attribute of a kind that it does not know is left out; the parity test finds it.
func DataAttributes(attrs map[string]rschema.Attribute, computed bool) map[string]schema.Attribute {
	out := make(map[string]schema.Attribute, len(attrs))
	for name, a := range attrs {
		if converted := dataAttribute(a, computed); converted != nil {
			out[name] = converted
		}
	}
	return out
}

func dataAttribute(a rschema.Attribute, computed bool) schema.Attribute {
	if !computed && a.IsComputed() && !a.IsOptional() {
		return nil // only a platform knows it
	}
	required := a.IsRequired() && !computed
	optional := !a.IsRequired() && !computed
	doc := a.GetMarkdownDescription()
	switch a := a.(type) {
	case rschema.StringAttribute:
		return schema.StringAttribute{
			Required: required, Optional: optional, Computed: computed,
			CustomType: a.CustomType, MarkdownDescription: doc, Sensitive: a.Sensitive,
		}
	case rschema.BoolAttribute:
		return schema.BoolAttribute{Required: required, Optional: optional, Computed: computed, MarkdownDescription: doc}
	case rschema.Int64Attribute:
		return schema.Int64Attribute{Required: required, Optional: optional, Computed: computed, MarkdownDescription: doc}
	case rschema.MapAttribute:
		return schema.MapAttribute{
			Required: required, Optional: optional, Computed: computed,
			ElementType: a.ElementType, MarkdownDescription: doc,
		}
	case rschema.ListAttribute:
		return schema.ListAttribute{
			Required: required, Optional: optional, Computed: computed,
			ElementType: a.ElementType, MarkdownDescription: doc,
		}
	default:
		return nestedAttribute(a, computed)
	}
}

// nestedAttribute is dataAttribute for those that hold others.
func nestedAttribute(a rschema.Attribute, computed bool) schema.Attribute {
	required := a.IsRequired() && !computed
	optional := !a.IsRequired() && !computed
	doc := a.GetMarkdownDescription()
	switch a := a.(type) {
	case rschema.SingleNestedAttribute:
		return schema.SingleNestedAttribute{
			Required: required, Optional: optional, Computed: computed,
			Attributes: DataAttributes(a.Attributes, computed), MarkdownDescription: doc,
		}
	case rschema.MapNestedAttribute:
		return schema.MapNestedAttribute{
			Required: required, Optional: optional, Computed: computed, MarkdownDescription: doc,
			NestedObject: schema.NestedAttributeObject{Attributes: DataAttributes(a.NestedObject.Attributes, computed)},
		}
	}
	return nil
}
