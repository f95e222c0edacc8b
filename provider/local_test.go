package provider_test

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/hashicorp/terraform-plugin-framework/providerserver"
	"github.com/hashicorp/terraform-plugin-go/tfprotov6"
	"github.com/hashicorp/terraform-plugin-testing/helper/resource"
	"github.com/hashicorp/terraform-plugin-testing/knownvalue"
	"github.com/hashicorp/terraform-plugin-testing/plancheck"
	"github.com/hashicorp/terraform-plugin-testing/statecheck"
	"github.com/hashicorp/terraform-plugin-testing/tfjsonpath"

	"github.com/functionmesh/terraform-provider-functionmesh/internal/admin"
	"github.com/functionmesh/terraform-provider-functionmesh/internal/catalog"
	"github.com/functionmesh/terraform-provider-functionmesh/internal/engine"
	"github.com/functionmesh/terraform-provider-functionmesh/internal/local"
	"github.com/functionmesh/terraform-provider-functionmesh/internal/spec"
	"github.com/functionmesh/terraform-provider-functionmesh/provider"
)

// embedded is the real embedded platform, under the provider as users get it.
type embedded struct {
	t       *testing.T
	dataDir string
	wasm    string
	python  string
}

func newEmbedded(t *testing.T) embedded {
	t.Helper()
	needTerraform(t)
	if runtime.GOOS != "linux" && runtime.GOOS != "darwin" {
		t.Skip("the embedded platform runs on Linux and macOS only")
	}
	dir := t.TempDir()
	e := embedded{t: t, dataDir: filepath.Join(dir, "data"), wasm: filepath.Join(dir, "exclaim.wasm"), python: codeFile(t, "shout.py", "def shout(message, context):\n    return message.upper()\n")}
	binary := filepath.Join(dir, "functionmesh")
	e.build("..", nil, "-o", binary, ".")
	e.build("../examples/functions/go", []string{"GOOS=wasip1", "GOARCH=wasm"}, "-buildmode=c-shared", "-o", e.wasm, "./exclaim")
	t.Setenv(local.EnvBinary, binary)
	t.Cleanup(func() { e.stop(e.dataDir) })
	return e
}

func (e embedded) build(dir string, env []string, args ...string) {
	e.t.Helper()
	cmd := exec.CommandContext(e.t.Context(), "go", append([]string{"build"}, args...)...)
	cmd.Dir, cmd.Env = dir, append(os.Environ(), env...)
	if out, err := cmd.CombinedOutput(); err != nil {
		e.t.Fatalf("go build %v: %v\n%s", args, err, out)
	}
}

// stop ends the daemon of a data directory, if one runs.
func (e embedded) stop(dataDir string) {
	e.t.Helper()
	ctx, cancel := context.WithTimeout(context.WithoutCancel(e.t.Context()), time.Minute) // the test's own has ended
	defer cancel()
	daemon, err := local.Dial(ctx, local.Options{DataDir: dataDir, Version: local.DevVersion})
	if err != nil {
		return
	}
	if err := daemon.Shutdown(ctx); err != nil {
		e.t.Errorf("stop the daemon: %v", err)
	}
}

// clients reach the platform behind Terraform's back.
func (e embedded) clients() catalog.Clients {
	e.t.Helper()
	daemon, err := local.Dial(e.t.Context(), local.Options{DataDir: e.dataDir, Version: local.DevVersion})
	if err != nil {
		e.t.Fatal(err)
	}
	clients, err := admin.New(admin.Options{URL: daemon.AdminURL()})
	if err != nil {
		e.t.Fatal(err)
	}
	return clients
}

// edit changes a function as somebody else would.
func (e embedded) edit(name string, change func(*spec.Component)) {
	e.t.Helper()
	eng := catalog.Component(spec.KindFunction).Engine(e.clients().Components[spec.KindFunction])
	seen, err := eng.Observe(e.t.Context(), functionKey(name))
	if err != nil || !seen.Found {
		e.t.Fatalf("found %v: %v", seen.Found, err)
	}
	change(&seen.Spec)
	if _, err := eng.Update(e.t.Context(), seen.Object, engine.UpdateOptions{}); err != nil {
		e.t.Fatal(err)
	}
}

// drop deletes a function as somebody else would.
func (e embedded) drop(name string) {
	e.t.Helper()
	eng := catalog.Component(spec.KindFunction).Engine(e.clients().Components[spec.KindFunction])
	if err := eng.Delete(e.t.Context(), functionKey(name), engine.DeleteOptions{}); err != nil {
		e.t.Fatal(err)
	}
}

func (e embedded) providers() map[string]func() (tfprotov6.ProviderServer, error) {
	return map[string]func() (tfprotov6.ProviderServer, error){
		"functionmesh": providerserver.NewProtocol6WithError(provider.New(local.DevVersion)()),
	}
}

func (e embedded) config(body string) string {
	return fmt.Sprintf("provider \"functionmesh\" {\n  local = { data_dir = %q }\n}\n", e.dataDir) + body
}

func TestAccLocalFunction(t *testing.T) {
	e := newEmbedded(t)
	config := func(more string) string {
		return e.config(fmt.Sprintf(`
resource "functionmesh_topic" "orders" { name = "orders" }
resource "functionmesh_function" "enrich" {
  name    = "enrich"
  runtime = { wasm = { file = %q } }
  inputs  = { (functionmesh_topic.orders.name) = {} }
  output  = { topic = "enriched" }
  %s
}`, e.wasm, more))
	}
	steps := []resource.TestStep{
		{Config: config(""), ConfigPlanChecks: planned(plancheck.ResourceActionCreate)},
		{Config: config(""), ConfigPlanChecks: planned(plancheck.ResourceActionNoop)},
		{
			ResourceName: enrich, ImportState: true, ImportStateId: "public/default/enrich", ImportStateVerify: true,
			ImportStateVerifyIgnore: []string{"runtime.wasm.file", "runtime.wasm.url"},
		},
	}
	for _, setting := range []string{
		`parallelism = 2`,
		`processing_guarantees = "atmost_once"`,
		`retain_ordering = true`,
		`forward_source_message_property = false`,
		`cleanup_subscription = true`,
		`max_message_retries = 0`,
		`dead_letter_topic = "dead"`,
		`timeout_ms = 500`,
		`user_config = jsonencode({ region = "eu" })`,
		`resources = { memory = "64Mi" }`,
	} {
		steps = append(steps, resource.TestStep{Config: config(setting), ConfigPlanChecks: planned(plancheck.ResourceActionUpdate)})
	}
	steps = append(
		steps,
		resource.TestStep{Config: config(`state = "stopped"`), ConfigPlanChecks: planned(plancheck.ResourceActionUpdate)},
		resource.TestStep{Config: config(`state = "running"`), ConfigPlanChecks: planned(plancheck.ResourceActionUpdate)},
		resource.TestStep{Config: config(""), ConfigPlanChecks: planned(plancheck.ResourceActionUpdate)}, // nobody's any more
		resource.TestStep{
			PreConfig: func() { e.edit("enrich", func(c *spec.Component) { c.Parallelism = new(2) }) },
			Config:    config(""), ConfigPlanChecks: planned(plancheck.ResourceActionUpdate),
		},
		resource.TestStep{
			PreConfig: func() { e.drop("enrich") },
			Config:    config(""), ConfigPlanChecks: planned(plancheck.ResourceActionCreate),
		},
	)
	resource.UnitTest(t, resource.TestCase{ProtoV6ProviderFactories: e.providers(), Steps: steps})
}

func TestAccLocalMesh(t *testing.T) {
	e := newEmbedded(t)
	in, out := filepath.Join(t.TempDir(), "in.txt"), filepath.Join(t.TempDir(), "out.txt")
	overwrite(t, in, "a\nb\n")
	config := e.config(fmt.Sprintf(`
resource "functionmesh_mesh" "lines" {
  name = "lines"
  sources   = { intake = { builtin = "file", config = jsonencode({ path = %q }), output = { topic = "orders" } } }
  functions = { enrich = { runtime = { wasm = { file = %q } }, inputs = { orders = {} }, output = { topic = "enriched" } } }
  sinks     = { store = { builtin = "file", inputs = { enriched = {} }, config = jsonencode({ path = %q }) } }
}
data "functionmesh_mesh" "lines" { name = functionmesh_mesh.lines.name }`, in, e.wasm, out))
	steps := []resource.TestStep{
		{
			Config: config, ConfigPlanChecks: plannedMesh(plancheck.ResourceActionCreate),
			ConfigStateChecks: []statecheck.StateCheck{
				statecheck.ExpectKnownValue("data."+lines, tfjsonpath.New("phase"), knownvalue.StringExact("ready")),
				statecheck.ExpectKnownValue("data."+lines, tfjsonpath.New("instances"), knownvalue.ListSizeExact(3)),
			},
		},
		{
			ResourceName: lines, ImportState: true, ImportStateId: "public/default/lines", ImportStateVerify: true,
			ImportStateVerifyIgnore: []string{"functions.enrich.runtime.wasm.file", "functions.enrich.runtime.wasm.url"},
		},
		{
			PreConfig: func() { e.drop("lines-enrich") },
			Config:    config, ConfigPlanChecks: plannedMesh(plancheck.ResourceActionUpdate),
		},
	}
	if _, err := exec.LookPath("python3"); err == nil {
		python := strings.Replace(config, fmt.Sprintf("wasm = { file = %q }", e.wasm), fmt.Sprintf(`python = { file = %q, class = "shout.shout" }`, e.python), 1)
		steps = append(steps, resource.TestStep{Config: python, ConfigPlanChecks: plannedMesh(plancheck.ResourceActionUpdate)})
	} else if os.Getenv("FUNCTIONMESH_REQUIRE_ALL") == "1" {
		t.Fatal("there is no python3 on PATH, and FUNCTIONMESH_REQUIRE_ALL=1 allows no test to be skipped")
	}
	resource.UnitTest(t, resource.TestCase{ProtoV6ProviderFactories: e.providers(), Steps: steps})
	if text, err := os.ReadFile(out); err != nil || !strings.Contains(string(text), "a!") {
		t.Errorf("the sink wrote %q: %v", text, err)
	}
}

func TestAccLocalErrors(t *testing.T) {
	e := newEmbedded(t)
	other := e
	other.dataDir = filepath.Join(t.TempDir(), "data")
	blocked := e
	blocked.dataDir = codeFile(t, "file", "in the way")
	t.Cleanup(func() { e.stop(other.dataDir) })
	topic := `resource "functionmesh_topic" "orders" { name = "orders" }`
	broken := topic + fmt.Sprintf(`
resource "functionmesh_function" "enrich" {
  name    = "enrich"
  runtime = { wasm = { file = %q } }
  inputs  = { orders = {} }
}`, codeFile(t, "broken.wasm", "no module"))
	resource.UnitTest(t, resource.TestCase{ProtoV6ProviderFactories: e.providers(), Steps: []resource.TestStep{
		{Config: e.config(topic)},
		{Config: e.config(broken), ExpectError: regexp.MustCompile(`(?s)Function is not ready.*untaint`)},
		{Config: e.config(topic)},
		{Config: other.config(topic), ExpectError: regexp.MustCompile(`configured for another platform`)},
		{Config: blocked.config(topic), ExpectError: regexp.MustCompile(`Platform cannot be opened`)},
		{Config: e.config(topic)},
	}})
}

// A topic that is declared, and named by a mesh that does not reference it, is created
// by both at once.
func TestAccLocalTopicBesideMesh(t *testing.T) {
	e := newEmbedded(t)
	config := e.config(fmt.Sprintf(`
resource "functionmesh_topic" "orders" { name = "orders" }
resource "functionmesh_mesh" "lines" {
  name      = "lines"
  functions = { enrich = { runtime = { wasm = { file = %q } }, inputs = { orders = {} }, output = { topic = "enriched" } } }
}`, e.wasm))
	resource.UnitTest(t, resource.TestCase{ProtoV6ProviderFactories: e.providers(), Steps: []resource.TestStep{
		{Config: config, ConfigPlanChecks: plannedMesh(plancheck.ResourceActionCreate)},
	}})
}
