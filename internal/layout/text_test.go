package layout

import (
	"go/ast"
	"path"
	"regexp"
	"slices"
	"strings"
	"testing"
)

func TestPackageComments(t *testing.T) {
	comments := map[string]string{}
	for _, s := range sources(t) {
		if s.test || strings.HasPrefix(s.path, "examples/") {
			continue
		}
		dir := path.Dir(s.path)
		comments[dir] += s.file.Doc.Text()
	}
	for dir, text := range comments {
		if len(strings.Fields(text)) < 15 {
			t.Errorf("package %s has no comment that says what it is for, what it never does and who may import it: %q", dir, text)
		}
	}
}

func TestNoDrawerPackages(t *testing.T) {
	drawers := []string{"utils", "util", "common", "helpers", "helper", "shared", "misc", "pkg", "cmd", "mock", "mocks"}
	for _, s := range sources(t) {
		for folder := range strings.SplitSeq(path.Dir(s.path), "/") {
			if slices.Contains(drawers, folder) {
				t.Errorf("%s: a folder is named after its role, not %q", s.path, folder)
			}
		}
	}
}

func TestOnlyMainEndsTheProcess(t *testing.T) {
	for _, s := range sources(t) {
		if s.test || s.isProgram() {
			continue
		}
		ast.Inspect(s.file, func(n ast.Node) bool {
			call, ok := n.(*ast.CallExpr)
			if !ok {
				return true
			}
			switch f := call.Fun.(type) {
			case *ast.Ident:
				if f.Name == "panic" {
					t.Errorf("%s:%d: panic: return an error", s.path, s.line(call.Pos()))
				}
			case *ast.SelectorExpr:
				if x, ok := f.X.(*ast.Ident); ok && (x.Name == "os" && f.Sel.Name == "Exit" || x.Name == "log" && strings.HasPrefix(f.Sel.Name, "Fatal")) {
					t.Errorf("%s:%d: %s.%s: only main.go ends the process", s.path, s.line(call.Pos()), x.Name, f.Sel.Name)
				}
			}
			return true
		})
	}
}

func TestNoForeignWords(t *testing.T) {
	// Built from parts so that this file does not hold what it looks for.
	words := regexp.MustCompile(strings.Join([]string{
		"/ro" + "ot/", "/wo" + "rk/", "/tmp/" + "wt", "/tmp/" + "brief", "/home/" + `[a-z]+/`, "/Users/" + `[a-z]+/`,
		"proxy" + `\.golang\.org`, "pypi" + `\.org`, "files" + `\.pythonhosted\.org`, `npmjs\.org`,
		`\bTO` + `DO\b`, `\bFIX` + `ME\b`, `\bXX` + `X\b`,
	}, "|"))
	textual := []string{".go", ".md", ".tf", ".hcl", ".yaml", ".yml", ".py", ".sh", ".tmpl", ".mod", ".json", ""}
	for _, p := range files(t, func(p string) bool { return slices.Contains(textual, path.Ext(p)) }) {
		if path.Base(p) == "LICENSE" {
			continue
		}
		for i, line := range strings.Split(read(t, p), "\n") {
			if w := words.FindString(line); w != "" && w != "/home/user/" && w != "/home/u/" { // those are nobody's
				t.Errorf("%s:%d: %q has no place in the repository", p, i+1, w)
			}
		}
	}
}

// invariants are those of the runner.
var invariants = []string{"R1", "R2", "R3", "R4", "R5", "R6", "R7", "R8", "R9"}

func TestInvariantsAreNamedAndTested(t *testing.T) {
	if len(files(t, func(p string) bool { return strings.HasPrefix(p, "runner/") && strings.HasSuffix(p, "_test.go") })) == 0 {
		t.Skip("the runner has no tests here")
	}
	named, tested := map[string]bool{}, map[string]bool{}
	number := regexp.MustCompile(`\bR[1-9]\b`)
	inName := regexp.MustCompile(`^Test.*?(R[1-9])([^0-9]|$)`)
	for _, s := range sources(t) {
		if !s.test && strings.HasPrefix(s.path, "runner/") && path.Base(s.path) != "doc.go" {
			for _, text := range bodyComments(s) {
				for _, r := range number.FindAllString(text, -1) {
					named[r] = true
				}
			}
		}
		if !s.test && !strings.Contains(s.path, "test/") {
			continue
		}
		for _, d := range s.file.Decls {
			f, ok := d.(*ast.FuncDecl)
			if !ok {
				continue
			}
			if m := inName.FindStringSubmatch(f.Name.Name); m != nil {
				tested[m[1]] = true
			}
		}
	}
	for _, r := range invariants {
		if !named[r] {
			t.Errorf("invariant %s is named in no function of the runner, where its code is", r)
		}
		if !tested[r] {
			t.Errorf("invariant %s is in no test's name (TestR…)", r)
		}
	}
}

// bodyComments are the comments inside functions: what code does, not what is said of
// it elsewhere.
func bodyComments(s source) []string {
	var texts []string
	for _, g := range s.file.Comments {
		for _, d := range s.file.Decls {
			if f, ok := d.(*ast.FuncDecl); ok && f.Body != nil && f.Body.Pos() < g.Pos() && g.End() <= f.Body.End() {
				texts = append(texts, g.Text())
			}
		}
	}
	return texts
}
