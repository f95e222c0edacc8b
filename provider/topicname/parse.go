package topicname

import (
	"context"

	"github.com/hashicorp/terraform-plugin-framework/attr"
	"github.com/hashicorp/terraform-plugin-framework/function"
	"github.com/hashicorp/terraform-plugin-framework/types"

	"github.com/functionmesh/terraform-provider-functionmesh/internal/spec"
)

type parse struct{}

// NewParse makes the function topic_parse.
func NewParse() function.Function { return parse{} }

// Metadata names the function.
func (parse) Metadata(_ context.Context, _ function.MetadataRequest, resp *function.MetadataResponse) {
	resp.Name = "topic_parse"
}

// Definition is one text in, the parts out.
func (parse) Definition(_ context.Context, _ function.DefinitionRequest, resp *function.DefinitionResponse) {
	resp.Definition = function.Definition{
		Summary: "Takes the name of a topic apart.",
		MarkdownDescription: "Returns the parts of a topic's name: `domain`, `tenant`, `namespace`, `topic`, `partition` (null for a whole topic), " +
			"`full_name`, and `short`, its shortest spelling in `public/default`. A name of one part lies there too.",
		Parameters: []function.Parameter{function.StringParameter{
			Name:                "name",
			MarkdownDescription: "A topic: `orders`, `tenant/namespace/orders` or `persistent://tenant/namespace/orders`.",
		}},
		Return: function.ObjectReturn{AttributeTypes: map[string]attr.Type{
			"domain":    types.StringType,
			"tenant":    types.StringType,
			"namespace": types.StringType,
			"topic":     types.StringType,
			"partition": types.Int64Type,
			"full_name": types.StringType,
			"short":     types.StringType,
		}},
	}
}

type parts struct {
	Domain    string `tfsdk:"domain"`
	Tenant    string `tfsdk:"tenant"`
	Namespace string `tfsdk:"namespace"`
	Topic     string `tfsdk:"topic"`
	Partition *int64 `tfsdk:"partition"`
	FullName  string `tfsdk:"full_name"`
	Short     string `tfsdk:"short"`
}

// Run parses.
func (parse) Run(ctx context.Context, req function.RunRequest, resp *function.RunResponse) {
	var text string
	if resp.Error = req.Arguments.Get(ctx, &text); resp.Error != nil {
		return
	}
	name, err := spec.ParseTopic(text, "", "")
	if err != nil {
		resp.Error = function.NewArgumentFuncError(0, err.Error())
		return
	}
	p := parts{
		Domain: name.Domain, Tenant: name.Tenant, Namespace: name.Namespace, Topic: name.Local,
		FullName: name.String(), Short: name.Short("", ""),
	}
	if name.Partition != spec.NoPartition {
		n := int64(name.Partition)
		p.Partition = &n
	}
	resp.Error = resp.Result.Set(ctx, p)
}
