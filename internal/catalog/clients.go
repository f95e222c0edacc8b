package catalog

import (
	"github.com/functionmesh/terraform-provider-functionmesh/internal/engine"
	"github.com/functionmesh/terraform-provider-functionmesh/internal/spec"
)

// Clients is one platform: a client per kind. A nil client is a kind that the
// platform does not have. A mesh needs none: NewMeshClient makes it of components.
type Clients struct {
	Tenants    engine.Client[spec.Tenant]
	Namespaces engine.Client[spec.Namespace]
	Topics     engine.Client[spec.Topic]
	Components map[spec.Kind]engine.Client[spec.Component]
}
