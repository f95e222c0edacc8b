package tenancy

import (
	"github.com/hashicorp/terraform-plugin-framework/datasource"
	"github.com/hashicorp/terraform-plugin-framework/resource"
	"github.com/hashicorp/terraform-plugin-framework/resource/schema"
	"github.com/hashicorp/terraform-plugin-framework/types"

	"github.com/functionmesh/terraform-provider-functionmesh/internal/catalog"
	"github.com/functionmesh/terraform-provider-functionmesh/internal/engine"
	"github.com/functionmesh/terraform-provider-functionmesh/internal/spec"
	"github.com/functionmesh/terraform-provider-functionmesh/provider/tfx"
)

// NewTenant makes the resource functionmesh_tenant.
func NewTenant() resource.Resource { return tfx.NewResource(tenant()) }

// NewTenantData makes the data source functionmesh_tenant.
func NewTenantData() datasource.DataSource { return tfx.NewDataSource(tenant()) }

// NewNamespace makes the resource functionmesh_namespace.
func NewNamespace() resource.Resource { return tfx.NewResource(namespace()) }

// NewNamespaceData makes the data source functionmesh_namespace.
func NewNamespaceData() datasource.DataSource { return tfx.NewDataSource(namespace()) }

func tenant() tfx.Definition[spec.Tenant] {
	return tfx.Definition[spec.Tenant]{
		Entity:  catalog.Tenant(),
		Doc:     "A tenant: the outermost unit of isolation, a group of namespaces.",
		Client:  func(c catalog.Clients) engine.Client[spec.Tenant] { return c.Tenants },
		Parents: tfx.NoParents,
		Attributes: func() map[string]schema.Attribute {
			return map[string]schema.Attribute{
				"admin_roles": schema.ListAttribute{
					Optional:            true,
					ElementType:         types.StringType,
					MarkdownDescription: "The roles that may administer the tenant.",
				},
				"allowed_clusters": schema.ListAttribute{
					Optional:            true,
					ElementType:         types.StringType,
					MarkdownDescription: "The clusters that the tenant may use. The platform chooses when it is unset.",
				},
			}
		},
	}
}

func namespace() tfx.Definition[spec.Namespace] {
	return tfx.Definition[spec.Namespace]{
		Entity: catalog.Namespace(),
		Doc: "A namespace: a group of topics, functions and connectors inside a tenant. " +
			"On the embedded platform, topics that exist only because a component named them, dead letters included, are deleted with it.",
		Client:     func(c catalog.Clients) engine.Client[spec.Namespace] { return c.Namespaces },
		Parents:    tfx.InTenant,
		Attributes: func() map[string]schema.Attribute { return map[string]schema.Attribute{} },
	}
}
