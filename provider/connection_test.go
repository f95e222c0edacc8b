package provider_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/functionmesh/terraform-provider-functionmesh/internal/local"
	"github.com/functionmesh/terraform-provider-functionmesh/internal/spec"
	"github.com/functionmesh/terraform-provider-functionmesh/provider"
)

// noPulsarVariables takes the variables away that would fill in a pulsar block.
func noPulsarVariables(t *testing.T) {
	t.Helper()
	for _, v := range os.Environ() {
		if name, _, _ := strings.Cut(v, "="); strings.HasPrefix(name, "PULSAR_") {
			t.Setenv(name, "")
		}
	}
}

// What is written and what the environment says, as the platform is opened with it.
func TestConfigurationOfConnections(t *testing.T) {
	noPulsarVariables(t)
	here, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	written := object{"service_url": "pulsar://a:6650", "admin_url": "http://a:8080"}
	a := local.Connection{ServiceURL: "pulsar://a:6650", AdminURL: "http://a:8080"}
	withToken, withFile := a, a
	withToken.Token, withFile.TokenFile = spec.NewSecret("t"), filepath.Join(here, "mine")
	cases := map[string]struct {
		provider object
		env      map[string]string
		want     provider.Config
	}{
		"Nothing":   {want: provider.Config{Local: true}},
		"EnvAlone":  {env: map[string]string{"PULSAR_URL": "pulsar://e", "PULSAR_ADMIN_URL": "http://e"}, want: provider.Config{Local: true}},
		"Pulsar":    {provider: object{"pulsar": written}, want: provider.Config{Pulsar: &a}},
		"Both":      {provider: object{"local": object{}, "pulsar": written}, want: provider.Config{Local: true, Pulsar: &a}},
		"EnvFills":  {provider: object{"local": object{}, "pulsar": object{}}, env: map[string]string{"PULSAR_URL": "pulsar://a:6650", "PULSAR_ADMIN_URL": "http://a:8080"}, want: provider.Config{Local: true, Pulsar: &a}},
		"EnvToken":  {provider: object{"pulsar": written}, env: map[string]string{"PULSAR_TOKEN": "t"}, want: provider.Config{Pulsar: &withToken}},
		"FileWins":  {provider: object{"pulsar": with(written, object{"token_file": "mine"})}, env: map[string]string{"PULSAR_TOKEN": "t"}, want: provider.Config{Pulsar: &withFile}},
		"Connected": {provider: object{"local": object{}, "pulsar": written, "connections": object{"eu": object{"service_url": "pulsar://eu:6650"}}}, env: map[string]string{"PULSAR_TOKEN_FILE": filepath.Join(here, "mine")}, want: provider.Config{Local: true, Pulsar: &withFile, Connections: map[string]local.Connection{"eu": {ServiceURL: "pulsar://eu:6650"}}}},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			for k, v := range tc.env {
				t.Setenv(k, v)
			}
			p := newPlatform("one")
			c := newCore(t, p, "functionmesh_topic", tc.provider)
			c.apply(object{"name": "orders"})
			c.clean()
			if diff := cmp.Diff(&tc.want, p.last.Load(), cmpopts.IgnoreFields(provider.Config{}, "Version"), cmp.AllowUnexported(spec.Secret{})); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestUnknownConnectionsOpenNothing(t *testing.T) {
	noPulsarVariables(t)
	written := object{"service_url": "pulsar://a:6650", "admin_url": "http://a:8080"}
	for name, config := range map[string]object{
		"Token":       {"local": object{}, "pulsar": with(written, object{"token": unknown})},
		"TLS":         {"local": object{}, "pulsar": with(written, object{"tls": unknown})},
		"ServiceURL":  {"local": object{}, "pulsar": with(written, object{"service_url": unknown})},
		"Connections": {"local": object{}, "pulsar": written, "connections": unknown},
		"Connection":  {"local": object{}, "pulsar": written, "connections": object{"eu": unknown}},
		"Inside":      {"local": object{}, "pulsar": written, "connections": object{"eu": object{"service_url": "pulsar://eu", "token_file": unknown}}},
	} {
		t.Run(name, func(t *testing.T) {
			p := newPlatform("one")
			c := newCore(t, p, "functionmesh_function", config)
			planned := enrichConfig(t)
			c.plan(planned)
			c.clean()
			c.apply(planned)
			if !failed(c.diags) || p.opened.Load() != 0 {
				t.Errorf("opened %d times: %s", p.opened.Load(), printed(c.diags))
			}
		})
	}
}

func TestConnectionsAreCheckedWhilePlanning(t *testing.T) {
	noPulsarVariables(t)
	written := object{"service_url": "pulsar://a:6650", "admin_url": "http://a:8080"}
	both := object{"local": object{}, "pulsar": written, "connections": object{"eu": object{"service_url": "pulsar://eu:6650"}}}
	inputs := func(name string) object { return object{"inputs": object{"orders": object{"connection": name}}} }
	for name, tc := range map[string]struct {
		provider object
		change   object
		fails    bool
	}{
		"Known":        {both, inputs("eu"), false},
		"NotThere":     {both, inputs("us"), true},
		"NotLocal":     {object{}, inputs("eu"), true},
		"NotPulsar":    {object{"pulsar": written}, inputs("eu"), true},
		"OutputKnown":  {both, object{"output": object{"topic": "o", "connection": "eu"}}, false},
		"OutputAbsent": {both, object{"output": object{"topic": "o", "connection": "us"}}, true},
		"NotKnownYet":  {with(both, object{"connections": unknown}), inputs("us"), false},
	} {
		t.Run(name, func(t *testing.T) {
			c := newCore(t, newPlatform("one"), "functionmesh_function", tc.provider)
			c.plan(with(enrichConfig(t), tc.change))
			if failed(c.diags) != tc.fails {
				t.Errorf("want a failure %v, got %s", tc.fails, printed(c.diags))
			}
			if tc.fails && !strings.Contains(printed(c.diags), "connection: ") {
				t.Errorf("want an error at the connection, got %s", printed(c.diags))
			}
		})
	}
}
