package provider

import (
	"context"

	"github.com/hashicorp/terraform-plugin-framework/datasource"
	"github.com/hashicorp/terraform-plugin-framework/function"
	"github.com/hashicorp/terraform-plugin-framework/provider"
	"github.com/hashicorp/terraform-plugin-framework/resource"
)

var (
	_ provider.Provider              = (*functionmesh)(nil)
	_ provider.ProviderWithFunctions = (*functionmesh)(nil)
)

type functionmesh struct {
	version string
}

// New returns the constructor that a provider server wants.
func New(version string) func() provider.Provider {
	return func() provider.Provider { return &functionmesh{version: version} }
}

func (p *functionmesh) Metadata(_ context.Context, _ provider.MetadataRequest, resp *provider.MetadataResponse) {
	resp.TypeName = "functionmesh"
	resp.Version = p.version
}

func (p *functionmesh) Schema(_ context.Context, _ provider.SchemaRequest, resp *provider.SchemaResponse) {
	resp.Schema = configSchema()
}

func (p *functionmesh) Configure(_ context.Context, _ provider.ConfigureRequest, _ *provider.ConfigureResponse) {
}

func (p *functionmesh) Resources(context.Context) []func() resource.Resource { return nil }

func (p *functionmesh) DataSources(context.Context) []func() datasource.DataSource { return nil }

func (p *functionmesh) Functions(context.Context) []func() function.Function { return nil }
