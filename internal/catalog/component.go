package catalog

import (
	"maps"

	"github.com/functionmesh/terraform-provider-functionmesh/internal/diff"
	"github.com/functionmesh/terraform-provider-functionmesh/internal/engine"
	"github.com/functionmesh/terraform-provider-functionmesh/internal/spec"
)

// Component binds functions, sources or sinks that stand alone.
func Component(kind spec.Kind) Entity[spec.Component] {
	rules := componentRules()
	maps.Copy(rules, diff.Rules{
		"tenant":    diff.Replace,
		"namespace": diff.Replace,
		"name":      diff.Replace,
		"runtime":   diff.Replace, // another runtime; the same one's code changes in place
	})
	return Entity[spec.Component]{
		Kind: kind,
		Key: func(c spec.Component) engine.Key {
			return engine.Key{Kind: string(kind), Tenant: c.Tenant, Namespace: c.Namespace, Name: c.Name}
		},
		Default: func(c spec.Component) spec.Component {
			c.Kind = kind
			return spec.DefaultComponent(c)
		},
		Validate: func(c spec.Component) []spec.Problem {
			c.Kind = kind
			return spec.ValidateComponent(c)
		},
		Rules: rules,
		known: func(o engine.Object[spec.Component]) spec.Component { return digested(o.Spec, o.Marks.Digest) },
		holes: func(want spec.Component, holes []spec.Path) []spec.Path {
			return qualified(holes, want.Tenant, want.Namespace)
		},
		marks: func(o engine.Object[spec.Component]) engine.Marks {
			o.Marks.Digest = digest(o.Spec)
			return o.Marks
		},
	}
}

// componentRules are the rules that hold for a component wherever it is written.
func componentRules() diff.Rules {
	return diff.Rules{
		"state":                 diff.Server,
		"extra":                 diff.Server,
		"inputs[*].extra":       diff.Server,
		"output.producer.extra": diff.Server,
	}
}

// digest is the digest of a component's code, "" when it has none or none is known.
func digest(c spec.Component) string {
	_, code := c.Runtime.Chosen()
	if code == nil {
		return ""
	}
	return code.SHA256
}

// digested puts the digest that the marks of an observed component know where its
// spec has it. What is wanted never takes it from marks: they may be those of the
// code before.
func digested(c spec.Component, sum string) spec.Component {
	if sum == "" || digest(c) != "" {
		return c
	}
	c = c.Clone()
	if _, code := c.Runtime.Chosen(); code != nil {
		code.SHA256 = sum
	}
	return c
}

// qualified spells the keys of inputs in paths by full name, as defaults do.
func qualified(paths []spec.Path, tenant, namespace string) []spec.Path {
	out := make([]spec.Path, 0, len(paths))
	for _, p := range paths {
		out = append(out, qualifiedPath(p, tenant, namespace))
	}
	return out
}

func qualifiedPath(p spec.Path, tenant, namespace string) spec.Path {
	steps, err := spec.ParsePath(p)
	if err != nil {
		return p // of no field that has keys
	}
	var out spec.Path
	for i, s := range steps {
		if !s.Key {
			out = out.Field(s.Name)
			continue
		}
		name := s.Name
		if i > 0 && steps[i-1].Name == "inputs" && !steps[i-1].Key {
			if topic, err := spec.ParseTopic(name, tenant, namespace); err == nil {
				name = topic.String()
			}
		}
		out = out.Key(name)
	}
	return out
}
