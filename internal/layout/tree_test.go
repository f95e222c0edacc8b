package layout

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

const modulePath = "github.com/functionmesh/terraform-provider-functionmesh"

// skippedFolders hold nothing that is written by hand.
var skippedFolders = []string{".git", "bin", "dist", ".terraform", "__pycache__", "node_modules", "vendor"}

// root is the top of the repository, seen from this package's folder.
func root(t *testing.T) string {
	t.Helper()
	dir, err := filepath.Abs(filepath.Join("..", ".."))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(filepath.Join(dir, "GNUmakefile")); err != nil {
		t.Fatalf("the repository's top was expected at %s: %v", dir, err)
	}
	return dir
}

// files lists every file below the top with its slash-separated relative path.
func files(t *testing.T, keep func(path string) bool) []string {
	t.Helper()
	top, found := root(t), []string(nil)
	err := filepath.WalkDir(top, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() {
			if slices.Contains(skippedFolders, d.Name()) {
				return filepath.SkipDir
			}
			return nil
		}
		rel, err := filepath.Rel(top, path)
		if err != nil {
			return err
		}
		if rel = filepath.ToSlash(rel); d.Type().IsRegular() && keep(rel) {
			found = append(found, rel)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return found
}

func read(t *testing.T, path string) string {
	t.Helper()
	b, err := os.ReadFile(filepath.Join(root(t), filepath.FromSlash(path)))
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// source is one parsed, hand-written Go file.
type source struct {
	path  string
	text  string
	test  bool
	fset  *token.FileSet
	file  *ast.File
	lines int
}

func (s source) line(p token.Pos) int { return s.fset.Position(p).Line }

// isProgram reports whether the file belongs to a main function, which may end the
// process.
func (s source) isProgram() bool { return filepath.Base(s.path) == "main.go" }

// sources parses every hand-written Go file of every module.
func sources(t *testing.T) []source {
	t.Helper()
	var all []source
	for _, path := range files(t, func(p string) bool { return strings.HasSuffix(p, ".go") && !strings.Contains(p, "/testdata/") }) {
		s := source{path: path, text: read(t, path), test: strings.HasSuffix(path, "_test.go"), fset: token.NewFileSet()}
		f, err := parser.ParseFile(s.fset, path, s.text, parser.ParseComments|parser.SkipObjectResolution)
		if err != nil {
			t.Errorf("%v", err)
			continue
		}
		if ast.IsGenerated(f) {
			continue
		}
		s.file, s.lines = f, strings.Count(s.text, "\n")
		all = append(all, s)
	}
	if len(all) == 0 {
		t.Fatal("no Go file found")
	}
	return all
}
