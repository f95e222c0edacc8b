package graph

import (
	"slices"
	"strings"

	"github.com/functionmesh/terraform-provider-functionmesh/internal/spec"
)

// Cycles lists the groups of components whose messages can come back to them, each by
// sorted key, and the groups in order. A component that reads what it writes is a group
// of its own.
func (g *Graph) Cycles() [][]string {
	var cycles [][]string
	for _, group := range g.cycles() {
		keys := make([]string, len(group))
		for i, m := range group {
			keys[i] = m.key
		}
		cycles = append(cycles, keys)
	}
	return cycles
}

// Problems warns of components that feed each other, which is legal. One that reads what
// it writes itself, names, topics and inputs that nothing feeds are spec.ValidateMesh's.
func (g *Graph) Problems() []spec.Problem {
	var problems []spec.Problem
	for i, keys := range g.Cycles() {
		if len(keys) == 1 {
			continue
		}
		first := g.cycles()[i][0]
		problems = append(problems, spec.Problem{
			Path: spec.MemberPath(first.kind, first.key), Severity: spec.SeverityWarning,
			Message: strings.Join(keys, " and ") + " feed each other.", Hint: "Make sure that every message leaves the cycle at some point.",
		})
	}
	return problems
}

func (g *Graph) cycles() [][]member {
	next := g.consumers()
	groups := slices.DeleteFunc(g.groups(), func(group []member) bool {
		return len(group) == 1 && !slices.Contains(next[group[0].id], group[0].id)
	})
	slices.SortFunc(groups, func(a, b []member) int { return strings.Compare(a[0].key, b[0].key) })
	return groups
}

// consumers maps a component to those that read what it writes.
func (g *Graph) consumers() map[string][]string {
	readers := map[string][]string{}
	for _, m := range g.members {
		for _, topic := range m.reads {
			readers[topic] = append(readers[topic], m.id)
		}
	}
	next := map[string][]string{}
	for _, m := range g.members {
		for _, topic := range m.writes {
			next[m.id] = append(next[m.id], readers[topic]...)
		}
	}
	return next
}

// groups lists the strongly connected components of the mesh, consumers before
// producers, each sorted by key.
func (g *Graph) groups() [][]member {
	byID := map[string]member{}
	t := tarjan{next: g.consumers(), number: map[string]int{}, low: map[string]int{}, open: map[string]bool{}}
	for _, m := range g.members {
		byID[m.id] = m
	}
	for _, m := range g.members {
		if t.number[m.id] == 0 {
			t.visit(m.id)
		}
	}
	groups := make([][]member, len(t.groups))
	for i, ids := range t.groups {
		for _, id := range ids {
			groups[i] = append(groups[i], byID[id])
		}
		slices.SortFunc(groups[i], func(a, b member) int { return strings.Compare(a.key+a.id, b.key+b.id) })
	}
	return groups
}

// tarjan finds strongly connected components; a group is complete once all groups it
// leads to are.
type tarjan struct {
	next   map[string][]string
	number map[string]int // order of the first visit, from 1
	low    map[string]int // lowest number that can be reached in the group
	open   map[string]bool
	stack  []string
	groups [][]string
}

func (t *tarjan) visit(id string) {
	t.number[id] = len(t.number) + 1
	t.low[id] = t.number[id]
	t.stack, t.open[id] = append(t.stack, id), true
	for _, to := range t.next[id] {
		if t.number[to] == 0 {
			t.visit(to)
			t.low[id] = min(t.low[id], t.low[to])
		} else if t.open[to] {
			t.low[id] = min(t.low[id], t.number[to])
		}
	}
	if t.low[id] < t.number[id] {
		return
	}
	at := slices.Index(t.stack, id)
	group := slices.Clone(t.stack[at:])
	t.stack = t.stack[:at]
	for _, member := range group {
		t.open[member] = false
	}
	t.groups = append(t.groups, group)
}

// Expand lists the components of a mesh as they run: with their kind, the tenant and
// namespace of the mesh and the name `<mesh>-<component>`; everything else is untouched.
// Consumers come before producers, so that nothing is emitted before somebody is
// subscribed; the components of a cycle come by name.
func Expand(m spec.Mesh) []spec.Component {
	var components []spec.Component
	for _, group := range New(m).groups() {
		for _, member := range group {
			components = append(components, m.Member(member.kind, member.key, m.Components(member.kind)[member.key]))
		}
	}
	return components
}
