package catalog

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/functionmesh/terraform-provider-functionmesh/internal/engine"
	"github.com/functionmesh/terraform-provider-functionmesh/internal/spec"
)

// memberID is a component's place in its mesh.
type memberID struct {
	kind spec.Kind
	key  string
}

func (id memberID) path() spec.Path { return meshFields()[id.kind].Key(id.key) }

// idOf is the place of a component that runs as <mesh>-<key>.
func idOf(mesh string, c spec.Component) memberID {
	return memberID{c.Kind, strings.TrimPrefix(c.Name, spec.MemberName(mesh, ""))}
}

// memberObject is an observed component of some mesh, or of none.
type memberObject struct {
	engine.Observed[spec.Component]
	kind spec.Kind
}

// members lists all components of the key's namespace, those of no mesh included.
func (c *meshClient) members(ctx context.Context, in engine.Key) ([]memberObject, error) {
	var out []memberObject
	for _, kind := range spec.ComponentKinds() {
		e := c.engines[kind]
		if e == nil {
			continue
		}
		lister, ok := e.Client.(engine.Lister[spec.Component])
		if !ok {
			return nil, engine.New(engine.Invalid, fmt.Errorf("this platform cannot list %ss, so it cannot hold meshes", kind))
		}
		found, err := lister.List(ctx, engine.Key{Kind: string(kind), Tenant: in.Tenant, Namespace: in.Namespace})
		if err != nil {
			return nil, err
		}
		for _, o := range found {
			o.Spec.Kind = kind
			out = append(out, memberObject{o, kind})
		}
	}
	return out, nil
}

// assemble makes the mesh that its components are.
func assemble(key engine.Key, members []memberObject) engine.Observed[spec.Mesh] {
	mesh := spec.Mesh{Tenant: key.Tenant, Namespace: key.Namespace, Name: key.Name}
	out := engine.Observed[spec.Mesh]{Found: true, Platform: members[0].Platform}
	out.Marks.Owner = members[0].Marks.Owner
	out.Owned = []string{}
	for _, m := range members {
		id := idOf(key.Name, m.Spec)
		place(&mesh, id, digested(m.Spec, m.Marks.Digest))
		if m.Marks.Owner != out.Marks.Owner {
			out.Marks.Owner = "" // not all are one owner's, so the mesh is nobody's
		}
		out.Marks.Creating = out.Marks.Creating || m.Marks.Creating
		if out.Owned == nil || m.Owned == nil {
			out.Owned = nil // unknown of one is unknown of the mesh
			continue
		}
		for _, p := range m.Owned {
			out.Owned = append(out.Owned, string(id.path().Field(p)))
		}
	}
	out.Spec = mesh
	out.Status = meshStatus(key.Name, members)
	return out
}

// place puts a component into its map, without what the mesh decides.
func place(mesh *spec.Mesh, id memberID, c spec.Component) {
	c.Tenant, c.Namespace, c.Name = "", "", ""
	var into *map[string]spec.Component
	switch id.kind {
	case spec.KindSource:
		into = &mesh.Sources
	case spec.KindSink:
		into = &mesh.Sinks
	case spec.KindFunction, spec.KindTenant, spec.KindNamespace, spec.KindTopic, spec.KindMesh:
		into = &mesh.Functions
	}
	if *into == nil {
		*into = map[string]spec.Component{}
	}
	(*into)[id.key] = c
}

// ownedBelow are the owned paths below one component, as the component has them; nil
// stays unknown.
func ownedBelow(owned []string, member spec.Path) []string {
	if owned == nil {
		return nil
	}
	below := []string{}
	for _, p := range owned {
		if rest, ok := strings.CutPrefix(p, string(member)+"."); ok {
			below = append(below, rest)
		}
	}
	return below
}

// List implements engine.Lister.
func (c *meshClient) List(ctx context.Context, in engine.Key) ([]engine.Observed[spec.Mesh], error) {
	members, err := c.members(ctx, in)
	if err != nil {
		return nil, err
	}
	byMesh := map[engine.Key][]memberObject{}
	for _, m := range members {
		if m.Marks.Mesh != "" {
			key := engine.Key{Kind: string(spec.KindMesh), Tenant: m.Spec.Tenant, Namespace: m.Spec.Namespace, Name: m.Marks.Mesh}
			byMesh[key] = append(byMesh[key], m)
		}
	}
	out := make([]engine.Observed[spec.Mesh], 0, len(byMesh))
	for key, mine := range byMesh {
		out = append(out, assemble(key, mine))
	}
	slices.SortFunc(out, func(a, b engine.Observed[spec.Mesh]) int {
		return cmp.Compare(Mesh().Key(a.Spec).String(), Mesh().Key(b.Spec).String())
	})
	return out, nil
}

// Act implements engine.Actor: the verb goes to every component, in an order in which
// consumers run before producers.
func (c *meshClient) Act(ctx context.Context, key engine.Key, verb string, args map[string]string) (string, error) {
	all, err := c.members(ctx, key)
	if err != nil {
		return "", err
	}
	var answers []string
	var failed []error
	for _, m := range all {
		if m.Marks.Mesh != key.Name {
			continue
		}
		actor, ok := c.engines[m.kind].Client.(engine.Actor)
		if !ok {
			failed = append(failed, engine.New(engine.Invalid, fmt.Errorf("this platform cannot %s a %s", verb, m.kind)))
			continue
		}
		answer, err := actor.Act(ctx, Component(m.kind).Key(m.Spec), verb, args)
		failed = append(failed, err)
		if answer != "" {
			answers = append(answers, answer)
		}
	}
	if len(answers) == 0 && len(failed) == 0 {
		return "", &engine.Error{Class: engine.NotFound, Key: key, Err: errors.New("it does not exist")}
	}
	return strings.Join(answers, "\n"), errors.Join(failed...)
}
