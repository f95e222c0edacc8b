//go:build linux || darwin

package acceptance

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/functionmesh/terraform-provider-functionmesh/runner/broker/pulsar/pulsartest"
)

// withToken sets the token that the next terraform runs with.
func (s *site) withToken(token string) {
	s.env = slices.DeleteFunc(s.env, func(v string) bool { return strings.HasPrefix(v, "TF_VAR_token=") })
	s.env = append(s.env, "TF_VAR_token="+token)
}

// A token by value that expires under a running instance, and the one of the next run:
// a plan brings it, no resource changes, nothing is restarted and nothing is lost.
func TestPulsarTokenRotatedBetweenTwoRuns(t *testing.T) {
	t.Parallel()
	own := pulsartest.Own(t, "--secure", "--conf", "authenticationRefreshCheckSeconds=2")
	s, ns := newSite(t), own.Namespace(t, pulsartest.Policies{Retention: true})
	_, local, _ := strings.Cut(ns.Name, "/")
	p := s.project("")
	p.hcl(fmt.Sprintf(`
variable "token" { sensitive = true }
provider "functionmesh" {
  local     = {}
  pulsar    = { service_url = %q, admin_url = %q, token = var.token, tls = { ca_file = %q } }
  namespace = %q
}
resource "functionmesh_function" "f" {
  name    = "f"
  runtime = { wasm = { file = %q } }
  inputs  = { in = {} }
  output  = { topic = "out" }
}`, own.URL, own.AdminURL, own.CAFile, local, built.wasm))

	// Refusals first: they must leave nothing behind.
	for _, token := range []string{"", own.Sign(t, "other", time.Hour), "not.a.token"} {
		s.withToken(token)
		o := p.tryApply()
		if o.code == 0 {
			t.Fatalf("applied with a token that has no rights")
		}
		if token != "" && strings.Contains(o.all, token) {
			t.Error("the token is told")
		}
	}
	long := own.Sign(t, "admin", 2*time.Hour)
	s.withToken(long)
	p.apply()
	begin := time.Now()
	p.empty()
	// The first token lives for as long as this machine needs to bring it, and more.
	expires := time.Now().Add(10*time.Second + 3*time.Since(begin))
	first, second := own.Sign(t, "admin", time.Until(expires)), own.Sign(t, "admin", time.Hour)
	s.withToken(first)
	p.empty()
	fed(t, own.Server, ns.Full("in"), 100)
	shouted(t, held{own.Server, ns.Full("out"), 0}, 100, "!")
	eventually(t, "the first token has expired and its connection ended", func() bool {
		return time.Now().After(expires.Add(5 * time.Second))
	})
	fed(t, own.Server, ns.Full("in"), 50) // numbered anew
	s.withToken(second)
	p.empty() // the run that brings the token
	shouted(t, held{own.Server, ns.Full("out"), 0}, 150, "!")
	var status struct {
		Instances []struct {
			Restarts int `json:"restarts"`
		} `json:"instances"`
	}
	s.json(&status, "function", "stats", "f", "--namespace", local)
	if len(status.Instances) != 1 || status.Instances[0].Restarts != 0 {
		t.Errorf("instances %+v, want one that never ended", status.Instances)
	}
	secrets(t, s, long, first, second)
	p.destroy()
}

// secrets fails the test where a token is in a log, a state or a place that others may
// read.
func secrets(t *testing.T, s *site, tokens ...string) {
	t.Helper()
	must(t, filepath.WalkDir(s.data, func(path string, d os.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return nil //nolint:nilerr // files come and go
		}
		text, err := os.ReadFile(path)
		info, statErr := d.Info()
		if err != nil || statErr != nil {
			return nil //nolint:nilerr // files come and go
		}
		for _, token := range tokens {
			kept := strings.HasSuffix(path, ".token") && info.Mode().Perm() == 0o600
			if strings.Contains(string(text), token) && !kept {
				t.Errorf("%s of mode %o holds a token", path, info.Mode().Perm())
			}
		}
		return nil
	}))
}
