package provider_test

import (
	"regexp"
	"testing"

	"github.com/hashicorp/terraform-plugin-testing/helper/resource"
	"github.com/hashicorp/terraform-plugin-testing/knownvalue"
	"github.com/hashicorp/terraform-plugin-testing/plancheck"
	"github.com/hashicorp/terraform-plugin-testing/statecheck"
	"github.com/hashicorp/terraform-plugin-testing/tfjsonpath"

	"github.com/functionmesh/terraform-provider-functionmesh/internal/engine"
	"github.com/functionmesh/terraform-provider-functionmesh/internal/spec"
)

const orders = "functionmesh_topic.orders"

func plannedTopic(action plancheck.ResourceActionType) resource.ConfigPlanChecks {
	return resource.ConfigPlanChecks{
		PreApply:             []plancheck.PlanCheck{plancheck.ExpectResourceAction(orders, action)},
		PostApplyPostRefresh: []plancheck.PlanCheck{plancheck.ExpectEmptyPlan()},
	}
}

func TestAccTopicLife(t *testing.T) {
	needTerraform(t)
	p := newPlatform("one")
	key := engine.Key{Kind: "topic", Tenant: "public", Namespace: "default", Name: "orders"}
	topic := func(more string) string {
		return "resource \"functionmesh_topic\" \"orders\" {\n name = \"orders\"\n" + more + "\n}\n"
	}
	resource.UnitTest(t, resource.TestCase{ProtoV6ProviderFactories: p.providers(), Steps: []resource.TestStep{
		{
			Config: topic(""), ConfigPlanChecks: plannedTopic(plancheck.ResourceActionCreate),
			ConfigStateChecks: []statecheck.StateCheck{
				statecheck.ExpectKnownValue(orders, tfjsonpath.New("full_name"), knownvalue.StringExact("persistent://public/default/orders")),
			},
		},
		{
			PreConfig: func() { // what others keep beside the topic is theirs
				p.topics.Edit(key, func(o *engine.Object[spec.Topic]) { o.Spec.Properties = map[string]string{"team": "shop"} })
			},
			Config: topic(""), ConfigPlanChecks: plannedTopic(plancheck.ResourceActionNoop),
		},
		{Config: topic(`properties = { team = "orders" }`), ConfigPlanChecks: plannedTopic(plancheck.ResourceActionUpdate)},
		{Config: topic(""), ConfigPlanChecks: plannedTopic(plancheck.ResourceActionUpdate)},
		{Config: topic("partitions = 0"), ConfigPlanChecks: plannedTopic(plancheck.ResourceActionUpdate)}, // the same, said
		{Config: topic("partitions = 2"), ConfigPlanChecks: plannedTopic(plancheck.ResourceActionReplace)},
		{Config: topic("partitions = 4"), ConfigPlanChecks: plannedTopic(plancheck.ResourceActionUpdate)},
		{Config: topic("partitions = 3"), ConfigPlanChecks: plannedTopic(plancheck.ResourceActionReplace)},
		{ResourceName: orders, ImportState: true, ImportStateId: "public/default/orders", ImportStateVerify: true},
	}})
}

// A topic that somebody else grew is not replaced by a plan that wants no change.
func TestAccTopicGrownOutside(t *testing.T) {
	needTerraform(t)
	p := newPlatform("one")
	key := engine.Key{Kind: "topic", Tenant: "public", Namespace: "default", Name: "orders"}
	topic := func(partitions string) string {
		return "resource \"functionmesh_topic\" \"orders\" {\n name = \"orders\"\n partitions = " + partitions + "\n}\n"
	}
	grow := func(n int) func() {
		return func() { p.topics.Edit(key, func(o *engine.Object[spec.Topic]) { o.Spec.Partitions = &n }) }
	}
	refused := regexp.MustCompile(`(?s)The topic has 4 partitions.*Set partitions = 4 to keep it`)
	resource.UnitTest(t, resource.TestCase{ProtoV6ProviderFactories: p.providers(), Steps: []resource.TestStep{
		{Config: topic("2"), ConfigPlanChecks: plannedTopic(plancheck.ResourceActionCreate)},
		{PreConfig: grow(4), Config: topic("2"), ExpectError: refused},
		{Config: topic("3"), ExpectError: refused},
		{Config: topic("4"), ConfigPlanChecks: plannedTopic(plancheck.ResourceActionNoop)},
		{Config: topic("5"), ConfigPlanChecks: plannedTopic(plancheck.ResourceActionUpdate)},
		{PreConfig: grow(6), Config: topic("7"), ConfigPlanChecks: plannedTopic(plancheck.ResourceActionUpdate)},
		{Config: topic("1"), ConfigPlanChecks: plannedTopic(plancheck.ResourceActionReplace)}, // as asked
		{PreConfig: grow(2), Taint: []string{orders}, Config: topic("1"), ConfigPlanChecks: plannedTopic(plancheck.ResourceActionReplace)},
	}})
}

func TestAccTenancy(t *testing.T) {
	needTerraform(t)
	p := newPlatform("one")
	resource.UnitTest(t, resource.TestCase{ProtoV6ProviderFactories: p.providers(), Steps: []resource.TestStep{
		{
			Config: `
resource "functionmesh_tenant" "shop" {
  name        = "shop"
  admin_roles = ["ops"]
}
resource "functionmesh_namespace" "eu" {
  tenant = functionmesh_tenant.shop.name
  name   = "eu"
}`,
			ConfigPlanChecks: resource.ConfigPlanChecks{PostApplyPostRefresh: []plancheck.PlanCheck{plancheck.ExpectEmptyPlan()}},
		},
		{ResourceName: "functionmesh_tenant.shop", ImportState: true, ImportStateId: "shop", ImportStateVerify: true},
		{ResourceName: "functionmesh_namespace.eu", ImportState: true, ImportStateId: "shop/eu", ImportStateVerify: true},
	}})
}

func TestAccDataSources(t *testing.T) {
	needTerraform(t)
	p := newPlatform("one")
	p.functions().Put(engine.Object[spec.Component]{Spec: spec.DefaultComponent(spec.Component{
		Kind: spec.KindFunction, Name: "enrich", Runtime: &spec.Runtime{WASM: &spec.Code{SHA256: digestOf("code")}},
		Inputs: map[string]spec.Input{"orders": {}},
	})})
	p.functions().Status = func(spec.Component) engine.Status {
		return engine.Status{Phase: engine.Ready, Wanted: 1, Ready: 1, Instances: []engine.Instance{{DataPath: spec.CompatiblePath, DataPathNote: "topics_pattern"}}}
	}
	p.topics.Put(engine.Object[spec.Topic]{Spec: spec.DefaultTopic(spec.Topic{Name: "orders", Partitions: new(2)})})
	function, topic := "data.functionmesh_function.enrich", "data.functionmesh_topic.orders"
	resource.UnitTest(t, resource.TestCase{ProtoV6ProviderFactories: p.providers(), Steps: []resource.TestStep{
		{
			Config: `
data "functionmesh_function" "enrich" { name = "enrich" }
data "functionmesh_topic" "orders" { name = "orders" }`,
			ConfigStateChecks: []statecheck.StateCheck{
				statecheck.ExpectKnownValue(function, tfjsonpath.New("phase"), knownvalue.StringExact("ready")),
				statecheck.ExpectKnownValue(function, tfjsonpath.New("ready"), knownvalue.Bool(true)),
				statecheck.ExpectKnownValue(function, tfjsonpath.New("parallelism"), knownvalue.Int64Exact(1)),
				statecheck.ExpectKnownValue(function, tfjsonpath.New("instances"), knownvalue.ListExact([]knownvalue.Check{
					knownvalue.ObjectPartial(map[string]knownvalue.Check{
						"data_path":      knownvalue.StringExact("compatible"),
						"data_path_note": knownvalue.StringExact("topics_pattern"),
					}),
				})),
				statecheck.ExpectKnownValue(function, tfjsonpath.New("inputs"), knownvalue.MapSizeExact(1)),
				statecheck.ExpectKnownValue(topic, tfjsonpath.New("partitions"), knownvalue.Int64Exact(2)),
				statecheck.ExpectKnownValue(topic, tfjsonpath.New("id"), knownvalue.StringExact("public/default/orders")),
			},
		},
		{Config: `data "functionmesh_sink" "none" { name = "none" }`, ExpectError: regexp.MustCompile(`does not exist`)},
	}})
}

func TestAccMeshGraph(t *testing.T) {
	needTerraform(t)
	p := newPlatform("one")
	p.down.Store(true)
	const graph = "data.functionmesh_mesh_graph.loop"
	resource.UnitTest(t, resource.TestCase{ProtoV6ProviderFactories: p.providers(), Steps: []resource.TestStep{{
		Config: `
data "functionmesh_mesh_graph" "loop" {
  functions = {
    a = { inputs = { x = {} }, output = { topic = "y" } }
    b = { inputs = { y = {} }, output = { topic = "x" } }
  }
}`,
		ConfigStateChecks: []statecheck.StateCheck{
			statecheck.ExpectKnownValue(graph, tfjsonpath.New("nodes"), knownvalue.ListSizeExact(4)),
			statecheck.ExpectKnownValue(graph, tfjsonpath.New("edges"), knownvalue.ListSizeExact(4)),
			statecheck.ExpectKnownValue(graph, tfjsonpath.New("cycles"), knownvalue.ListSizeExact(1)),
			statecheck.ExpectKnownValue(graph, tfjsonpath.New("dot"), knownvalue.StringRegexp(regexp.MustCompile("digraph"))),
			statecheck.ExpectKnownValue(graph, tfjsonpath.New("mermaid"), knownvalue.StringRegexp(regexp.MustCompile("flowchart|graph"))),
		},
	}}})
}

func TestAccTopicParse(t *testing.T) {
	needTerraform(t)
	p := newPlatform("one")
	resource.UnitTest(t, resource.TestCase{ProtoV6ProviderFactories: p.providers(), Steps: []resource.TestStep{
		{
			Config: `output "o" { value = provider::functionmesh::topic_parse("shop/eu/orders-partition-3") }`,
			ConfigStateChecks: []statecheck.StateCheck{statecheck.ExpectKnownOutputValue("o", knownvalue.ObjectExact(map[string]knownvalue.Check{
				"domain": knownvalue.StringExact("persistent"), "tenant": knownvalue.StringExact("shop"), "namespace": knownvalue.StringExact("eu"),
				"topic": knownvalue.StringExact("orders"), "partition": knownvalue.Int64Exact(3),
				"full_name": knownvalue.StringExact("persistent://shop/eu/orders-partition-3"), "short": knownvalue.StringExact("shop/eu/orders-partition-3"),
			}))},
		},
		{Config: `output "o" { value = provider::functionmesh::topic_parse("a/b") }`, ExpectError: regexp.MustCompile(`not a topic name`)},
	}})
}
