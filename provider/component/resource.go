package component

import (
	"github.com/hashicorp/terraform-plugin-framework/datasource"
	"github.com/hashicorp/terraform-plugin-framework/resource"
	"github.com/hashicorp/terraform-plugin-framework/resource/schema"

	"github.com/functionmesh/terraform-provider-functionmesh/internal/catalog"
	"github.com/functionmesh/terraform-provider-functionmesh/internal/engine"
	"github.com/functionmesh/terraform-provider-functionmesh/internal/spec"
	"github.com/functionmesh/terraform-provider-functionmesh/provider/tfx"
)

// NewFunction makes the resource functionmesh_function.
func NewFunction() resource.Resource { return tfx.NewResource(definition(spec.KindFunction)) }

// NewSource makes the resource functionmesh_source.
func NewSource() resource.Resource { return tfx.NewResource(definition(spec.KindSource)) }

// NewSink makes the resource functionmesh_sink.
func NewSink() resource.Resource { return tfx.NewResource(definition(spec.KindSink)) }

// NewFunctionData makes the data source functionmesh_function.
func NewFunctionData() datasource.DataSource { return tfx.NewDataSource(definition(spec.KindFunction)) }

// NewSourceData makes the data source functionmesh_source.
func NewSourceData() datasource.DataSource { return tfx.NewDataSource(definition(spec.KindSource)) }

// NewSinkData makes the data source functionmesh_sink.
func NewSinkData() datasource.DataSource { return tfx.NewDataSource(definition(spec.KindSink)) }

func definition(kind spec.Kind) tfx.Definition[spec.Component] {
	return tfx.Definition[spec.Component]{
		Entity:     catalog.Component(kind),
		Doc:        docs(kind),
		Attributes: func() map[string]schema.Attribute { return Attributes(kind) },
		Client: func(c catalog.Clients) engine.Client[spec.Component] {
			return c.Components[kind]
		},
		Parents: tfx.InTenantAndMore,
		Honour: func(p spec.Platform, c spec.Component) []spec.Problem {
			c.Kind = kind
			return spec.Honour(p, c)
		},
		Connections: func(configured map[string]string, c spec.Component) []spec.Problem {
			return append(spec.CheckConnections(c, spec.SortedKeys(configured)), spec.CheckPath(c, configured)...)
		},
		Runs: true,
	}
}

func docs(kind spec.Kind) string {
	const alone = " It stands alone; components that share one life are written inside `functionmesh_mesh`."
	switch kind {
	case spec.KindSource:
		return "A source: a connector that brings messages in from outside and publishes them to a topic." + alone
	case spec.KindSink:
		return "A sink: a connector that reads messages from topics and hands them to something outside." + alone
	default:
		return "A function: code that is called for every message of its input topics and whose results go to its output topic." + alone
	}
}
