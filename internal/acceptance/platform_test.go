//go:build linux || darwin

package acceptance

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// Row: provider pointed at another platform with state from the first.
func TestOtherPlatform(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	other := siteAt(t, filepath.Join(t.TempDir(), "data"))
	config := smallMesh("m", built.wasm)
	p := s.project(config)
	p.apply()
	other.run("local", "up")
	homes := []string{s.record().ID, other.record().ID}
	p.hcl(fmt.Sprintf("provider \"functionmesh\" {\n  local = { data_dir = %q }\n}\n", other.data) + config)
	for name, o := range map[string]outcome{
		"plan": p.tryPlan(), "apply": p.tryApply(), "apply without refresh": p.tryApply("-refresh=false"),
		"destroy": p.terraform("destroy", "-input=false", "-auto-approve"),
	} {
		if name == "apply without refresh" {
			continue // nothing differs, so nothing is asked
		}
		if o.code != 1 {
			t.Errorf("%s ended with %d:\n%s", name, o.code, o.all)
		}
		o.says(t, homes...)
	}
	changed := strings.Replace(config, "a = {", "a = { parallelism = 2,", 1)
	p.hcl(fmt.Sprintf("provider \"functionmesh\" {\n  local = { data_dir = %q }\n}\n", other.data) + changed)
	o := p.tryApply("-refresh=false")
	if o.code != 1 {
		t.Errorf("a change without refresh ended with %d", o.code)
	}
	o.says(t, homes...)
	if got := other.components(); len(got) > 0 {
		t.Errorf("a second copy: %v", got)
	}
	p.use(config)
	p.empty()
}

// Row: daemon that cannot be started, or gateway over TCP that is down, during plan.
func TestUnreachablePlatformIsNeverNoChanges(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	config := `resource "functionmesh_topic" "t" { name = "orders" }`
	p := s.project(config)
	p.apply()
	s.run("local", "down")
	inTheWay := write(t, filepath.Join(t.TempDir(), "file"), "in the way")
	env := slices.Clone(s.env)
	cases := map[string]struct {
		env   string
		hcl   string
		words []string
	}{
		"BinaryIsNotOurs": {env: "FUNCTIONMESH_BINARY=/bin/false", hcl: onLocal + config, words: []string{"/bin/false", "FUNCTIONMESH_BINARY"}},
		"BinaryIsMissing": {env: "FUNCTIONMESH_BINARY=/nonexistent", hcl: onLocal + config, words: []string{"/nonexistent", "FUNCTIONMESH_BINARY"}},
		"DataDirIsAFile": {
			hcl:   fmt.Sprintf("provider \"functionmesh\" {\n  local = { data_dir = %q }\n}\n", inTheWay) + config,
			words: []string{inTheWay, "data_dir"},
		},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			p.t, s.t = t, t
			if s.env = slices.Clone(env); tc.env != "" {
				s.env = append(s.env, tc.env)
			}
			p.hcl(tc.hcl)
			o := p.tryPlan()
			if o.code != 1 || strings.Contains(o.all, "No changes") {
				t.Errorf("plan ended with %d:\n%s", o.code, o.all)
			}
			o.says(t, tc.words...)
		})
		p.t, s.t, s.env = t, t, env
	}
	p.use(config)
	p.empty()
}

func TestGatewayThatIsDownIsNeverNoChanges(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	var up struct {
		Listen string `json:"listen"`
	}
	s.json(&up, "local", "up", "--listen", "127.0.0.1:0")
	p := s.project("")
	p.hcl(fmt.Sprintf(`
provider "functionmesh" {
  pulsar = { admin_url = "http://%s", token_file = %q }
}
resource "functionmesh_topic" "t" { name = "orders" }`, up.Listen, filepath.Join(s.data, "token")))
	p.repair()
	s.run("local", "down")
	o := p.tryPlan()
	if o.code != 1 || strings.Contains(o.all, "No changes") {
		t.Errorf("plan ended with %d:\n%s", o.code, o.all)
	}
	o.says(t, "Platform cannot be reached", up.Listen)
	if got := p.terraform("state", "list"); !strings.Contains(got.out, "functionmesh_topic.t") {
		t.Errorf("the state is %q", got.out)
	}
}

// Row: old daemon and newer provider, and the reverse; with a mesh under load.
func TestUpgrade(t *testing.T) {
	t.Parallel()
	const count = 12000
	s := newSite(t)
	dir := t.TempDir()
	configs, binaries := map[string]string{}, map[string]string{}
	for _, version := range []string{"0.1.0", "0.2.0"} {
		binaries[version] = filepath.Join(dir, "functionmesh-"+version)
		must(t, build(built.top, ".", binaries[version], version))
		must(t, addToMirror(filepath.Join(dir, version), version, binaries[version]))
		configs[version] = filepath.Join(dir, version+".tfrc")
		must(t, writeConfig(configs[version], filepath.Join(dir, version)))
	}
	out := filepath.Join(dir, "out.txt")
	p := s.project(fmt.Sprintf(`
resource "functionmesh_mesh" "m" {
  name      = "m"
  sources   = { numbers = { builtin = "generator", config = jsonencode({ count = %d, rate = 1500 }), output = { topic = "in" } } }
  functions = { f = { runtime = { wasm = { file = %q } }, inputs = { in = {} }, output = { topic = "out" } } }
  sinks     = { store = { builtin = "file", inputs = { out = {} }, config = jsonencode({ path = %q }) } }
}`, count, built.wasm, out))
	as := func(version string) {
		s.binary = binaries[version]
		s.env = append(s.env, "TF_CLI_CONFIG_FILE="+configs[version])
		must(t, os.RemoveAll(filepath.Join(p.dir, ".terraform.lock.hcl")))
		if o := p.terraform("init", "-upgrade", "-input=false"); o.code != 0 {
			t.Fatalf("init for %s:\n%s", version, o.all)
		}
	}
	version := func() (v struct {
		ID      string `json:"id"`
		Version string `json:"version"`
	},
	) {
		s.json(&v, "local", "status")
		return v
	}
	as("0.1.0")
	p.apply()
	before := version()
	as("0.2.0")
	p.empty() // reading is enough to replace the daemon
	after := version()
	if before.Version != "0.1.0" || after.Version != "0.2.0" || after.ID != before.ID {
		t.Errorf("platform %v became %v", before, after)
	}
	as("0.1.0")
	if o := p.tryPlan(); o.code == 2 {
		t.Errorf("the older provider plans changes:\n%s", o.all)
	}
	if now := version(); now != after {
		t.Errorf("the older provider made %v of %v", now, after)
	}
	as("0.2.0")
	complete(t, count, "!", func() []string { return linesOf(out) })
	p.empty()
}

// complete waits until every number below n has come, with what follows it.
func complete(t *testing.T, n int, suffix string, read func() []string) {
	t.Helper()
	var lost []int
	again := 0
	defer func() {
		if len(lost) > 0 {
			t.Errorf("%d of %d messages are lost, the first %v", len(lost), n, lost[:min(10, len(lost))])
		}
		t.Logf("%d of %d messages came again", again, n)
	}()
	eventually(t, "every message", func() bool {
		lost, again = missing(read(), n, suffix)
		return len(lost) == 0
	})
}

// linesOf are the complete lines of a file.
func linesOf(file string) []string {
	text, err := os.ReadFile(file)
	if err != nil {
		return nil
	}
	all := strings.Split(string(text), "\n")
	return all[:len(all)-1]
}
