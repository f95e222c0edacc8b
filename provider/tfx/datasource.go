package tfx

import (
	"context"
	"fmt"
	"math/big"

	"github.com/hashicorp/terraform-plugin-framework/datasource"
	"github.com/hashicorp/terraform-plugin-framework/datasource/schema"
	"github.com/hashicorp/terraform-plugin-go/tftypes"

	"github.com/functionmesh/terraform-provider-functionmesh/internal/engine"
	"github.com/functionmesh/terraform-provider-functionmesh/internal/spec"
)

var _ datasource.DataSourceWithConfigure = (*observed[spec.Component])(nil)

// observed is the data source of every kind: what is there, and how it is.
type observed[S any] struct{ managed[S] }

// NewDataSource makes the data source of a kind.
func NewDataSource[S any](d Definition[S]) datasource.DataSource {
	return &observed[S]{managed[S]{Definition: d}}
}

// Metadata names the type.
func (o *observed[S]) Metadata(_ context.Context, _ datasource.MetadataRequest, resp *datasource.MetadataResponse) {
	resp.TypeName = o.typeName()
}

// Configure receives the provider's session.
func (o *observed[S]) Configure(_ context.Context, req datasource.ConfigureRequest, resp *datasource.ConfigureResponse) {
	o.session = sessionOf(req.ProviderData, &resp.Diagnostics)
}

// Schema has the name to look up, the words of the spec and the status.
func (o *observed[S]) Schema(_ context.Context, _ datasource.SchemaRequest, resp *datasource.SchemaResponse) {
	attrs := DataAttributes(o.Attributes(), true)
	kind := string(o.Entity.Kind)
	for _, name := range o.keyAttributes() {
		attrs[name] = schema.StringAttribute{
			Optional: true, Computed: true,
			MarkdownDescription: "The " + name + " that the " + kind + " lies in. Defaults to the provider's.",
		}
	}
	attrs[attrName] = schema.StringAttribute{Required: true, MarkdownDescription: "The name of the " + kind + "."}
	attrs[attrID] = schema.StringAttribute{Computed: true, MarkdownDescription: "The id, `" + o.idForm() + "`."}
	if o.FullName != nil {
		attrs[attrFullName] = schema.StringAttribute{Computed: true, MarkdownDescription: "The full name, with its domain, tenant and namespace."}
	}
	if o.Runs {
		addStatus(attrs)
	}
	resp.Schema = schema.Schema{
		MarkdownDescription: "Reads a " + kind + " as the platform holds it, defaults written out, with its live status where it has one.",
		Attributes:          attrs,
	}
}

// Read asks the platform. An absent object is an error: a data source has no way to
// say "nothing".
func (o *observed[S]) Read(ctx context.Context, req datasource.ReadRequest, resp *datasource.ReadResponse) {
	named, err := o.inherit(req.Config.Raw, req.Config.Raw, tftypes.Value{})
	if err != nil {
		resp.Diagnostics.AddError("Configuration cannot be read", err.Error())
		return
	}
	s, _, err := Decode[S](named)
	if err != nil {
		resp.Diagnostics.AddError("Configuration cannot be read", err.Error())
		return
	}
	eng := o.connect(ctx, &resp.Diagnostics)
	if eng == nil {
		return
	}
	key := o.keyOf(s)
	seen, err := eng.Observe(ctx, key)
	switch {
	case err != nil:
		o.failure(job[S]{verb: read, plan: named, want: engine.Object[S]{Spec: s}, out: result{diags: &resp.Diagnostics}}, err)
		return
	case !seen.Found:
		resp.Diagnostics.AddError(o.title()+" does not exist", fmt.Sprintf("There is no %s %s on the platform.", key.Kind, key))
		return
	}
	v := o.encode(reporting, seen, named)
	if o.Runs {
		v = withStatus(v, seen.Status)
	}
	resp.State.Raw = v
}

func addStatus(attrs map[string]schema.Attribute) {
	attrs["phase"] = schema.StringAttribute{Computed: true, MarkdownDescription: "The phase: `progressing`, `ready`, `failed` or `stopped`."}
	attrs["reason"] = schema.StringAttribute{Computed: true, MarkdownDescription: "Why it is in that phase, one word that programs may compare."}
	attrs["message"] = schema.StringAttribute{Computed: true, MarkdownDescription: "Why it is in that phase, for people."}
	attrs["ready"] = schema.BoolAttribute{Computed: true, MarkdownDescription: "Whether it does what it is asked to do: all instances are ready, or it is stopped as asked."}
	attrs["instances"] = schema.ListNestedAttribute{
		Computed:            true,
		MarkdownDescription: "The running copies, as they are now.",
		NestedObject: schema.NestedAttributeObject{Attributes: map[string]schema.Attribute{
			"component":      schema.StringAttribute{Computed: true, MarkdownDescription: "The component that the instance belongs to, in a mesh."},
			"id":             schema.Int64Attribute{Computed: true, MarkdownDescription: "The number of the instance, from zero."},
			"running":        schema.BoolAttribute{Computed: true, MarkdownDescription: "Whether its process runs."},
			"ready":          schema.BoolAttribute{Computed: true, MarkdownDescription: "Whether it processes messages."},
			"restarts":       schema.Int64Attribute{Computed: true, MarkdownDescription: "How often it was started again."},
			"error":          schema.StringAttribute{Computed: true, MarkdownDescription: "Its last error."},
			"received":       schema.Int64Attribute{Computed: true, MarkdownDescription: "Messages received since it started."},
			"processed":      schema.Int64Attribute{Computed: true, MarkdownDescription: "Messages processed since it started."},
			"failures":       schema.Int64Attribute{Computed: true, MarkdownDescription: "Messages whose processing failed since it started."},
			"data_path":      schema.StringAttribute{Computed: true, MarkdownDescription: "By which way our runner moves its messages to and from a Pulsar: `entry` or `compatible`."},
			"data_path_note": schema.StringAttribute{Computed: true, MarkdownDescription: "Why that way."},
		}},
	}
}

// withStatus fills in the attributes that addStatus declared.
func withStatus(v tftypes.Value, s engine.Status) tftypes.Value {
	attrs, err := children(v)
	if err != nil {
		return v
	}
	attrs["phase"] = text(string(s.Phase))
	attrs["reason"] = text(s.Reason)
	attrs["message"] = text(s.Message)
	attrs["ready"] = tftypes.NewValue(tftypes.Bool, s.Phase == engine.Ready || s.Phase == engine.Stopped)
	list := attrs["instances"].Type().(tftypes.List) //nolint:forcetypeassert // addStatus made it
	instances := make([]tftypes.Value, len(s.Instances))
	for i, in := range s.Instances {
		instances[i] = tftypes.NewValue(list.ElementType, map[string]tftypes.Value{
			"component":      text(in.Component),
			"id":             number(int64(in.ID)),
			"running":        tftypes.NewValue(tftypes.Bool, in.Running),
			"ready":          tftypes.NewValue(tftypes.Bool, in.Ready),
			"restarts":       number(int64(in.Restarts)),
			"error":          text(in.Error),
			"received":       number(in.Received),
			"processed":      number(in.Processed),
			"failures":       number(in.Failures),
			"data_path":      text(in.DataPath),
			"data_path_note": text(in.DataPathNote),
		})
	}
	attrs["instances"] = tftypes.NewValue(list, instances)
	return tftypes.NewValue(v.Type(), attrs)
}

func text(s string) tftypes.Value {
	if s == "" {
		return tftypes.NewValue(tftypes.String, nil)
	}
	return tftypes.NewValue(tftypes.String, s)
}

func number(n int64) tftypes.Value {
	return tftypes.NewValue(tftypes.Number, new(big.Float).SetInt64(n))
}
