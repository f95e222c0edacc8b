package catalog

import (
	"github.com/functionmesh/terraform-provider-functionmesh/internal/engine"
	"github.com/functionmesh/terraform-provider-functionmesh/internal/spec"
)

// Clients are one platform's engine clients, by kind.
type Clients struct {
	Tenants    engine.Client[spec.Tenant]
	Namespaces engine.Client[spec.Namespace]
	Topics     engine.Client[spec.Topic]
	Components map[spec.Kind]engine.Client[spec.Component]
}
