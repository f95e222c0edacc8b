package layout

import (
	"go/ast"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// A flow names functions as `path/file.go:Function` or `path/file.go:Type.Method`.
var flow = regexp.MustCompile("`?([a-z0-9_/.-]+\\.go):([A-Za-z0-9_.]+)`?")

func TestFlowsExist(t *testing.T) {
	declared := map[string]bool{}
	for _, s := range sources(t) {
		for _, d := range s.file.Decls {
			if f, ok := d.(*ast.FuncDecl); ok {
				declared[s.path+":"+qualified(f)] = true
			}
		}
	}
	for _, doc := range []string{"README.md", "internal/engine/doc.go"} {
		if _, err := os.Stat(filepath.Join(root(t), doc)); err != nil {
			t.Errorf("%s is missing", doc)
			continue
		}
		for _, m := range flow.FindAllStringSubmatch(read(t, doc), -1) {
			if !declared[m[1]+":"+m[2]] {
				t.Errorf("%s names %s:%s, which is declared nowhere", doc, m[1], m[2])
			}
		}
	}
}

// qualified is Function or Type.Method.
func qualified(f *ast.FuncDecl) string {
	if f.Recv == nil {
		return f.Name.Name
	}
	typ := f.Recv.List[0].Type
	for {
		switch x := typ.(type) {
		case *ast.StarExpr:
			typ = x.X
		case *ast.IndexExpr:
			typ = x.X
		case *ast.IndexListExpr:
			typ = x.X
		case *ast.Ident:
			return x.Name + "." + f.Name.Name
		default:
			return f.Name.Name
		}
	}
}

func TestReadmeHasFlows(t *testing.T) {
	if n := len(flow.FindAllString(read(t, "README.md"), -1)); n < 8 {
		t.Errorf("README.md names %d functions of the flows, at least 8 were expected", n)
	}
}

func TestMakeKnowsEveryModule(t *testing.T) {
	var have []string
	for _, p := range files(t, func(p string) bool { return path.Base(p) == "go.mod" }) {
		have = append(have, path.Dir(p))
	}
	var want []string
	for line := range strings.SplitSeq(read(t, "GNUmakefile"), "\n") {
		name, value, ok := strings.Cut(line, ":=")
		if name = strings.TrimSpace(name); ok && (name == "MODULES" || name == "TOFU_MODULE") && !strings.Contains(value, "$(") {
			want = append(want, strings.Fields(value)...)
		}
	}
	slices.Sort(have)
	slices.Sort(want)
	if d := cmp.Diff(want, have); d != "" {
		t.Errorf("modules of GNUmakefile (-) and of the tree (+):\n%s", d)
	}
}

// The root module must not require the others: what authors import, examples and
// tools stay out of the provider's graph.
func TestRootRequiresNoOtherModule(t *testing.T) {
	for line := range strings.SplitSeq(read(t, "go.mod"), "\n") {
		if f := strings.Fields(line); len(f) > 1 && strings.HasPrefix(f[0], modulePath+"/") {
			t.Errorf("the root module requires %s", f[0])
		}
	}
}

func TestManifestNamesTheProtocol(t *testing.T) {
	if !strings.Contains(read(t, "terraform-registry-manifest.json"), `"6.0"`) {
		t.Error("terraform-registry-manifest.json does not name protocol 6.0")
	}
	main := read(t, "main.go")
	if strings.Contains(main, "providerserver") && strings.Contains(main, "ProtocolVersion: 5") {
		t.Error("main.go serves protocol 5")
	}
}

func TestLicence(t *testing.T) {
	if text := read(t, "LICENSE"); !strings.Contains(text, "Apache License") || !strings.Contains(text, "Version 2.0, January 2004") {
		t.Error("LICENSE is not the Apache License 2.0")
	}
}
