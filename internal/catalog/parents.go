package catalog

import (
	"github.com/functionmesh/terraform-provider-functionmesh/internal/diff"
	"github.com/functionmesh/terraform-provider-functionmesh/internal/engine"
	"github.com/functionmesh/terraform-provider-functionmesh/internal/spec"
)

// Tenant binds tenants. What is unset is the platform's choice.
func Tenant() Entity[spec.Tenant] {
	return Entity[spec.Tenant]{
		Kind: spec.KindTenant,
		Key: func(t spec.Tenant) engine.Key {
			return engine.Key{Kind: string(spec.KindTenant), Name: t.Name}
		},
		Default:  spec.TenantDefaults,
		Validate: spec.ValidateTenant,
		Markless: true,
		Rules: diff.Rules{
			"name":             diff.Replace,
			"admin_roles":      diff.Server,
			"allowed_clusters": diff.Server,
		},
	}
}

// Namespace binds namespaces.
func Namespace() Entity[spec.Namespace] {
	return Entity[spec.Namespace]{
		Kind: spec.KindNamespace,
		Key: func(n spec.Namespace) engine.Key {
			return engine.Key{Kind: string(spec.KindNamespace), Tenant: n.Tenant, Name: n.Name}
		},
		Default:  spec.NamespaceDefaults,
		Validate: spec.ValidateNamespace,
		Rules:    diff.Rules{"tenant": diff.Replace, "name": diff.Replace},
	}
}
