package provider

import (
	"context"

	"github.com/hashicorp/terraform-plugin-framework/datasource"
	"github.com/hashicorp/terraform-plugin-framework/function"
	"github.com/hashicorp/terraform-plugin-framework/provider"
	"github.com/hashicorp/terraform-plugin-framework/resource"

	"github.com/functionmesh/terraform-provider-functionmesh/provider/component"
	"github.com/functionmesh/terraform-provider-functionmesh/provider/mesh"
	"github.com/functionmesh/terraform-provider-functionmesh/provider/tenancy"
	"github.com/functionmesh/terraform-provider-functionmesh/provider/tfx"
	"github.com/functionmesh/terraform-provider-functionmesh/provider/topic"
	"github.com/functionmesh/terraform-provider-functionmesh/provider/topicname"
)

var (
	_ provider.Provider                   = (*functionmesh)(nil)
	_ provider.ProviderWithFunctions      = (*functionmesh)(nil)
	_ provider.ProviderWithValidateConfig = (*functionmesh)(nil)
)

type functionmesh struct {
	version string
	open    Opener
}

// New returns the constructor that a provider server wants.
func New(version string) func() provider.Provider { return NewWith(version, Open) }

// NewWith is New with another way to connect to a platform: a test's, or that of a
// program that embeds the provider.
func NewWith(version string, open Opener) func() provider.Provider {
	return func() provider.Provider { return &functionmesh{version: version, open: open} }
}

// Metadata names the provider.
func (p *functionmesh) Metadata(_ context.Context, _ provider.MetadataRequest, resp *provider.MetadataResponse) {
	resp.TypeName = "functionmesh"
	resp.Version = p.version
}

// Schema is the provider's block.
func (p *functionmesh) Schema(_ context.Context, _ provider.SchemaRequest, resp *provider.SchemaResponse) {
	resp.Schema = configSchema()
}

// ValidateConfig refuses what cannot be combined.
func (p *functionmesh) ValidateConfig(ctx context.Context, req provider.ValidateConfigRequest, resp *provider.ValidateConfigResponse) {
	var m model
	resp.Diagnostics.Append(req.Config.Get(ctx, &m)...)
	if !resp.Diagnostics.HasError() {
		m.validate(ctx, &resp.Diagnostics)
	}
}

// Configure makes the session that resources share. It opens nothing.
func (p *functionmesh) Configure(ctx context.Context, req provider.ConfigureRequest, resp *provider.ConfigureResponse) {
	var m model
	resp.Diagnostics.Append(req.Config.Get(ctx, &m)...)
	if resp.Diagnostics.HasError() {
		return
	}
	settings := m.settings(ctx, &resp.Diagnostics)
	config := m.config(ctx, p.version, &resp.Diagnostics)
	if resp.Diagnostics.HasError() {
		return
	}
	settings.Open = func(ctx context.Context) (tfx.Opened, error) { return p.open(ctx, config) }
	session := tfx.NewSession(settings)
	resp.ResourceData = session
	resp.DataSourceData = session
}

// Resources lists what can be managed.
func (p *functionmesh) Resources(context.Context) []func() resource.Resource {
	return []func() resource.Resource{
		mesh.New,
		component.NewFunction, component.NewSource, component.NewSink,
		topic.New,
		tenancy.NewTenant, tenancy.NewNamespace,
	}
}

// DataSources lists what can be read.
func (p *functionmesh) DataSources(context.Context) []func() datasource.DataSource {
	return []func() datasource.DataSource{
		mesh.NewData, mesh.NewGraph,
		component.NewFunctionData, component.NewSourceData, component.NewSinkData,
		topic.NewData,
		tenancy.NewTenantData, tenancy.NewNamespaceData,
	}
}

// Functions lists what can be computed offline.
func (p *functionmesh) Functions(context.Context) []func() function.Function {
	return []func() function.Function{topicname.NewParse}
}
