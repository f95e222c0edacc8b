package command

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"sigs.k8s.io/yaml"

	"github.com/functionmesh/terraform-provider-functionmesh/internal/engine"
	"github.com/functionmesh/terraform-provider-functionmesh/internal/pulsarform"
	"github.com/functionmesh/terraform-provider-functionmesh/internal/spec"
)

// readInput reads what -f names.
func (a *app) readInput(file string) ([]byte, error) {
	switch file {
	case "":
		return nil, usage("-f FILE is required; - is standard input")
	case "-":
		return io.ReadAll(a.Stdin)
	default:
		return os.ReadFile(file)
	}
}

// folder is what relative paths inside an input resolve against.
func folder(file string) string {
	if file == "-" {
		return "."
	}
	return filepath.Dir(file)
}

// baseDir is where relative paths of connectors start: here, where the instances run on
// this machine; nowhere on another.
func (a *app) baseDir() (string, error) {
	if a.target.AdminURL != "" {
		return "", nil
	}
	return os.Getwd()
}

// parseMesh reads a mesh and fails with every problem that its text has.
func (a *app) parseMesh(file string) (spec.Mesh, error) {
	raw, err := a.readInput(file)
	if err != nil {
		return spec.Mesh{}, err
	}
	mesh, problems, err := pulsarform.ParseMeshYAML(raw)
	if err != nil {
		return spec.Mesh{}, fmt.Errorf("%s: %w", file, err)
	}
	if mesh.Tenant == "" {
		mesh.Tenant = a.tenant
	}
	if mesh.Namespace == "" {
		mesh.Namespace = a.namespace
	}
	return mesh, a.report(file, problems)
}

// readMesh is parseMesh for a mesh that will run: its code files are found and read.
func (a *app) readMesh(file string) (spec.Mesh, error) {
	mesh, err := a.parseMesh(file)
	if err != nil {
		return spec.Mesh{}, err
	}
	for name, c := range mesh.Functions {
		if err := resolveCode(&c, folder(file)); err != nil {
			path, _ := codePath(c)
			return spec.Mesh{}, fmt.Errorf("%s: %s.%s: %w", file, spec.Path("functions").Key(name), path, err)
		}
		mesh.Functions[name] = c
	}
	problems := slices.DeleteFunc(spec.ValidateMesh(mesh), func(p spec.Problem) bool {
		return p.Severity == spec.SeverityWarning // applying it tells them
	})
	return mesh, a.report(file, problems)
}

// readComponent reads one function, source or sink for `run -f`. The kind is the key
// `kind` or follows from which ends the component has. Pulsar's own configurations are
// read as well.
// Where it will run decides what it can ask for. Tell reports what else is wrong with it,
// by the names that the file uses.
func (a *app) readComponent(file string, platform spec.Platform) (c spec.Component, tell func([]spec.Problem) error, err error) {
	raw, err := a.readInput(file)
	if err != nil {
		return c, nil, err
	}
	c, words, problems, err := decodeComponent(raw)
	if err != nil {
		return c, nil, fmt.Errorf("%s: %w", file, err)
	}
	tell = func(problems []spec.Problem) error {
		for i := range problems {
			problems[i] = words(problems[i])
		}
		return a.report(file, problems)
	}
	if err := tell(problems); err != nil {
		return c, nil, err
	}
	if c.Tenant == "" {
		c.Tenant = a.tenant
	}
	if c.Namespace == "" {
		c.Namespace = a.namespace
	}
	unread := resolveCode(&c, folder(file))
	c = spec.DefaultComponent(c)
	problems = append(refused(spec.ValidateComponent(c), spec.Honour(platform, c)), codeProblems(c, file, unread)...)
	return c, tell, tell(problems)
}

// codeProblems are those of code that the file does not name, or that cannot be read.
func codeProblems(c spec.Component, file string, unread error) []spec.Problem {
	path, code := codePath(c)
	problem := spec.Problem{Path: path, Severity: spec.SeverityError}
	switch {
	case code != nil && code.File == "" && code.URL == "" && code.SHA256 != "": // as a platform tells of what it holds
		problem.Message, problem.Hint = "A digest says which code it is and not where.", "Name its file."
	case unread != nil:
		problem.Message, problem.Hint = unread.Error()+".", "It is looked for beside "+file+"."
	default:
		return nil
	}
	return []spec.Problem{problem}
}

// codePath is where a function names its file.
func codePath(c spec.Component) (spec.Path, *spec.Code) {
	name, code := c.Runtime.Chosen()
	return spec.Path("runtime").Field(name).Field("file"), code
}

// refused are the problems of a component and what a platform does not honour of it, one
// for each path: what is wrong anyway is not refused as well, and what is refused needs no
// warning.
func refused(problems, unhonoured []spec.Problem) []spec.Problem {
	failing := func(of []spec.Problem) map[spec.Path]bool {
		at := map[spec.Path]bool{}
		for _, p := range of {
			at[p.Path] = at[p.Path] || p.Severity == spec.SeverityError
		}
		return at
	}
	wrong := failing(problems)
	unhonoured = slices.DeleteFunc(unhonoured, func(p spec.Problem) bool { return wrong[p.Path] })
	gone := failing(unhonoured)
	problems = slices.DeleteFunc(problems, func(p spec.Problem) bool { return p.Severity == spec.SeverityWarning && gone[p.Path] })
	return append(problems, unhonoured...)
}

// decodeComponent reads a component. Words says a problem in the words of its file.
func decodeComponent(raw []byte) (c spec.Component, words func(spec.Problem) spec.Problem, problems []spec.Problem, err error) {
	words = func(p spec.Problem) spec.Problem { return p }
	var fields map[string]json.RawMessage
	document, err := yaml.YAMLToJSONStrict(raw) // a key that is there twice would hide one value
	if err != nil {
		return c, words, nil, err
	}
	if err := json.Unmarshal(document, &fields); err != nil {
		return c, words, nil, errors.New("it is no object: write attributes as NAME: VALUE")
	}
	if kind, ok := pulsarKind(fields); ok {
		c, err = decodePulsar(kind, fields)
		return c, func(p spec.Problem) spec.Problem { return pulsarform.InWords(kind, p) }, nil, err
	}
	kind, err := componentKind(fields)
	if err != nil {
		return c, words, nil, err
	}
	delete(fields, "kind")
	rest, err := json.Marshal(fields)
	if err != nil {
		return c, words, nil, err
	}
	c, problems = spec.DecodeComponent(kind, rest)
	return c, words, problems, nil
}

func componentKind(fields map[string]json.RawMessage) (spec.Kind, error) {
	written, has := fields["kind"]
	if has {
		var kind spec.Kind
		if err := json.Unmarshal(written, &kind); err != nil || !slices.Contains(spec.ComponentKinds(), kind) {
			return "", fmt.Errorf("kind: %s cannot be run: it is function, source or sink", written)
		}
		return kind, nil
	}
	_, code := fields["runtime"]
	_, connector := fields["builtin"]
	_, writes := fields["output"]
	switch {
	case code:
		return spec.KindFunction, nil
	case connector && writes:
		return spec.KindSource, nil
	case connector:
		return spec.KindSink, nil
	default:
		return "", errors.New("it has neither runtime (a function) nor builtin (a source or a sink), and is no configuration of Pulsar's")
	}
}

// resolveCode makes the code file absolute, seen from the folder that names it, and
// notes its digest, which is how changed content is noticed.
func resolveCode(c *spec.Component, base string) error {
	_, code := c.Runtime.Chosen()
	if code == nil || code.File == "" {
		return nil
	}
	path := code.File
	if !filepath.IsAbs(path) {
		path = filepath.Join(base, path)
	}
	path, err := filepath.Abs(path)
	if err != nil {
		return err
	}
	sum, err := engine.FileDigest(path)
	if err != nil {
		return err
	}
	code.File, code.SHA256 = path, sum
	return nil
}

// report prints warnings and makes one Invalid error of all errors.
func (a *app) report(file string, problems []spec.Problem) error {
	var bad []string
	for _, p := range problems {
		if p.Severity == spec.SeverityWarning {
			a.warn([]string{file + ": " + problemLine(p)})
			continue
		}
		bad = append(bad, file+": "+problemLine(p))
	}
	if len(bad) == 0 {
		return nil
	}
	return engine.New(engine.Invalid, errors.New(strings.Join(bad, "\n       ")))
}

// problemLine reads "path: what is wrong. What to do".
func problemLine(p spec.Problem) string {
	line := p.Message
	if p.Path != "" {
		line = string(p.Path) + ": " + line
	}
	if p.Hint != "" {
		line = strings.TrimSuffix(line, ".") + ". " + p.Hint
	}
	return line
}
