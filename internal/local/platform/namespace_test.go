package platform_test

import (
	"testing"

	"github.com/functionmesh/terraform-provider-functionmesh/internal/engine"
	"github.com/functionmesh/terraform-provider-functionmesh/internal/spec"
)

// A namespace can go once its components have, although the topics that were made for
// them stay; but not while somebody else's component reads one.
func TestNamespaceWithTopicsOfFormerComponents(t *testing.T) {
	p := newPlatform(t)
	c := p.Clients(false)
	create(t, c.Tenants, spec.Tenant{Name: "acme"})
	namespace := create(t, c.Namespaces, spec.Namespace{Tenant: "acme", Name: "shop"})
	sinks := c.Components[spec.KindSink]
	sink := fileSink("s")
	sink.Tenant, sink.Namespace = "acme", "shop"
	own := create(t, sinks, sink)
	sink = fileSink("elsewhere")
	sink.Inputs = map[string]spec.Input{"persistent://acme/shop/in": {}}
	reader := create(t, sinks, sink)
	for _, user := range []engine.Observed[spec.Component]{own, reader} {
		if err := c.Namespaces.Delete(t.Context(), namespace, engine.DeleteOptions{}); !engine.Is(err, engine.Conflict) {
			t.Errorf("delete while %s uses a topic: %v, want conflict", user.Spec.Name, err)
		}
		must(t, sinks.Delete(t.Context(), user, engine.DeleteOptions{}))
	}
	must(t, c.Namespaces.Delete(t.Context(), namespace, engine.DeleteOptions{}))
	if topics, err := p.Broker.Topics(t.Context(), "persistent://acme/"); len(topics) != 0 || err != nil {
		t.Errorf("topics %v are left, %v", topics, err)
	}
}
