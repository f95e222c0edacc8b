package mesh

import (
	"github.com/hashicorp/terraform-plugin-framework/datasource"
	"github.com/hashicorp/terraform-plugin-framework/resource"
	"github.com/hashicorp/terraform-plugin-framework/resource/schema"

	"github.com/functionmesh/terraform-provider-functionmesh/internal/catalog"
	"github.com/functionmesh/terraform-provider-functionmesh/internal/engine"
	"github.com/functionmesh/terraform-provider-functionmesh/internal/spec"
	"github.com/functionmesh/terraform-provider-functionmesh/provider/component"
	"github.com/functionmesh/terraform-provider-functionmesh/provider/tfx"
)

// New makes the resource functionmesh_mesh.
func New() resource.Resource { return tfx.NewResource(definition()) }

// NewData makes the data source functionmesh_mesh.
func NewData() datasource.DataSource { return tfx.NewDataSource(definition()) }

func definition() tfx.Definition[spec.Mesh] {
	return tfx.Definition[spec.Mesh]{
		Entity: catalog.Mesh(),
		Doc: "A mesh: sources, functions and sinks that share one life, connected by the topics they name. " +
			"Each component runs as `<mesh>-<component>`. Every setting of a component changes in place; " +
			"a renamed component is removed and added, and its old subscription stays.",
		Attributes: components,
		Client: func(c catalog.Clients) engine.Client[spec.Mesh] {
			if len(c.Components) == 0 {
				return nil
			}
			return catalog.NewMeshClient(c.Components)
		},
		Parents: tfx.InTenantAndMore,
		Honour: func(p spec.Platform, m spec.Mesh) []spec.Problem {
			return eachMember(m, func(c spec.Component) []spec.Problem { return spec.Honour(p, c) })
		},
		Connections: func(configured map[string]string, m spec.Mesh) []spec.Problem {
			return eachMember(m, func(c spec.Component) []spec.Problem {
				return append(spec.CheckConnections(c, spec.SortedKeys(configured)), spec.CheckPath(c, configured)...)
			})
		},
		Runs:    true,
		InPlace: true,
	}
}

// words are the attributes of a mesh that hold components.
func words() map[string]spec.Kind {
	return map[string]spec.Kind{"sources": spec.KindSource, "functions": spec.KindFunction, "sinks": spec.KindSink}
}

func components() map[string]schema.Attribute {
	attrs := map[string]schema.Attribute{}
	for word, kind := range words() {
		attrs[word] = schema.MapNestedAttribute{
			Optional: true,
			MarkdownDescription: "The " + word + " of the mesh, keyed by name. " +
				"A name is unique in the mesh, and the settings are those of `functionmesh_" + string(kind) + "`.",
			NestedObject: schema.NestedAttributeObject{Attributes: component.Attributes(kind)},
		}
	}
	return attrs
}

// eachMember collects what is wrong with any component, at its place in the mesh.
func eachMember(m spec.Mesh, wrong func(spec.Component) []spec.Problem) []spec.Problem {
	var problems []spec.Problem
	for _, word := range spec.SortedKeys(words()) {
		kind := words()[word]
		members := m.Components(kind)
		for _, key := range spec.SortedKeys(members) {
			for _, problem := range wrong(m.Member(kind, key, members[key])) {
				problem.Path = join(spec.Path(word).Key(key), problem.Path)
				problems = append(problems, problem)
			}
		}
	}
	return problems
}

// join puts a component's path below its place in the mesh.
func join(at, below spec.Path) spec.Path {
	if below == "" || below[0] == '[' {
		return at + below
	}
	return at + "." + below
}
