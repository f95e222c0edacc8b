//go:build linux || darwin

package local_test

import (
	"encoding/base64"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/functionmesh/terraform-provider-functionmesh/internal/admin"
	"github.com/functionmesh/terraform-provider-functionmesh/internal/catalog"
	"github.com/functionmesh/terraform-provider-functionmesh/internal/engine"
	"github.com/functionmesh/terraform-provider-functionmesh/internal/local"
	"github.com/functionmesh/terraform-provider-functionmesh/internal/spec"
)

// token is what a Pulsar's role shows; serial tells two of the same role apart.
func token(role, serial string) spec.Secret {
	payload, _ := json.Marshal(map[string]string{"sub": role, "jti": serial})
	return spec.NewSecret("h." + base64.RawURLEncoding.EncodeToString(payload) + ".sig-" + serial)
}

// project is one caller with its own meaning of the connections.
func project(t *testing.T, c *local.Client, by map[string]local.Connection) *engine.Engine[spec.Component] {
	t.Helper()
	clients, err := admin.New(admin.Options{URL: c.AdminURL()})
	must(t, err)
	clients, err = c.Connect(t.Context(), clients, by)
	must(t, err)
	return catalog.Component(spec.KindSink).Engine(clients.Components[spec.KindSink])
}

func euSink(name string) engine.Object[spec.Component] {
	return engine.Object[spec.Component]{Marks: engine.Marks{Owner: "test"}, Spec: spec.Component{
		Kind: spec.KindSink, Tenant: "public", Namespace: "elsewhere", Name: name, Builtin: "file", Config: `{"path":"x"}`,
		Inputs: map[string]spec.Input{"persistent://public/elsewhere/in": {Connection: "eu"}},
	}}
}

func TestTwoProjectsWithOneNameDoNotMeet(t *testing.T) {
	c := ensure(t, options(t))
	home := local.Connection{ServiceURL: "pulsar://127.0.0.1:1", AdminURL: "http://127.0.0.1:1"}
	mine, theirs := home, home
	mine.Token, theirs.Token = token("us", "one"), token("them", "one") // the same address, another role
	one := project(t, c, map[string]local.Connection{"": home, "eu": mine})
	two := project(t, c, map[string]local.Connection{"": home, "eu": theirs})
	want := euSink("s")
	key := one.Key(want.Spec)
	if seen, err := one.Observe(t.Context(), key); err != nil || seen.Found || seen.Platform != c.Handshake().ID {
		t.Errorf("in a namespace that only the Pulsar knows: %+v, %v", seen, err)
	}
	_, err := one.Create(t.Context(), want, engine.CreateOptions{})
	must(t, err)
	if out, err := one.Converge(t.Context(), want); err != nil || out.Action != engine.None {
		t.Errorf("its own project sees %v, %v", out.Changes, err)
	}
	seen, err := two.Observe(t.Context(), key)
	must(t, err)
	for _, in := range seen.Spec.Inputs {
		if !strings.HasPrefix(in.Connection, "eu@") {
			t.Errorf("the other project sees the connection %q", in.Connection)
		}
	}
	out, err := two.Converge(t.Context(), want)
	must(t, err)
	if len(out.Changes) != 1 || out.Changes[0].New != "eu" {
		t.Errorf("the other project changes %v", out.Changes)
	}
	all, err := c.Connections(t.Context())
	must(t, err)
	if len(all) != 3 {
		t.Errorf("connections %+v, want the home and two", all)
	}
	must(t, two.Delete(t.Context(), key, engine.DeleteOptions{}))
	for _, k := range all {
		must(t, c.DeleteConnection(t.Context(), k.Key))
	}
}

func TestRotatedTokenKeepsItsConnection(t *testing.T) {
	o := options(t)
	c := ensure(t, o)
	eu := local.Connection{ServiceURL: "pulsar://127.0.0.1:1", Token: token("us", "first")}
	before, err := c.PutConnections(t.Context(), map[string]local.Connection{"eu": eu})
	must(t, err)
	eu.Token = token("us", "second")
	after, err := c.PutConnections(t.Context(), map[string]local.Connection{"eu": eu})
	must(t, err)
	if before["eu"] != after["eu"] || after["eu"] != eu.Key() {
		t.Errorf("keys %v, then %v", before, after)
	}
	file := filepath.Join(o.DataDir, "connections", eu.Key()+".token")
	text, err := os.ReadFile(file)
	must(t, err)
	info, err := os.Stat(file)
	must(t, err)
	if string(text) != eu.Token.Reveal() || info.Mode().Perm() != 0o600 {
		t.Errorf("the file of mode %o does not hold the new token", info.Mode().Perm())
	}
	all, err := c.Connections(t.Context())
	must(t, err)
	shown, err := json.Marshal(all)
	must(t, err)
	if strings.Contains(string(shown), "sig-") || !strings.Contains(string(shown), `"role":"us"`) {
		t.Errorf("shown are %s", shown)
	}
}

func TestConnectionsAreChecked(t *testing.T) {
	c := ensure(t, options(t))
	for name, tc := range map[string]struct {
		connection local.Connection
		path       string
	}{
		"NoURL":    {local.Connection{}, `connections["eu"].service_url`},
		"Relative": {local.Connection{ServiceURL: "pulsar://a", TokenFile: "token"}, `connections["eu"].token_file`},
		"Admin":    {local.Connection{ServiceURL: "pulsar://a", AdminURL: "pulsar://a"}, `connections["eu"].admin_url`},
		"User":     {local.Connection{ServiceURL: "pulsar://a", AdminURL: "http://me:secret@a"}, `connections["eu"].admin_url`},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := c.PutConnections(t.Context(), map[string]local.Connection{"eu": tc.connection})
			all := engine.All(err)
			if len(all) != 1 || all[0].Class != engine.Invalid || all[0].Path != tc.path || strings.Contains(err.Error(), "secret") {
				t.Errorf("%v", err)
			}
		})
	}
	if all, err := c.Connections(t.Context()); err != nil || len(all) > 0 {
		t.Errorf("kept %v, %v", all, err)
	}
}
