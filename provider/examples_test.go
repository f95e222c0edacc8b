package provider_test

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/hashicorp/terraform-plugin-testing/helper/resource"

	"github.com/functionmesh/terraform-provider-functionmesh/internal/engine"
	"github.com/functionmesh/terraform-provider-functionmesh/internal/spec"
)

const examples = "../examples"

// exampleFiles are the configurations under examples that stand alone.
func exampleFiles(t *testing.T) []string {
	t.Helper()
	var files []string
	err := filepath.WalkDir(examples, func(path string, _ fs.DirEntry, err error) error {
		if err == nil && strings.HasSuffix(path, ".tf") && !strings.HasPrefix(filepath.Base(path), "import-by-") {
			files = append(files, path)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return files
}

// stocked is a platform that holds what the examples of data sources look up.
func stocked() *platform {
	p := newPlatform("one")
	put := func(c spec.Component, mesh string) {
		marks := engine.Marks{Owner: "terraform", Mesh: mesh}
		p.components[c.Kind].Put(engine.Object[spec.Component]{Spec: spec.DefaultComponent(c), Marks: marks})
	}
	orders := map[string]spec.Input{"orders": {}}
	wasm := &spec.Runtime{WASM: &spec.Code{SHA256: digestOf("code")}}
	put(spec.Component{Kind: spec.KindFunction, Name: "enrich", Runtime: wasm, Inputs: orders}, "")
	put(spec.Component{Kind: spec.KindFunction, Name: "lines-enrich", Runtime: wasm, Inputs: orders}, "lines")
	put(spec.Component{Kind: spec.KindSource, Name: "intake", Builtin: "file", Output: &spec.Output{Topic: "orders"}}, "")
	put(spec.Component{Kind: spec.KindSink, Name: "store", Builtin: "file", Inputs: orders}, "")
	p.topics.Put(engine.Object[spec.Topic]{Spec: spec.DefaultTopic(spec.Topic{Name: "orders"})})
	p.tenants.Put(engine.Object[spec.Tenant]{Spec: spec.Tenant{Name: "shop"}})
	p.namespaces.Put(engine.Object[spec.Namespace]{Spec: spec.Namespace{Tenant: "shop", Name: "eu"}})
	return p
}

// Every example can be applied, and leaves nothing to plan.
func TestAccExamples(t *testing.T) {
	needTerraform(t)
	code := t.TempDir()
	for _, name := range []string{"enrich.py", "score.wasm", "exclaim.wasm"} {
		if err := os.WriteFile(filepath.Join(code, name), []byte(name), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for _, file := range exampleFiles(t) {
		t.Run(strings.TrimPrefix(file, examples+"/"), func(t *testing.T) {
			text, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			config := strings.ReplaceAll(string(text), "${path.module}", code)
			config = strings.ReplaceAll(config, `"exclaim.wasm"`, fmt.Sprintf("%q", filepath.Join(code, "exclaim.wasm")))
			if strings.Contains(config, "required_providers") {
				t.Setenv("TF_ACC_PROVIDER_NAMESPACE", "functionmesh")
			}
			p := newPlatform("one")
			if strings.Contains(file, "data-sources") {
				p = stocked()
			}
			resource.UnitTest(t, resource.TestCase{
				ProtoV6ProviderFactories: p.providers(),
				Steps:                    []resource.TestStep{{Config: config}},
			})
		})
	}
}

// The ways to import that the documentation shows are three spellings of one.
func TestImportExamplesAgree(t *testing.T) {
	folders, err := filepath.Glob(examples + "/resources/*")
	if err != nil || len(folders) == 0 {
		t.Fatalf("no examples of resources: %v", err)
	}
	word := regexp.MustCompile(`(?m)^\s*(tenant|namespace|name)\s*= "(.*)"$`)
	for _, folder := range folders {
		kind := filepath.Base(folder)
		t.Run(kind, func(t *testing.T) {
			read := func(name string) string {
				text, err := os.ReadFile(filepath.Join(folder, name))
				if err != nil {
					t.Fatal(err)
				}
				return string(text)
			}
			command := strings.Fields(read("import.sh"))
			if len(command) != 4 || !strings.HasPrefix(command[2], kind+".") {
				t.Fatalf("import.sh says %q", command)
			}
			address, id := command[2], command[3]
			for _, name := range []string{"import-by-string-id.tf", "import-by-identity.tf"} {
				if !strings.Contains(read(name), "to = "+address+"\n") {
					t.Errorf("%s imports another address than %s", name, address)
				}
			}
			if !strings.Contains(read("import-by-string-id.tf"), fmt.Sprintf("id = %q", id)) {
				t.Errorf("import-by-string-id.tf has another id than %s", id)
			}
			identity := map[string]string{}
			var joined []string
			for _, m := range word.FindAllStringSubmatch(read("import-by-identity.tf"), -1) {
				identity[m[1]], joined = m[2], append(joined, m[2])
			}
			if strings.Join(joined, "/") != id {
				t.Errorf("import-by-identity.tf has %v, the id is %s", joined, id)
			}
			if !strings.Contains(read("resource.tf"), fmt.Sprintf("resource %q %q", kind, strings.TrimPrefix(address, kind+"."))) {
				t.Errorf("resource.tf does not declare %s", address)
			}
			for _, way := range []struct {
				id       string
				identity map[string]string
			}{{id: id}, {identity: identity}} {
				c := newCore(t, newPlatform("one"), kind, object{})
				c.imports(way.id, way.identity)
				c.clean()
			}
		})
	}
}
