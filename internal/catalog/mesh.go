package catalog

import (
	"fmt"
	"strings"

	"github.com/functionmesh/terraform-provider-functionmesh/internal/diff"
	"github.com/functionmesh/terraform-provider-functionmesh/internal/engine"
	"github.com/functionmesh/terraform-provider-functionmesh/internal/graph"
	"github.com/functionmesh/terraform-provider-functionmesh/internal/spec"
)

// meshFields are the maps of a mesh by the kind of their components.
func meshFields() map[spec.Kind]spec.Path {
	return map[spec.Kind]spec.Path{spec.KindSource: "sources", spec.KindFunction: "functions", spec.KindSink: "sinks"}
}

// Mesh binds meshes. What would replace a component that stands alone is a change in
// place here: the mesh's client makes the component again and keeps its subscription.
func Mesh() Entity[spec.Mesh] {
	rules := diff.Rules{"tenant": diff.Replace, "namespace": diff.Replace, "name": diff.Replace}
	for _, field := range meshFields() {
		member := string(field) + "[*]"
		rules[member] = diff.Default
		for _, own := range []string{"tenant", "namespace", "name"} { // the mesh decides them
			rules[member+"."+own] = diff.ClientOnly
		}
		for pattern, rule := range componentRules() {
			rules[member+"."+pattern] = rule
		}
	}
	return Entity[spec.Mesh]{
		Kind: spec.KindMesh,
		Key: func(m spec.Mesh) engine.Key {
			return engine.Key{Kind: string(spec.KindMesh), Tenant: m.Tenant, Namespace: m.Namespace, Name: m.Name}
		},
		Default:  spec.DefaultMesh,
		Validate: func(m spec.Mesh) []spec.Problem { return append(spec.ValidateMesh(m), graph.New(m).Problems()...) },
		Rules:    rules,
		holes: func(want spec.Mesh, holes []spec.Path) []spec.Path {
			return qualified(holes, want.Tenant, want.Namespace)
		},
		unfinished: meshUnfinished,
		warn:       meshWarnings,
	}
}

// meshUnfinished says whether an existing mesh that carries our owner mark is the rest
// of an interrupted create: a wanted component is missing, and all that exist are
// wanted ones. A component beyond those means that it is another, finished mesh.
func meshUnfinished(_ engine.Observed[spec.Mesh], _ engine.Object[spec.Mesh], changes []engine.Change) bool {
	missing := false
	for _, c := range changes {
		if _, _, whole := member(c.Path); !whole {
			continue
		}
		if c.Op == engine.Clear {
			return false
		}
		missing = true
	}
	return missing
}

// meshWarnings announces what a change of a mesh leaves behind or interrupts.
func meshWarnings(have engine.Observed[spec.Mesh], want engine.Object[spec.Mesh], changes []engine.Change) []string {
	old, becomes := spec.DefaultMesh(have.Spec), spec.DefaultMesh(want.Spec)
	var out []string
	for _, c := range changes {
		kind, key, whole := member(c.Path)
		if key == "" {
			continue
		}
		was, existed := old.Components(kind)[key]
		switch {
		case !existed:
		case whole && c.Op == engine.Clear:
			out = append(out, leftBehind(kind, key, was)...)
		case c.Path == string(meshFields()[kind].Key(key).Field("runtime")):
			now := becomes.Components(kind)[key]
			out = append(out, fmt.Sprintf(
				"%s %q: its runtime changes from %v to %v, so it is deleted and created again in place; subscription %q is kept",
				kind, key, c.Old, c.New, subscription(now)))
		}
	}
	return out
}

// leftBehind warns of the subscription that a removed or renamed component leaves.
func leftBehind(kind spec.Kind, key string, c spec.Component) []string {
	if kind == spec.KindSource || c.CleanupSubscription != nil && *c.CleanupSubscription {
		return nil
	}
	return []string{fmt.Sprintf(
		"%s %q is removed; its subscription %q stays on %s and keeps its backlog. A component that takes its place under another name starts with a subscription of its own. When its messages are not wanted, delete the old one: %s",
		kind, key, subscription(c), strings.Join(inputs(c), ", "), unsubscribe(c))}
}

// unsubscribe says how the subscription of a component is deleted.
func unsubscribe(c spec.Component) string {
	var commands []string
	for _, topic := range spec.SortedKeys(c.Inputs) {
		commands = append(commands, fmt.Sprintf("`functionmesh topic unsubscribe %s %s`", topic, subscription(c)))
	}
	local := strings.Join(commands, ", ")
	if local != "" {
		local += ", or on Pulsar "
	}
	return local + "`pulsar-admin topics unsubscribe`"
}

func subscription(c spec.Component) string {
	if c.Subscription == nil {
		return ""
	}
	return c.Subscription.Name
}

func inputs(c spec.Component) []string {
	names := spec.SortedKeys(c.Inputs)
	if c.TopicsPattern != "" {
		names = append(names, c.TopicsPattern)
	}
	if len(names) == 0 {
		return []string{"its inputs"}
	}
	return names
}

// member splits a change's path into the component it is about, and says whether it
// is the component as a whole. The key is "" for the mesh's own fields.
func member(path string) (kind spec.Kind, key string, whole bool) {
	steps, err := spec.ParsePath(spec.Path(path))
	if err != nil || len(steps) < 2 || !steps[1].Key {
		return "", "", false
	}
	for kind, field := range meshFields() {
		if string(field) == steps[0].Name {
			return kind, steps[1].Name, len(steps) == 2
		}
	}
	return "", "", false
}
