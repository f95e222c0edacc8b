package layout

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"os/exec"
	"slices"
	"strings"
	"testing"
)

// mayImport is the import matrix of the design: for a package (a trailing /... covers
// those below it) the packages of this module that its code may import directly. The
// most specific entry counts; a package without an entry is a breach.
var mayImport = map[string][]string{
	".":                            {"internal/command", "provider"},
	"provider/...":                 {"provider/...", "internal/spec", "internal/engine", "internal/catalog", "internal/codec", "internal/graph", "internal/pulsarform", "internal/admin", "internal/local", "internal/cluster"},
	"operator/api/...":             {"operator/api/..."},
	"operator/...":                 {"operator/...", "internal/spec", "internal/engine", "internal/catalog", "internal/codec", "internal/graph", "internal/pulsarform", "internal/gateway", "internal/cluster", "internal/admin"},
	"runner/...":                   {"runner/...", "internal/spec", "internal/wire"},
	"internal/spec":                {},
	"internal/engine":              {},
	"internal/engine/enginetest":   {"internal/engine"},
	"internal/graph":               {"internal/spec"},
	"internal/wire":                {"internal/spec"},
	"internal/pulsarform":          {"internal/spec"},
	"internal/diff":                {"internal/spec", "internal/engine"},
	"internal/catalog":             {"internal/spec", "internal/graph", "internal/diff", "internal/engine"},
	"internal/catalog/catalogtest": {"internal/spec", "internal/engine"},
	"internal/codec":               {"internal/spec", "operator/api/..."},
	"internal/workload":            {"internal/spec", "internal/wire", "internal/graph"},
	"internal/admin":               {"internal/spec", "internal/engine", "internal/pulsarform", "internal/catalog"},
	"internal/cluster":             {"internal/spec", "internal/engine", "internal/codec", "internal/workload", "internal/catalog", "operator/api/..."},
	"internal/gateway":             {"internal/spec", "internal/engine", "internal/catalog", "internal/pulsarform"},
	"internal/local/...":           {"internal/local/...", "internal/spec", "internal/engine", "internal/catalog", "internal/wire", "internal/gateway"},
	"internal/command":             {"internal/spec", "internal/engine", "internal/local", "internal/admin", "internal/cluster", "internal/catalog", "internal/codec", "internal/pulsarform", "internal/graph", "internal/wire", "runner/instance", "runner/broker/..."},
	"internal/layout":              {},
	"internal/acceptance":          {},
	"internal/bench/...":           {"..."},
}

// mayNotLink says what a package must not contain even indirectly.
var mayNotLink = map[string][]string{
	"internal/spec":       {"thirdparty"},
	"internal/engine":     {"k8s.io", "sigs.k8s.io/controller-runtime", "github.com/hashicorp", "github.com/crossplane", "github.com/nats-io", "github.com/apache"},
	"internal/graph":      {"thirdparty"},
	"internal/wire":       {"thirdparty"},
	"internal/diff":       {"k8s.io", "sigs.k8s.io/controller-runtime", "github.com/hashicorp", "github.com/crossplane", "github.com/nats-io", "github.com/apache"},
	"internal/catalog":    {"k8s.io", "sigs.k8s.io/controller-runtime", "github.com/hashicorp", "github.com/crossplane", "github.com/nats-io", "github.com/apache"},
	"internal/pulsarform": {"k8s.io", "sigs.k8s.io/controller-runtime", "github.com/hashicorp", "github.com/crossplane", "github.com/nats-io", "github.com/apache"},
	"internal/workload":   {"k8s.io/client-go", "sigs.k8s.io/controller-runtime"},
	"internal/admin":      {"github.com/hashicorp/terraform-plugin-framework", "k8s.io"},
	"internal/gateway":    {"github.com/hashicorp/terraform-plugin-framework", "k8s.io", "github.com/nats-io"},
	"internal/local/...":  {"github.com/hashicorp/terraform-plugin-framework", "k8s.io", "github.com/tetratelabs/wazero"},
	"internal/command":    {"github.com/hashicorp/terraform-plugin-framework"},
	"runner/...": {
		"k8s.io", "sigs.k8s.io/controller-runtime", "github.com/hashicorp/terraform-plugin-framework", "github.com/nats-io/nats-server",
		modulePath + "/internal/engine", modulePath + "/internal/catalog", modulePath + "/internal/admin", modulePath + "/internal/gateway",
		modulePath + "/internal/local", modulePath + "/internal/workload", modulePath + "/provider", modulePath + "/operator",
	},
	"operator/...": {"github.com/hashicorp/terraform-plugin-framework"},
}

// testSuites are packages that tests are made of and that link a whole platform.
var testSuites = []string{"runner/runnertest", "runner/instance/instancetest", "runner/broker/nats/natstest", "runner/broker/pulsar/pulsartest", "runner/broker/pulsar/fakebroker", "internal/engine/enginetest", "internal/catalog/catalogtest"}

// notInTests are libraries that tests do without.
var notInTests = []string{"github.com/stretchr/testify", "github.com/onsi/ginkgo", "github.com/onsi/gomega", "go.uber.org/mock", "github.com/golang/mock"}

type listed struct {
	ImportPath   string
	Standard     bool
	DepOnly      bool
	Imports      []string
	TestImports  []string
	XTestImports []string
}

// ours is the path below the module, "." for its root.
func ours(path string) (string, bool) {
	if path == modulePath {
		return ".", true
	}
	return strings.CutPrefix(path, modulePath+"/")
}

func covers(pattern, pkg string) bool {
	if base, deep := strings.CutSuffix(pattern, "..."); deep {
		return pkg == strings.TrimSuffix(base, "/") || strings.HasPrefix(pkg, base)
	}
	return pattern == pkg
}

// entry finds the most specific entry of a table for a package.
func entry(table map[string][]string, pkg string) ([]string, bool) {
	best, found := "", false
	for pattern := range table {
		if covers(pattern, pkg) && (!found || len(pattern) > len(best)) {
			best, found = pattern, true
		}
	}
	return table[best], found
}

func list(t *testing.T) map[string]listed {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "go", "list", "-e", "-deps", "-json=ImportPath,Standard,DepOnly,Imports,TestImports,XTestImports", "./...")
	cmd.Dir = root(t)
	raw, err := cmd.Output()
	if err != nil {
		t.Fatalf("go list: %v", err)
	}
	all := map[string]listed{}
	for dec := json.NewDecoder(bytes.NewReader(raw)); ; {
		var p listed
		if err := dec.Decode(&p); errors.Is(err, io.EOF) {
			return all
		} else if err != nil {
			t.Fatal(err)
		}
		all[p.ImportPath] = p
	}
}

func TestImportMatrix(t *testing.T) {
	all := list(t)
	for path, p := range all {
		name, own := ours(path)
		if !own {
			continue
		}
		allowed, known := entry(mayImport, name)
		if !known {
			t.Errorf("package %s is not in the import matrix: decide who it may import and add it", name)
		}
		for _, imported := range p.Imports {
			if target, own := ours(imported); own && !slices.ContainsFunc(allowed, func(a string) bool { return covers(a, target) }) {
				t.Errorf("%s imports %s, which the matrix does not allow", name, target)
			}
		}
		checkLinked(t, all, name, p)
		for _, imported := range slices.Concat(p.TestImports, p.XTestImports) {
			for _, banned := range notInTests {
				if imported == banned || strings.HasPrefix(imported, banned+"/") {
					t.Errorf("a test of %s imports %s: the standard library and go-cmp are enough", name, imported)
				}
			}
		}
	}
}

// dragsIn are libraries behind which is not looked. Pulsar's own client links Athenz for
// a way of authentication that nothing here offers, and that drags in types of Kubernetes
// that nothing here can reach.
var dragsIn = []string{"github.com/AthenZ/athenz"}

// linked are all packages that p contains, but for those behind dragsIn.
func linked(all map[string]listed, p listed) []string {
	var found []string
	seen := map[string]bool{}
	var visit func(p listed)
	visit = func(p listed) {
		for _, dep := range p.Imports {
			if seen[dep] || slices.ContainsFunc(dragsIn, func(d string) bool { return strings.HasPrefix(dep, d) }) {
				continue
			}
			seen[dep] = true
			found = append(found, dep)
			visit(all[dep])
		}
	}
	visit(p)
	return found
}

func checkLinked(t *testing.T, all map[string]listed, name string, p listed) {
	t.Helper()
	banned, _ := entry(mayNotLink, name)
	if slices.Contains(testSuites, name) {
		return
	}
	for _, dep := range linked(all, p) {
		for _, b := range banned {
			_, own := ours(dep)
			third := b == "thirdparty" && !own && !all[dep].Standard
			if third || dep == b || strings.HasPrefix(dep, b+"/") {
				t.Errorf("%s links %s, if only indirectly", name, dep)
			}
		}
	}
}

func TestNobodyImportsFrontEnds(t *testing.T) {
	for path, p := range list(t) {
		name, own := ours(path)
		if !own || name == "." || strings.HasPrefix(name, "provider") || strings.HasPrefix(name, "operator") {
			continue
		}
		for _, imported := range slices.Concat(p.Imports, p.TestImports, p.XTestImports) {
			target, own := ours(imported)
			front := strings.HasPrefix(target, "provider") || (strings.HasPrefix(target, "operator") && !strings.HasPrefix(target, "operator/api"))
			if own && front && !strings.HasPrefix(name, "internal/bench") {
				t.Errorf("%s imports the front end %s", name, target)
			}
		}
	}
}

// The matrix itself is data, so its look-up is worth a test.
func TestEntryPicksTheMostSpecific(t *testing.T) {
	table := map[string][]string{"runner/...": {"wide"}, "runner/instance": {"narrow"}}
	cases := map[string]struct {
		pkg, want string
		found     bool
	}{
		"Exact": {"runner/instance", "narrow", true},
		"Below": {"runner/broker/nats", "wide", true},
		"Self":  {"runner", "wide", true},
		"Other": {"runnerx", "", false},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			got, found := entry(table, c.pkg)
			if found != c.found || (found && got[0] != c.want) {
				t.Errorf("entry(%q) = %v, %v", c.pkg, got, found)
			}
		})
	}
}
