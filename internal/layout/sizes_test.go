package layout

import (
	"go/ast"
	"go/token"
	"testing"
)

const (
	maxFileLines        = 400
	maxTestLines        = 800
	maxMainLines        = 60
	maxFunctionLines    = 60
	maxParameters       = 5
	maxInterfaceMethods = 5
)

func TestFileSizes(t *testing.T) {
	for _, s := range sources(t) {
		limit := maxFileLines
		switch {
		case s.test:
			limit = maxTestLines
		case s.path == "main.go" || s.path == "runner/main.go" || s.path == "operator/main.go":
			limit = maxMainLines
		}
		if s.lines > limit {
			t.Errorf("%s has %d lines, at most %d are allowed", s.path, s.lines, limit)
		}
	}
}

func TestFunctions(t *testing.T) {
	for _, s := range sources(t) {
		if s.test {
			continue
		}
		comments := commentLines(s)
		ast.Inspect(s.file, func(n ast.Node) bool {
			f, ok := n.(*ast.FuncDecl)
			if !ok {
				return true
			}
			if f.Body != nil {
				if n := bodyLines(s, f.Body, comments); n > maxFunctionLines {
					t.Errorf("%s:%d: %s has %d lines, at most %d are allowed", s.path, s.line(f.Pos()), f.Name.Name, n, maxFunctionLines)
				}
			}
			if n := f.Type.Params.NumFields(); n > maxParameters {
				t.Errorf("%s:%d: %s takes %d parameters, at most %d are allowed", s.path, s.line(f.Pos()), f.Name.Name, n, maxParameters)
			}
			return true
		})
	}
}

// bodyLines counts the lines between a function's braces that are not comments only.
func bodyLines(s source, body *ast.BlockStmt, comments map[int]bool) int {
	n := 0
	for line := s.line(body.Lbrace) + 1; line < s.line(body.Rbrace); line++ {
		if !comments[line] {
			n++
		}
	}
	return n
}

// commentLines are the lines that hold nothing but a comment.
func commentLines(s source) map[int]bool {
	code := map[int]bool{}
	ast.Inspect(s.file, func(n ast.Node) bool {
		switch n.(type) {
		case nil, *ast.CommentGroup, *ast.Comment, *ast.File:
			return true
		}
		code[s.line(n.Pos())] = true
		return true
	})
	only := map[int]bool{}
	for _, g := range s.file.Comments {
		for line := s.line(g.Pos()); line <= s.line(g.End()-token.Pos(1)); line++ {
			only[line] = !code[line]
		}
	}
	return only
}

func TestInterfaces(t *testing.T) {
	for _, s := range sources(t) {
		ast.Inspect(s.file, func(n ast.Node) bool {
			spec, ok := n.(*ast.TypeSpec)
			if !ok {
				return true
			}
			if i, ok := spec.Type.(*ast.InterfaceType); ok && i.Methods.NumFields() > maxInterfaceMethods {
				t.Errorf("%s:%d: interface %s has %d methods, at most %d are allowed", s.path, s.line(spec.Pos()), spec.Name.Name, i.Methods.NumFields(), maxInterfaceMethods)
			}
			return true
		})
	}
}
