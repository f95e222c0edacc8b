package provider_test

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"os"
	"regexp"
	"testing"

	"github.com/hashicorp/terraform-plugin-testing/helper/resource"
	"github.com/hashicorp/terraform-plugin-testing/knownvalue"
	"github.com/hashicorp/terraform-plugin-testing/plancheck"
	"github.com/hashicorp/terraform-plugin-testing/statecheck"
	"github.com/hashicorp/terraform-plugin-testing/terraform"
	"github.com/hashicorp/terraform-plugin-testing/tfjsonpath"

	"github.com/functionmesh/terraform-provider-functionmesh/internal/engine"
	"github.com/functionmesh/terraform-provider-functionmesh/internal/spec"
)

const enrich = "functionmesh_function.enrich"

// enrichHCL is a function with more settings.
func enrichHCL(file, more string) string {
	return fmt.Sprintf(`
resource "functionmesh_function" "enrich" {
  name    = "enrich"
  runtime = { wasm = { file = %q } }
  inputs  = { orders = {} }
  output  = { topic = "enriched" }
  %s
}`, file, more)
}

func planned(action plancheck.ResourceActionType) resource.ConfigPlanChecks {
	return resource.ConfigPlanChecks{
		PreApply:             []plancheck.PlanCheck{plancheck.ExpectResourceAction(enrich, action)},
		PostApplyPostRefresh: []plancheck.PlanCheck{plancheck.ExpectEmptyPlan()},
	}
}

func digestOf(content string) string {
	sum := sha256.Sum256([]byte(content))
	return hex.EncodeToString(sum[:])
}

func TestAccFunctionLife(t *testing.T) {
	needTerraform(t)
	p := newPlatform("one")
	file := codeFile(t, "f.wasm", "first")
	config := enrichHCL(file, "")
	resource.UnitTest(t, resource.TestCase{
		ProtoV6ProviderFactories: p.providers(),
		CheckDestroy:             func(*terraform.State) error { return gone(t, p, "enrich") },
		Steps: []resource.TestStep{
			{
				Config: config, ConfigPlanChecks: planned(plancheck.ResourceActionCreate),
				ConfigStateChecks: []statecheck.StateCheck{
					statecheck.ExpectKnownValue(enrich, tfjsonpath.New("id"), knownvalue.StringExact("public/default/enrich")),
					statecheck.ExpectKnownValue(enrich, tfjsonpath.New("tenant"), knownvalue.StringExact("public")),
					statecheck.ExpectKnownValue(enrich, tfjsonpath.New("parallelism"), knownvalue.Null()),
					statecheck.ExpectKnownValue(enrich, tfjsonpath.New("runtime").AtMapKey("wasm").AtMapKey("sha256"), knownvalue.StringExact(digestOf("first"))),
				},
			},
			{Config: config, ConfigPlanChecks: planned(plancheck.ResourceActionNoop)},
			{
				PreConfig: func() { overwrite(t, file, "second") },
				Config:    config, ConfigPlanChecks: planned(plancheck.ResourceActionUpdate),
				ConfigStateChecks: []statecheck.StateCheck{
					statecheck.ExpectKnownValue(enrich, tfjsonpath.New("runtime").AtMapKey("wasm").AtMapKey("sha256"), knownvalue.StringExact(digestOf("second"))),
				},
			},
			{
				ResourceName: enrich, ImportState: true, ImportStateId: "public/default/enrich", ImportStateVerify: true,
				ImportStateVerifyIgnore: []string{"runtime.wasm.file"},
			},
			{
				PreConfig: func() { p.functions().Drop(functionKey("enrich")) },
				Config:    config, ConfigPlanChecks: planned(plancheck.ResourceActionCreate),
			},
			{
				PreConfig: func() {
					p.functions().Edit(functionKey("enrich"), func(o *engine.Object[spec.Component]) { o.Spec.Parallelism = new(9) })
				},
				Config: config, ConfigPlanChecks: planned(plancheck.ResourceActionUpdate),
			},
			{
				Config: `resource "functionmesh_function" "enrich" {
  name    = "enrich"
  runtime = { python = { file = "` + codeFile(t, "f.py", "x") + `", class = "f.f" } }
  inputs  = { orders = {} }
}`,
				ConfigPlanChecks: planned(plancheck.ResourceActionReplace),
			},
		},
	})
}

func gone(t *testing.T, p *platform, name string) error {
	t.Helper()
	seen, err := p.functions().Observe(t.Context(), functionKey(name))
	if err == nil && seen.Found {
		err = fmt.Errorf("%s is still there", name)
	}
	return err
}

func overwrite(t *testing.T, file, content string) {
	t.Helper()
	if err := os.WriteFile(file, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
}

// Each setting is changed in place and read back, while the one before is taken out.
func TestAccFunctionUpdatesEachSetting(t *testing.T) {
	needTerraform(t)
	p := newPlatform("one")
	file := codeFile(t, "f.wasm", "code")
	steps := []resource.TestStep{{Config: enrichHCL(file, "")}}
	for _, setting := range []string{
		`parallelism = 3`,
		`processing_guarantees = "atmost_once"`,
		`retain_ordering = true`,
		`forward_source_message_property = false`,
		`cleanup_subscription = true`,
		`max_message_retries = 0`,
		`dead_letter_topic = "dead"`,
		`timeout_ms = 500`,
		`subscription = { position = "earliest" }`,
		`user_config = jsonencode({ region = "eu" })`,
		`secrets = { API = { name = "shop", key = "api" } }`,
		`resources = { memory = "64Mi" }`,
		`state = "stopped"`,
	} {
		steps = append(steps, resource.TestStep{Config: enrichHCL(file, setting), ConfigPlanChecks: planned(plancheck.ResourceActionUpdate)})
	}
	steps = append(steps, resource.TestStep{Config: enrichHCL(file, ""), ConfigPlanChecks: planned(plancheck.ResourceActionUpdate)})
	resource.UnitTest(t, resource.TestCase{ProtoV6ProviderFactories: p.providers(), Steps: steps})
}

func TestAccFunctionRespellingIsNoChange(t *testing.T) {
	needTerraform(t)
	p := newPlatform("one")
	file := codeFile(t, "f.wasm", "code")
	spelt := func(input, output, memory, user string) string {
		return fmt.Sprintf(`resource "functionmesh_function" "enrich" {
  name        = "enrich"
  runtime     = { wasm = { file = %q } }
  inputs      = { %q = {} }
  output      = { topic = %q }
  resources   = { memory = %q }
  user_config = %q
}`, file, input, output, memory, user)
	}
	var before int
	resource.UnitTest(t, resource.TestCase{ProtoV6ProviderFactories: p.providers(), Steps: []resource.TestStep{
		{Config: spelt("orders", "out", "1Gi", `{"a":1,"b":2}`)},
		{
			PreConfig:        func() { before = p.writes() },
			Config:           spelt("persistent://public/default/orders", "public/default/out", "1024Mi", `{ "b": 2, "a": 1 }`),
			ConfigPlanChecks: planned(plancheck.ResourceActionNoop),
			Check: func(*terraform.State) error {
				if n := p.writes() - before; n > 0 {
					return fmt.Errorf("%d writes for another spelling", n)
				}
				return nil
			},
		},
	}})
}

func TestAccFunctionIsReplacedWhenItMoves(t *testing.T) {
	needTerraform(t)
	p := newPlatform("one")
	file := codeFile(t, "f.wasm", "code")
	base := enrichHCL(file, "")
	resource.UnitTest(t, resource.TestCase{ProtoV6ProviderFactories: p.providers(), Steps: []resource.TestStep{
		{Config: base},
		{Config: enrichHCL(file, `tenant = "other"`), ConfigPlanChecks: planned(plancheck.ResourceActionReplace)},
		{Config: enrichHCL(file, `tenant = "other"
			namespace = "space"`), ConfigPlanChecks: planned(plancheck.ResourceActionReplace)},
		{
			Config: `provider "functionmesh" {
  tenant    = "third"
  namespace = "space"
}` + base,
			ConfigPlanChecks: planned(plancheck.ResourceActionReplace),
			ConfigStateChecks: []statecheck.StateCheck{
				statecheck.ExpectKnownValue(enrich, tfjsonpath.New("id"), knownvalue.StringExact("third/space/enrich")),
			},
		},
	}})
}

func TestAccFunctionThatExists(t *testing.T) {
	needTerraform(t)
	p := newPlatform("one")
	file := codeFile(t, "f.wasm", "code")
	theirs := spec.DefaultComponent(spec.Component{
		Kind: spec.KindFunction, Name: "enrich", Runtime: &spec.Runtime{WASM: &spec.Code{SHA256: digestOf("other")}},
		Inputs: map[string]spec.Input{"orders": {}},
	})
	p.functions().Put(engine.Object[spec.Component]{Spec: theirs, Marks: engine.Marks{Owner: "somebody"}})
	resource.UnitTest(t, resource.TestCase{ProtoV6ProviderFactories: p.providers(), Steps: []resource.TestStep{
		{
			Config:      enrichHCL(file, ""),
			ExpectError: regexp.MustCompile(`(?s)exists already.*terraform\s+import\s+functionmesh_function\.<name>\s+public/default/enrich`),
		},
		{Config: enrichHCL(file, "adopt = true"), ConfigPlanChecks: planned(plancheck.ResourceActionCreate)},
	}})
}

func TestAccFunctionThatFailsIsKeptTainted(t *testing.T) {
	needTerraform(t)
	p := newPlatform("one")
	var broken bool
	p.functions().Status = func(spec.Component) engine.Status {
		if !broken {
			return engine.Status{Phase: engine.Ready, Wanted: 1, Ready: 1}
		}
		return engine.Status{
			Phase: engine.Failed, Reason: "CrashLoop", Message: "exit status 3", Wanted: 1,
			Instances: []engine.Instance{{LogTail: []string{"no such class Enrich"}}},
		}
	}
	broken = true
	file := codeFile(t, "f.wasm", "code")
	resource.UnitTest(t, resource.TestCase{ProtoV6ProviderFactories: p.providers(), Steps: []resource.TestStep{
		{
			Config:      enrichHCL(file, ""),
			ExpectError: regexp.MustCompile(`(?s)CrashLoop.*exit status 3.*no such class Enrich.*terraform\s+untaint`),
		},
		{
			PreConfig: func() { broken = false },
			Config:    enrichHCL(file, ""), ConfigPlanChecks: planned(plancheck.ResourceActionReplace),
		},
		{
			PreConfig: func() { broken = true },
			Config:    enrichHCL(file, "wait_for_ready = false\nparallelism = 2"), ConfigPlanChecks: planned(plancheck.ResourceActionUpdate),
		},
	}})
}

func TestAccFunctionOrphan(t *testing.T) {
	needTerraform(t)
	p := newPlatform("one")
	file := codeFile(t, "f.wasm", "code")
	resource.UnitTest(t, resource.TestCase{
		ProtoV6ProviderFactories: p.providers(),
		Steps:                    []resource.TestStep{{Config: enrichHCL(file, `deletion_policy = "orphan"`)}},
		CheckDestroy: func(*terraform.State) error {
			if gone(t, p, "enrich") == nil {
				return fmt.Errorf("an orphan was deleted")
			}
			return nil
		},
	})
}

func TestAccFunctionMissingCode(t *testing.T) {
	needTerraform(t)
	p := newPlatform("one")
	resource.UnitTest(t, resource.TestCase{ProtoV6ProviderFactories: p.providers(), Steps: []resource.TestStep{
		{Config: enrichHCL("nowhere.wasm", ""), PlanOnly: true, ExpectNonEmptyPlan: true},
		{Config: enrichHCL("nowhere.wasm", ""), ExpectError: regexp.MustCompile(`(?s)Code cannot be read.*nowhere\.wasm`)},
	}})
	if p.writes() > 0 {
		t.Error("something was written without code")
	}
}
