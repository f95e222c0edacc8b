package provider_test

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"sync/atomic"
	"testing"

	"github.com/hashicorp/terraform-plugin-framework/providerserver"
	"github.com/hashicorp/terraform-plugin-go/tfprotov6"

	"github.com/functionmesh/terraform-provider-functionmesh/internal/catalog"
	"github.com/functionmesh/terraform-provider-functionmesh/internal/engine"
	"github.com/functionmesh/terraform-provider-functionmesh/internal/engine/enginetest"
	"github.com/functionmesh/terraform-provider-functionmesh/internal/spec"
	"github.com/functionmesh/terraform-provider-functionmesh/provider"
	"github.com/functionmesh/terraform-provider-functionmesh/provider/tfx"
)

// platform is a platform in memory that provider and test share.
type platform struct {
	id         string
	tenants    *enginetest.Memory[spec.Tenant]
	namespaces *enginetest.Memory[spec.Namespace]
	topics     *enginetest.Memory[spec.Topic]
	components map[spec.Kind]*enginetest.Memory[spec.Component]

	opened atomic.Int64
	down   atomic.Bool
	last   atomic.Pointer[provider.Config]
}

func newPlatform(id string) *platform {
	p := &platform{
		id:         id,
		tenants:    enginetest.NewMemory(catalog.Tenant().Key),
		namespaces: enginetest.NewMemory(catalog.Namespace().Key),
		topics:     enginetest.NewMemory(catalog.Topic().Key),
		components: map[spec.Kind]*enginetest.Memory[spec.Component]{},
	}
	p.tenants.Platform, p.namespaces.Platform, p.topics.Platform = id, id, id
	for _, kind := range spec.ComponentKinds() {
		p.components[kind] = enginetest.NewMemory(catalog.Component(kind).Key)
		p.components[kind].Platform = id
	}
	return p
}

var errDown = errors.New("connection refused")

// open is the provider's way to the platform.
func (p *platform) open(_ context.Context, c provider.Config) (tfx.Opened, error) {
	p.opened.Add(1)
	p.last.Store(&c)
	if p.down.Load() {
		return tfx.Opened{}, engine.New(engine.Unavailable, errDown)
	}
	clients := catalog.Clients{
		Tenants: p.tenants, Namespaces: p.namespaces, Topics: p.topics,
		Components: map[spec.Kind]engine.Client[spec.Component]{},
	}
	for kind, m := range p.components {
		clients.Components[kind] = m
	}
	return tfx.Opened{Clients: clients}, nil
}

func (p *platform) functions() *enginetest.Memory[spec.Component] {
	return p.components[spec.KindFunction]
}

// writes counts the requests that changed something.
func (p *platform) writes() int {
	n := p.tenants.Writes() + p.namespaces.Writes() + p.topics.Writes()
	for _, m := range p.components {
		n += m.Writes()
	}
	return n
}

// providers is what the test framework wants of a provider.
func (p *platform) providers() map[string]func() (tfprotov6.ProviderServer, error) {
	return map[string]func() (tfprotov6.ProviderServer, error){
		"functionmesh": providerserver.NewProtocol6WithError(provider.NewWith("test", p.open)()),
	}
}

func functionKey(name string) engine.Key {
	return engine.Key{Kind: "function", Tenant: "public", Namespace: "default", Name: name}
}

// needTerraform points the test framework to terraform or tofu: $TERRAFORM, else what is
// on PATH, else the tofu that was built here.
func needTerraform(t *testing.T) {
	t.Helper()
	terraform := ""
	for _, name := range []string{os.Getenv("TERRAFORM"), "terraform", "tofu", "../bin/tofu"} {
		if found, err := exec.LookPath(name); err == nil && terraform == "" {
			terraform = found
		}
	}
	if terraform == "" {
		if os.Getenv("FUNCTIONMESH_REQUIRE_ALL") == "1" {
			t.Fatal("there is neither terraform nor tofu, and FUNCTIONMESH_REQUIRE_ALL=1 allows no test to be skipped")
		}
		t.Skip("there is neither terraform nor tofu on PATH: acceptance tests are skipped")
	}
	terraform, err := filepath.Abs(terraform)
	if err != nil {
		t.Fatal(err)
	}
	if filepath.Base(terraform) == "tofu" {
		t.Setenv("TF_ACC_PROVIDER_HOST", "registry.opentofu.org")
	}
	config := filepath.Join(t.TempDir(), "terraform.rc")
	if err := os.WriteFile(config, []byte("disable_checkpoint = true\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	t.Setenv("TF_ACC_TERRAFORM_PATH", terraform)
	t.Setenv("TF_CLI_CONFIG_FILE", config)
}

// codeFile writes user code and returns its path.
func codeFile(t *testing.T, name, content string) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(file, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}
