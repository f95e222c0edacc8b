package tfx

import (
	"github.com/hashicorp/terraform-plugin-framework/datasource/schema"
	managed "github.com/hashicorp/terraform-plugin-framework/resource/schema"
)

// DataAttributes turns attributes of a resource into those of a data source, so that
// both have the same words: written by the user, or, when computed, by the platform.
func DataAttributes(attrs map[string]managed.Attribute, computed bool) map[string]schema.Attribute {
	out := make(map[string]schema.Attribute, len(attrs))
	for name, a := range attrs {
		if converted := dataAttribute(a, computed); converted != nil {
			out[name] = converted
		}
	}
	return out
}

func dataAttribute(a managed.Attribute, computed bool) schema.Attribute {
	required := a.IsRequired() && !computed
	optional := !a.IsRequired() && !computed
	doc := a.GetMarkdownDescription()
	switch a := a.(type) {
	case managed.StringAttribute:
		return schema.StringAttribute{
			Required: required, Optional: optional, Computed: computed,
			CustomType: a.CustomType, MarkdownDescription: doc, Sensitive: a.Sensitive,
		}
	case managed.BoolAttribute:
		return schema.BoolAttribute{Required: required, Optional: optional, Computed: computed, MarkdownDescription: doc}
	case managed.Int64Attribute:
		return schema.Int64Attribute{Required: required, Optional: optional, Computed: computed, MarkdownDescription: doc}
	case managed.MapAttribute:
		return schema.MapAttribute{
			Required: required, Optional: optional, Computed: computed,
			ElementType: a.ElementType, MarkdownDescription: doc,
		}
	case managed.ListAttribute:
		return schema.ListAttribute{
			Required: required, Optional: optional, Computed: computed,
			ElementType: a.ElementType, MarkdownDescription: doc,
		}
	case managed.SingleNestedAttribute:
		return schema.SingleNestedAttribute{
			Required: required, Optional: optional, Computed: computed,
			Attributes: DataAttributes(a.Attributes, computed), MarkdownDescription: doc,
		}
	case managed.MapNestedAttribute:
		return schema.MapNestedAttribute{
			Required: required, Optional: optional, Computed: computed, MarkdownDescription: doc,
			NestedObject: schema.NestedAttributeObject{Attributes: DataAttributes(a.NestedObject.Attributes, computed)},
		}
	}
	return nil
}
