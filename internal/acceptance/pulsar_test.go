//go:build linux || darwin

package acceptance

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/functionmesh/terraform-provider-functionmesh/runner/broker/pulsar/pulsartest"
)

// onPulsar is a provider block with streams on a Pulsar, in a namespace.
func onPulsar(server *pulsartest.Server, namespace, more string) string {
	_, local, _ := strings.Cut(namespace, "/")
	return fmt.Sprintf(`
provider "functionmesh" {
  local     = {}
  pulsar    = { service_url = %q, admin_url = %q }
  namespace = %q
  %s
}
`, server.URL, server.AdminURL, local, more)
}

const exclaimMesh = `
resource "functionmesh_topic" "lines" { name = "lines" }
resource "functionmesh_topic" "spare" { name = "spare" }
resource "functionmesh_topic" "shouted" {
  name       = "shouted"
  partitions = 2
}
resource "functionmesh_mesh" "exclaim" {
  name = "exclaim"
  functions = {
    loud   = { runtime = { wasm = { file = %[1]q } }, inputs = { (functionmesh_topic.lines.name) = {} }, output = { topic = "excited" } }
    louder = { runtime = { wasm = { file = %[1]q } }, inputs = { excited = {} }, output = { topic = functionmesh_topic.shouted.name } }
  }
}
`

// held is a topic of a Pulsar.
type held struct {
	server     *pulsartest.Server
	topic      string
	partitions int
}

// shouted waits until a topic holds n messages that each end in the suffix.
func shouted(t *testing.T, in held, n int, suffix string) {
	t.Helper()
	var all []pulsartest.Stored
	eventually(t, fmt.Sprintf("%d messages in %s", n, in.topic), func() bool {
		all = in.server.ReadAll(t, in.topic, in.partitions)
		return len(all) >= n
	})
	if len(all) != n {
		t.Errorf("%d messages in %s, want %d", len(all), in.topic, n)
	}
	for _, m := range all {
		if !strings.HasSuffix(string(m.Value), suffix) {
			t.Errorf("%q does not end in %q", m.Value, suffix)
			return
		}
	}
}

// fed publishes n messages, by a producer that has gone when this returns.
func fed(t *testing.T, server *pulsartest.Server, topic string, n int) {
	t.Helper()
	t.Run("Fill", func(t *testing.T) { server.Fill(t, topic, n, pulsartest.Fill{}) })
}

// The mesh of the demo with nothing changed but the provider block.
func TestPulsarHoldsTheStreamsOfAMesh(t *testing.T) {
	t.Parallel()
	server := pulsartest.Need(t)
	s, ns := newSite(t), server.Namespace(t, pulsartest.Policies{Retention: true})
	block, mesh := onPulsar(server, ns.Name, ""), fmt.Sprintf(exclaimMesh, built.wasm)
	p := s.project("")
	p.hcl(block + mesh)
	p.repair()
	if n := server.Partitions(t, ns.Full("shouted")); n != 2 {
		t.Errorf("shouted has %d partitions on the Pulsar", n)
	}
	const n = 500
	fed(t, server, ns.Full("lines"), n)
	shouted(t, held{server, ns.Full("shouted"), 2}, n, "!!")

	name := strings.TrimPrefix(ns.Name, "public/")
	s.run("function", "scale", "exclaim-louder", "2", "--namespace", name)
	p.expect(map[string]string{"functionmesh_mesh.exclaim": "update functions.louder.parallelism"})
	server.Delete(t, ns.Full("spare"))
	if changes, _ := p.plan(); changes["functionmesh_topic.spare"].String() != "create" {
		t.Errorf("a topic that somebody deleted on the Pulsar: %v", changes)
	}
	p.repair()

	// The same state on another platform is refused, whichever half moved.
	p.use(mesh)
	p.tryPlan().says(t, "configured for another platform")
	p.hcl(block + mesh)
	p.destroy()
	var left []string
	must(t, server.Admin(t.Context(), http.MethodGet, "/admin/v2/persistent/"+ns.Name, nil, &left))
	for _, topic := range left {
		if strings.Contains(topic, "shouted") || strings.HasSuffix(topic, "/lines") {
			t.Errorf("%s is left on the Pulsar", topic)
		}
	}
	if got := s.components(); len(got) > 0 {
		t.Errorf("components %v are left", got)
	}
}

// connections lists what the daemon keeps, by service URL.
func (s *site) connections() map[string][]string {
	s.t.Helper()
	_, text := s.rest(http.MethodGet, "/functionmesh/v1/connections", nil)
	var all []struct {
		ServiceURL string   `json:"service_url"`
		Components []string `json:"components"`
	}
	must(s.t, json.Unmarshal([]byte(text), &all))
	by := map[string][]string{}
	for _, c := range all {
		by[c.ServiceURL] = append(by[c.ServiceURL], c.Components...)
	}
	return by
}

// Two projects mean different addresses by the connection eu; each function reads by
// its own project's.
func TestPulsarTwoProjectsOneName(t *testing.T) {
	t.Parallel()
	server := pulsartest.Need(t)
	s := newSite(t)
	hosts := []string{"127.0.0.1", "localhost"} // one Pulsar, two addresses
	if !strings.Contains(server.URL, hosts[0]) {
		t.Skip("the Pulsar is on another machine, so it has one address")
	}
	var projects []*project
	var spaces []*pulsartest.Namespace
	for i, host := range hosts {
		ns := server.Namespace(t, pulsartest.Policies{Retention: true})
		eu := strings.ReplaceAll(server.URL, hosts[0], host)
		block := onPulsar(server, ns.Name, fmt.Sprintf(`connections = { eu = { service_url = %q, admin_url = %q } }`, eu, server.AdminURL))
		p := s.project("")
		p.hcl(block + fmt.Sprintf(`
resource "functionmesh_function" "f" {
  name    = "f%d"
  runtime = { wasm = { file = %q } }
  inputs  = { in = { connection = "eu" } }
  output  = { topic = "out" }
}`, i, built.wasm))
		p.apply()
		projects, spaces = append(projects, p), append(spaces, ns)
	}
	for i, p := range projects {
		p.empty()
		eu := strings.ReplaceAll(server.URL, hosts[0], hosts[i])
		users := strings.Join(s.connections()[eu], " ")
		if !strings.Contains(users, fmt.Sprintf("/f%d", i)) {
			t.Errorf("the connection to %s is used by %q", eu, users)
		}
		fed(t, server, spaces[i].Full("in"), 100)
		shouted(t, held{server, spaces[i].Full("out"), 0}, 100, "!")
	}
	if users := strings.Join(s.connections()[strings.ReplaceAll(server.URL, hosts[0], hosts[1])], " "); strings.Contains(users, "/f0") {
		t.Errorf("the second project's connection is used by %q", users)
	}
	for _, p := range projects {
		p.destroy()
	}
}

// What a Pulsar or its policies refuse is told with its attribute and a way out, and a
// Pulsar that cannot be reached takes nothing out of the state.
func TestPulsarRefusals(t *testing.T) {
	t.Parallel()
	server := pulsartest.Need(t)
	s, ns := newSite(t), server.Namespace(t, pulsartest.Policies{})
	function := func(more string) string {
		return onPulsar(server, ns.Name, "") + fmt.Sprintf(`
resource "functionmesh_function" "f" {
  name    = "f"
  runtime = { wasm = { file = %q } }
  inputs  = { in = {} }
  output  = { topic = "out" }
  %s
}`, built.wasm, more)
	}
	p := s.project("")
	p.hcl(function(`processing_guarantees = "effectively_once"`))
	p.tryApply().says(t, "processing_guarantees", "deduplication", "set-deduplication", ns.Name)
	ns.SetDeduplication(t, true)
	p.repair()
	fed(t, server, ns.Full("in"), 300)
	shouted(t, held{server, ns.Full("out"), 0}, 300, "!")
	p.hcl(function(`subscription = { type = "shared" }
  processing_guarantees = "effectively_once"`))
	p.tryPlan().says(t, "subscription.type")
	p.hcl(function(""))
	p.destroy()
}
