package pulsarform

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"

	"sigs.k8s.io/yaml"

	"github.com/functionmesh/terraform-provider-functionmesh/internal/spec"
)

// pip66Mesh and pip66Function are the words of PIP-66's mesh YAML.
type pip66Mesh struct {
	Name      *string           `json:"name"`
	Tenant    *string           `json:"tenant"`
	Namespace *string           `json:"namespace"`
	JarFile   *string           `json:"jarFile"`
	Functions []json.RawMessage `json:"functions"`
}

type pip66Function struct {
	Name      *string  `json:"name"`
	ClassName *string  `json:"classname"`
	Replicas  *int     `json:"replicas"`
	Inputs    []string `json:"inputs"`
	Output    *string  `json:"output"`
}

// ParsePIP66 reads PIP-66's mesh YAML: a list of Java functions of one jar. The error
// is about the YAML, the problems about its content, by path in spec's words; the mesh
// is not validated beyond what PIP-66 says.
func ParsePIP66(text []byte) (spec.Mesh, []spec.Problem, error) {
	doc, err := yamlObject(text)
	if err != nil {
		return spec.Mesh{}, nil, err
	}
	return pip66(doc)
}

func pip66(doc []byte) (spec.Mesh, []spec.Problem, error) {
	var m pip66Mesh
	rest, err := unmarshalModel(doc, &m)
	if err != nil {
		return spec.Mesh{}, nil, err
	}
	out := spec.Mesh{Name: val(m.Name), Tenant: val(m.Tenant), Namespace: val(m.Namespace)}
	problems := unknownWords("", rest)
	if val(m.JarFile) == "" {
		problems = append(problems, problem("jarFile", "is not set", "Name the jar that holds the functions."))
	}
	if len(m.Functions) == 0 {
		problems = append(problems, problem("functions", "is empty", "List at least one function."))
		return out, problems, nil
	}
	out.Functions = make(map[string]spec.Component, len(m.Functions))
	for i, raw := range m.Functions {
		at := spec.Path(fmt.Sprintf("functions[%d]", i))
		var f pip66Function
		rest, err := unmarshalModel(raw, &f)
		if err != nil {
			return spec.Mesh{}, nil, fieldErrorAt(at, err)
		}
		name := val(f.Name)
		if name != "" {
			at = spec.Path("functions").Key(name)
		}
		problems = append(problems, unknownWords(at, rest)...)
		if _, twice := out.Functions[name]; twice {
			problems = append(problems, problem(at, "is there twice", "Give every function a name of its own."))
			continue
		}
		out.Functions[name] = f.component(val(m.JarFile))
		problems = append(problems, f.problems(at)...)
	}
	return out, problems, nil
}

func (f pip66Function) component(jar string) spec.Component {
	c := spec.Component{
		Kind: spec.KindFunction, Runtime: &spec.Runtime{Java: code(opt(jar), f.ClassName, envelope{})},
		Inputs: inputForms{list: f.Inputs}.inputs(), Parallelism: f.Replicas,
	}
	if val(f.Output) != "" {
		c.Output = &spec.Output{Topic: *f.Output}
	}
	return c
}

func (f pip66Function) problems(at spec.Path) []spec.Problem {
	var out []spec.Problem
	if val(f.Name) == "" {
		out = append(out, problem(at.Field("name"), "is not set", "Give the function a name."))
	}
	if val(f.ClassName) == "" {
		out = append(out, problem(at.Field("runtime.java.class"), "is not set", "Name the class as classname."))
	}
	if len(f.Inputs) == 0 {
		out = append(out, problem(at.Field("inputs"), "is empty", "List the topics that the function reads."))
	}
	return out
}

func unknownWords(at spec.Path, rest map[string]json.RawMessage) []spec.Problem {
	var out []spec.Problem
	for _, word := range slices.Sorted(maps.Keys(rest)) {
		out = append(out, problem(at.Field(word), "is no word of PIP-66's mesh YAML",
			"Leave it out, or write the mesh in the words of functionmesh_mesh."))
	}
	return out
}

func problem(at spec.Path, message, hint string) spec.Problem {
	return spec.Problem{Path: at, Severity: spec.SeverityError, Message: message, Hint: hint}
}

func fieldErrorAt(at spec.Path, err error) error {
	return fieldError(string(at), err)
}

// FormatPIP66 writes a mesh as PIP-66's YAML, and reports by path what that cannot
// say.
func FormatPIP66(m spec.Mesh) ([]byte, []spec.Problem, error) {
	var problems []spec.Problem
	for _, part := range []struct {
		name string
		n    int
	}{{"sources", len(m.Sources)}, {"sinks", len(m.Sinks)}} {
		if part.n > 0 {
			problems = append(problems, problem(spec.Path(part.name), "cannot be said in PIP-66's YAML", "Only functions can."))
		}
	}
	out := pip66Mesh{Name: opt(m.Name), Tenant: opt(m.Tenant), Namespace: opt(m.Namespace)}
	for _, name := range slices.Sorted(maps.Keys(m.Functions)) {
		at := spec.Path("functions").Key(name)
		f, jar := pip66Of(name, m.Functions[name])
		switch {
		case out.JarFile == nil:
			out.JarFile = opt(jar)
		case *out.JarFile != jar:
			problems = append(problems, problem(at.Field("runtime"), "has code of its own", "PIP-66 knows one jar for the whole mesh."))
		}
		problems = append(problems, unsaid(at, f.component(jar), m.Functions[name])...)
		fields, err := marshalModel(f, nil)
		if err != nil {
			return nil, nil, err
		}
		raw, err := json.Marshal(fields)
		if err != nil {
			return nil, nil, fmt.Errorf("encode: %w", err)
		}
		out.Functions = append(out.Functions, raw)
	}
	fields, err := marshalModel(out, nil)
	if err != nil {
		return nil, nil, err
	}
	text, err := yaml.Marshal(fields)
	if err != nil {
		return nil, nil, fmt.Errorf("encode: %w", err)
	}
	return text, problems, nil
}

func pip66Of(name string, c spec.Component) (pip66Function, string) {
	f := pip66Function{Name: opt(name), Inputs: slices.Sorted(maps.Keys(c.Inputs)), Replicas: c.Parallelism}
	if c.Output != nil {
		f.Output = opt(c.Output.Topic)
	}
	if lang, code := c.Runtime.Chosen(); lang == "java" {
		f.ClassName = opt(code.Class)
		return f, val(place(code))
	}
	return f, ""
}

func unsaid(at spec.Path, said, want spec.Component) []spec.Problem {
	want.Kind = said.Kind
	lost, err := lostFields(want, said)
	if err != nil {
		return []spec.Problem{problem(at, err.Error(), "")}
	}
	var out []spec.Problem
	for _, name := range slices.Sorted(maps.Keys(lost)) {
		out = append(out, problem(at.Field(name), "cannot be said in PIP-66's YAML", "Write the mesh in the words of functionmesh_mesh."))
	}
	return out
}

// blank reports whether there is nothing but space in s.
func blank(s string) bool { return strings.TrimSpace(s) == "" }
