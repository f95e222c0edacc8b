package topic

import (
	"strconv"

	"github.com/hashicorp/terraform-plugin-framework-validators/int64validator"
	"github.com/hashicorp/terraform-plugin-framework/datasource"
	"github.com/hashicorp/terraform-plugin-framework/resource"
	"github.com/hashicorp/terraform-plugin-framework/resource/schema"
	"github.com/hashicorp/terraform-plugin-framework/schema/validator"
	"github.com/hashicorp/terraform-plugin-framework/types"

	"github.com/functionmesh/terraform-provider-functionmesh/internal/catalog"
	"github.com/functionmesh/terraform-provider-functionmesh/internal/engine"
	"github.com/functionmesh/terraform-provider-functionmesh/internal/spec"
	"github.com/functionmesh/terraform-provider-functionmesh/provider/tfx"
)

// New makes the resource functionmesh_topic.
func New() resource.Resource { return tfx.NewResource(definition()) }

// NewData makes the data source functionmesh_topic.
func NewData() datasource.DataSource { return tfx.NewDataSource(definition()) }

func definition() tfx.Definition[spec.Topic] {
	return tfx.Definition[spec.Topic]{
		Entity: catalog.Topic(),
		Doc: "A persistent topic: the stream that components read from and publish to. Components create the topics they name; " +
			"declare one to decide its partitions, and reference its `name` from the components.",
		Attributes: attributes,
		Client:     func(c catalog.Clients) engine.Client[spec.Topic] { return c.Topics },
		Parents:    tfx.InTenantAndMore,
		FullName:   spec.Topic.FullName,
		Guard:      &tfx.Guard[spec.Topic]{Note: counted, Check: lost},
	}
}

// counted is how many partitions a topic has, in words that a state keeps.
func counted(t spec.Topic) string {
	if t.Partitions == nil {
		return "0"
	}
	return strconv.Itoa(*t.Partitions)
}

// lost refuses to replace a topic that was given other partitions outside of Terraform,
// with all that it holds, and says what a replacement that was asked for deletes.
func lost(noted string, have, want spec.Topic) []spec.Problem {
	if counted(have) == counted(want) {
		return nil
	}
	p := spec.Problem{
		Path: "partitions", Severity: spec.SeverityWarning,
		Message: "A topic cannot go from " + counted(have) + " partitions to " + counted(want) + " in place: it is replaced.",
		Hint:    "That deletes its messages and subscriptions.",
	}
	if noted != "" && noted != counted(have) {
		p.Severity = spec.SeverityError
		p.Message = "The topic has " + counted(have) + " partitions, although " + noted + " were applied: it was changed outside of Terraform. " +
			"Going to " + counted(want) + " would replace it, with its messages and subscriptions."
		p.Hint = "Set partitions = " + counted(have) + " to keep it as it is. If it is to be deleted and made again, mark it with `terraform taint` first."
	}
	return []spec.Problem{p}
}

func attributes() map[string]schema.Attribute {
	return map[string]schema.Attribute{
		"partitions": schema.Int64Attribute{
			Optional:   true,
			Validators: []validator.Int64{int64validator.Between(0, spec.MaxPartitions)},
			MarkdownDescription: "How many partitions the topic has, at most `1024`. It can grow in place and not shrink: fewer replace the topic. " +
				"Where it was grown outside of Terraform that is an error instead. " +
				"Unset, or `0`, is a topic without partitions.",
		},
		"properties": schema.MapAttribute{
			Optional:            true,
			ElementType:         types.StringType,
			MarkdownDescription: "Texts kept beside the topic, keyed by name. Names that start with `functionmesh.` are reserved.",
		},
	}
}
