package mesh

import (
	"context"

	"github.com/hashicorp/terraform-plugin-framework/datasource"
	"github.com/hashicorp/terraform-plugin-framework/datasource/schema"
	"github.com/hashicorp/terraform-plugin-framework/path"
	"github.com/hashicorp/terraform-plugin-framework/types"

	"github.com/functionmesh/terraform-provider-functionmesh/internal/graph"
	"github.com/functionmesh/terraform-provider-functionmesh/internal/spec"
	"github.com/functionmesh/terraform-provider-functionmesh/provider/tfx"
)

// drawing is the data source functionmesh_mesh_graph: pure, it asks no platform.
type drawing struct{ session *tfx.Session }

// NewGraph makes the data source functionmesh_mesh_graph.
func NewGraph() datasource.DataSource { return &drawing{} }

var _ datasource.DataSourceWithConfigure = (*drawing)(nil)

// Metadata names the type.
func (d *drawing) Metadata(_ context.Context, _ datasource.MetadataRequest, resp *datasource.MetadataResponse) {
	resp.TypeName = "functionmesh_mesh_graph"
}

// Configure receives the provider's session, for the default tenant and namespace.
func (d *drawing) Configure(_ context.Context, req datasource.ConfigureRequest, _ *datasource.ConfigureResponse) {
	d.session, _ = req.ProviderData.(*tfx.Session)
}

// Schema is a mesh's words and what can be told from them.
func (d *drawing) Schema(_ context.Context, _ datasource.SchemaRequest, resp *datasource.SchemaResponse) {
	attrs := tfx.DataAttributes(components(), false)
	for name, doc := range map[string]string{
		"name":      "The name of the mesh. It names default subscriptions only.",
		"tenant":    "The tenant that short topic names are relative to. Defaults to the provider's.",
		"namespace": "The namespace that short topic names are relative to. Defaults to the provider's.",
	} {
		attrs[name] = schema.StringAttribute{Optional: true, MarkdownDescription: doc}
	}
	attrs["nodes"] = schema.ListNestedAttribute{
		Computed:            true,
		MarkdownDescription: "The components and topics, sorted.",
		NestedObject: schema.NestedAttributeObject{Attributes: map[string]schema.Attribute{
			"id":       schema.StringAttribute{Computed: true, MarkdownDescription: "The kind and the name, unique in the graph."},
			"kind":     schema.StringAttribute{Computed: true, MarkdownDescription: "One of `source`, `function`, `sink` and `topic`."},
			"name":     schema.StringAttribute{Computed: true, MarkdownDescription: "The component's key, or the topic's full name."},
			"label":    schema.StringAttribute{Computed: true, MarkdownDescription: "The name for people: a topic in its shortest spelling."},
			"external": schema.BoolAttribute{Computed: true, MarkdownDescription: "Whether it is a topic that nothing in the mesh writes, or nothing reads."},
		}},
	}
	attrs["edges"] = schema.ListNestedAttribute{
		Computed:            true,
		MarkdownDescription: "Who feeds whom, sorted.",
		NestedObject: schema.NestedAttributeObject{Attributes: map[string]schema.Attribute{
			"from": schema.StringAttribute{Computed: true, MarkdownDescription: "The id of the node that messages leave."},
			"to":   schema.StringAttribute{Computed: true, MarkdownDescription: "The id of the node that messages reach."},
		}},
	}
	attrs["cycles"] = schema.ListAttribute{
		Computed:            true,
		ElementType:         types.ListType{ElemType: types.StringType},
		MarkdownDescription: "The groups of components whose messages can come back to them. A cycle is legal.",
	}
	attrs["dot"] = schema.StringAttribute{Computed: true, MarkdownDescription: "The graph in the language of Graphviz."}
	attrs["mermaid"] = schema.StringAttribute{Computed: true, MarkdownDescription: "The graph in the language of Mermaid, which Markdown pages show."}
	resp.Schema = schema.Schema{
		MarkdownDescription: "Draws a mesh from its words, without asking any platform: what feeds what, and where messages go in circles.",
		Attributes:          attrs,
	}
}

type node struct {
	ID       string `tfsdk:"id"`
	Kind     string `tfsdk:"kind"`
	Name     string `tfsdk:"name"`
	Label    string `tfsdk:"label"`
	External bool   `tfsdk:"external"`
}

type edge struct {
	From string `tfsdk:"from"`
	To   string `tfsdk:"to"`
}

// Read draws.
func (d *drawing) Read(ctx context.Context, req datasource.ReadRequest, resp *datasource.ReadResponse) {
	m, _, err := tfx.Decode[spec.Mesh](req.Config.Raw)
	if err != nil {
		resp.Diagnostics.AddError("Configuration cannot be read", err.Error())
		return
	}
	if d.session != nil && m.Tenant == "" {
		m.Tenant = d.session.Tenant.Text
	}
	if d.session != nil && m.Namespace == "" {
		m.Namespace = d.session.Namespace.Text
	}
	g := graph.New(m)
	nodes, edges := []node{}, []edge{}
	for _, n := range g.Nodes() {
		nodes = append(nodes, node{ID: n.ID, Kind: string(n.Kind), Name: n.Name, Label: n.Label, External: n.External})
	}
	for _, e := range g.Edges() {
		edges = append(edges, edge{From: e.From, To: e.To})
	}
	cycles := g.Cycles()
	if cycles == nil {
		cycles = [][]string{}
	}
	resp.State.Raw = req.Config.Raw
	for name, value := range map[string]any{
		"nodes": nodes, "edges": edges, "cycles": cycles, "dot": g.DOT(), "mermaid": g.Mermaid(),
	} {
		resp.Diagnostics.Append(resp.State.SetAttribute(ctx, path.Root(name), value)...)
	}
}
