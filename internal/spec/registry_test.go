package spec_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/functionmesh/terraform-provider-functionmesh/internal/spec"
)

// The tests that show what is honoured are keyed by setting: the maps of functions named
// …Trials for our runner on a Pulsar, effects and elsewhere for the embedded platform.
const (
	trialFiles = "../../runner/instance/*_unix_test.go"
	localFile  = "../../internal/local/platform/honoured_test.go"
)

// others names the tests of settings that are none of an instance's, by platform.
func others() map[spec.Platform]map[spec.Path]string {
	const shown = "runner/instance.TestPulsarSettings"
	return map[spec.Platform]map[spec.Path]string{
		spec.PlatformRunner: {
			"tenant": shown, "namespace": shown, // every trial has a namespace of its own
			"runtime.go.url":     "internal/local/code.TestResolve",
			"runtime.wasm.url":   "internal/local/code.TestResolve",
			"runtime.python.url": "internal/local/code.TestResolve",
			"state":              "internal/local/platform.TestStopIsDriftOfADeclaredState",
			"secrets[*].name":    "internal/local/platform.TestR8WhatIsHonouredReachesTheInstance",
			"secrets[*].key":     "internal/local/platform.TestR8WhatIsHonouredReachesTheInstance",
		},
		spec.PlatformLocal: {},
	}
}

// workers is how settings reach Pulsar's own function workers, which keep them.
var workers = []string{"internal/pulsarform.TestEveryComponentSurvives", "internal/pulsarform.TestDecode", "internal/admin.TestPulsarHoldsFunctions"}

// shownBy are the data paths on which a test shows a setting.
type shownBy map[spec.Path][]string

// R8: whatever the table honours, a test shows.
func TestR8EveryHonouredSettingHasATest(t *testing.T) {
	t.Parallel()
	trials, local := trialKeys(t), localKeys(t)
	elsewhere := others()
	for _, row := range spec.Matrix() {
		for i, column := range spec.Runners() {
			cell := row.Cells[i]
			if cell.Verdict != spec.Honoured && cell.Verdict != spec.Partly {
				continue
			}
			if _, named := elsewhere[column.Platform][row.Setting]; named {
				continue
			}
			shown := true
			switch column.Platform {
			case spec.PlatformRunner:
				shown = slices.Contains(trials[row.Setting], column.DataPath)
			case spec.PlatformLocal:
				shown = slices.ContainsFunc(local, func(key spec.Path) bool { return covers(key, row.Setting) })
			case spec.PlatformPulsar, spec.PlatformKubernetes:
			}
			if !shown {
				t.Errorf("%s is honoured by %+v, and no test shows it", row.Setting, column)
			}
		}
	}
}

// A test that is named exists.
func TestR8NamedTestsExist(t *testing.T) {
	t.Parallel()
	names := slices.Clone(workers)
	for _, tests := range others() {
		for _, name := range tests {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	for _, name := range slices.Compact(names) {
		dir, test, _ := strings.Cut(name, ".")
		found := false
		for _, f := range parsed(t, filepath.Join("..", "..", dir, "*_test.go")) {
			found = found || f.Scope.Lookup(test) != nil
		}
		if !found {
			t.Errorf("there is no %s", name)
		}
	}
}

func covers(key, setting spec.Path) bool {
	if parent, deep := strings.CutSuffix(string(key), ".**"); deep {
		return spec.Path(parent).Contains(setting)
	}
	return key == setting
}

func parsed(t *testing.T, pattern string) []*ast.File {
	t.Helper()
	names, err := filepath.Glob(pattern)
	if err != nil || len(names) == 0 {
		t.Fatalf("%s: no files, %v", pattern, err)
	}
	var files []*ast.File
	for _, name := range names {
		f, err := parser.ParseFile(token.NewFileSet(), name, nil, 0)
		if err != nil {
			t.Fatal(err)
		}
		files = append(files, f)
	}
	return files
}

// trialKeys are the settings that functions named …Trials show, with their paths.
func trialKeys(t *testing.T) shownBy {
	t.Helper()
	keys := shownBy{}
	for _, f := range parsed(t, trialFiles) {
		for _, d := range f.Decls {
			fn, ok := d.(*ast.FuncDecl)
			if !ok || !strings.HasSuffix(fn.Name.Name, "Trials") {
				continue
			}
			ast.Inspect(fn, func(n ast.Node) bool {
				if key, value, ok := entry(n); ok && strings.ToLower(key[:1]) == key[:1] {
					keys[spec.Path(key)] = pathsOf(value)
				}
				return true
			})
		}
	}
	return keys
}

// entry is a pair of a map literal whose key is a text.
func entry(n ast.Node) (key string, value ast.Expr, ok bool) {
	pair, isPair := n.(*ast.KeyValueExpr)
	if !isPair {
		return "", nil, false
	}
	literal, isLiteral := pair.Key.(*ast.BasicLit)
	if !isLiteral || literal.Kind != token.STRING {
		return "", nil, false
	}
	key, err := strconv.Unquote(literal.Value)
	return key, pair.Value, err == nil && key != ""
}

// pathsOf reads the paths field of a trial: both unless a function names one.
func pathsOf(trial ast.Expr) []string {
	paths := []string{spec.EntryPath, spec.CompatiblePath, ""}
	literal, ok := trial.(*ast.CompositeLit)
	if !ok {
		return paths
	}
	for _, element := range literal.Elts {
		pair, isPair := element.(*ast.KeyValueExpr)
		if !isPair {
			continue
		}
		name, isName := pair.Key.(*ast.Ident)
		call, isCall := pair.Value.(*ast.CallExpr)
		if !isName || name.Name != "paths" || !isCall {
			continue
		}
		switch fn, _ := call.Fun.(*ast.Ident); fn.Name {
		case "onlyEntry":
			return []string{spec.EntryPath}
		case "onlyCompatible":
			return []string{spec.CompatiblePath}
		}
	}
	return paths
}

// localKeys are the settings that the embedded platform's test sets, or says who acts on.
func localKeys(t *testing.T) []spec.Path {
	t.Helper()
	var keys []spec.Path
	for _, f := range parsed(t, localFile) {
		ast.Inspect(f, func(n ast.Node) bool {
			if key, _, ok := entry(n); ok {
				keys = append(keys, spec.Path(key))
			}
			return true
		})
	}
	return keys
}
