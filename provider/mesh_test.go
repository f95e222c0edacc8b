package provider_test

import (
	"fmt"
	"regexp"
	"strings"
	"testing"

	"github.com/hashicorp/terraform-plugin-go/tfprotov6"
	"github.com/hashicorp/terraform-plugin-testing/helper/resource"
	"github.com/hashicorp/terraform-plugin-testing/knownvalue"
	"github.com/hashicorp/terraform-plugin-testing/plancheck"
	"github.com/hashicorp/terraform-plugin-testing/statecheck"
	"github.com/hashicorp/terraform-plugin-testing/terraform"
	"github.com/hashicorp/terraform-plugin-testing/tfjsonpath"

	"github.com/functionmesh/terraform-provider-functionmesh/internal/engine"
	"github.com/functionmesh/terraform-provider-functionmesh/internal/engine/enginetest"
	"github.com/functionmesh/terraform-provider-functionmesh/internal/spec"
)

const lines = "functionmesh_mesh.lines"

func linesHCL(file, enrich string) string {
	return fmt.Sprintf(`
resource "functionmesh_mesh" "lines" {
  name = "lines"
  sources = {
    intake = { builtin = "file", config = jsonencode({ path = "orders.ndjson" }), output = { topic = "orders" } }
  }
  functions = {
    enrich = {
      runtime = { wasm = { file = %q } }
      inputs  = { orders = {} }
      output  = { topic = "enriched" }
      %s
    }
  }
  sinks = {
    store = { builtin = "file", inputs = { enriched = {} }, config = jsonencode({ path = "out.ndjson" }) }
  }
}`, file, enrich)
}

func plannedMesh(action plancheck.ResourceActionType) resource.ConfigPlanChecks {
	return resource.ConfigPlanChecks{
		PreApply:             []plancheck.PlanCheck{plancheck.ExpectResourceAction(lines, action)},
		PostApplyPostRefresh: []plancheck.PlanCheck{plancheck.ExpectEmptyPlan()},
	}
}

func TestAccMeshLife(t *testing.T) {
	needTerraform(t)
	p := newPlatform("one")
	file := codeFile(t, "f.wasm", "first")
	member := functionKey("lines-enrich")
	config := linesHCL(file, "")
	resource.UnitTest(t, resource.TestCase{
		ProtoV6ProviderFactories: p.providers(),
		CheckDestroy:             func(*terraform.State) error { return gone(t, p, "lines-enrich") },
		Steps: []resource.TestStep{
			{
				Config: config, ConfigPlanChecks: plannedMesh(plancheck.ResourceActionCreate),
				ConfigStateChecks: []statecheck.StateCheck{
					statecheck.ExpectKnownValue(lines, tfjsonpath.New("id"), knownvalue.StringExact("public/default/lines")),
				},
			},
			{Config: config, ConfigPlanChecks: plannedMesh(plancheck.ResourceActionNoop)},
			{
				ResourceName: lines, ImportState: true, ImportStateId: "public/default/lines", ImportStateVerify: true,
				ImportStateVerifyIgnore: []string{"functions.enrich.runtime.wasm.file"},
			},
			{
				PreConfig: func() { overwrite(t, file, "second") },
				Config:    config, ConfigPlanChecks: plannedMesh(plancheck.ResourceActionUpdate),
			},
			{Config: linesHCL(file, "parallelism = 4"), ConfigPlanChecks: plannedMesh(plancheck.ResourceActionUpdate)},
			{
				PreConfig: func() {
					p.functions().Edit(member, func(o *engine.Object[spec.Component]) { o.Spec.Parallelism = new(9) })
				},
				Config: config, ConfigPlanChecks: plannedMesh(plancheck.ResourceActionUpdate),
			},
			{
				PreConfig: func() { p.functions().Drop(member) },
				Config:    config, ConfigPlanChecks: plannedMesh(plancheck.ResourceActionUpdate),
			},
			{
				Config: strings.Replace(config, fmt.Sprintf("wasm = { file = %q }", file),
					fmt.Sprintf(`python = { file = %q, class = "f.f" }`, codeFile(t, "f.py", "x")), 1),
				ConfigPlanChecks: plannedMesh(plancheck.ResourceActionUpdate),
			},
			{
				Config:           strings.Replace(config, `name = "lines"`, `name = "rows"`, 1),
				ConfigPlanChecks: plannedMesh(plancheck.ResourceActionReplace),
			},
		},
	})
}

func TestAccMeshSavesWhatExistsWhenOneComponentFails(t *testing.T) {
	needTerraform(t)
	p := newPlatform("one")
	file := codeFile(t, "f.wasm", "first")
	resource.UnitTest(t, resource.TestCase{ProtoV6ProviderFactories: p.providers(), Steps: []resource.TestStep{
		{
			PreConfig:   func() { p.components[spec.KindSource].FailNext(enginetest.Create, 1, engine.Forbidden) },
			Config:      linesHCL(file, ""),
			ExpectError: regexp.MustCompile(`(?i)forbidden|refuses`),
			// what was made is in the state: the next step replaces a tainted mesh
		},
		{Config: linesHCL(file, ""), ConfigPlanChecks: plannedMesh(plancheck.ResourceActionReplace)},
	}})
}

func meshConfig(t *testing.T, key string) object {
	t.Helper()
	return object{"name": "m", "functions": object{key: object{
		"runtime": object{"wasm": object{"file": codeFile(t, "f.wasm", "code")}}, "inputs": object{"orders": object{}},
	}}}
}

func TestMeshRenameNamesTheOldSubscription(t *testing.T) {
	c := newCore(t, newPlatform("one"), "functionmesh_mesh", object{})
	c.apply(meshConfig(t, "old"))
	c.clean()
	_, resp := c.plan(meshConfig(t, "new"))
	c.clean()
	if len(resp.RequiresReplace) > 0 {
		t.Errorf("a renamed component replaces the mesh: %v", resp.RequiresReplace)
	}
	if said := printed(c.diags); count(c.diags, tfprotov6.DiagnosticSeverityWarning) == 0 || !strings.Contains(said, "public/default/m-old") {
		t.Errorf("no warning names the old subscription: %s", said)
	}
}

func TestMeshThatMeetsAnother(t *testing.T) {
	p := newPlatform("one")
	p.functions().Put(engine.Object[spec.Component]{
		Spec: spec.DefaultComponent(spec.Component{
			Kind: spec.KindFunction, Name: "m-f", Runtime: &spec.Runtime{WASM: &spec.Code{SHA256: digestOf("x")}},
			Inputs: map[string]spec.Input{"orders": {}},
		}),
		Marks: engine.Marks{Owner: "terraform", Mesh: "other"},
	})
	c := newCore(t, p, "functionmesh_mesh", object{})
	c.apply(meshConfig(t, "f"))
	if said := printed(c.diags); !failed(c.diags) || !strings.Contains(said, "other") {
		t.Errorf("want an error that names the other mesh: %s", said)
	}
}
