package graph

import (
	"fmt"
	"strings"
	"unicode"
)

// DOT draws the graph for Graphviz. Topics outside the mesh are dashed.
func (g *Graph) DOT() string {
	var b strings.Builder
	fmt.Fprintf(&b, "digraph %s {\n  rankdir=LR;\n", quoteDOT(g.name))
	for _, node := range g.Nodes() {
		style := ""
		if node.External {
			style = ", style=dashed"
		}
		fmt.Fprintf(&b, "  %s [label=%s, shape=%s%s];\n", quoteDOT(node.ID), quoteDOT(node.Label), shapeDOT(node.Kind), style)
	}
	for _, edge := range g.Edges() {
		style := ""
		if edge.Kind != Data {
			style = fmt.Sprintf(" [label=%s, style=dashed]", quoteDOT(edge.label()))
		}
		fmt.Fprintf(&b, "  %s -> %s%s;\n", quoteDOT(edge.From), quoteDOT(edge.To), style)
	}
	b.WriteString("}\n")
	return b.String()
}

// Mermaid draws the graph for Markdown. Topics outside the mesh are dashed.
func (g *Graph) Mermaid() string {
	var b strings.Builder
	b.WriteString("flowchart LR\n")
	short := map[string]string{}
	var external []string
	for i, node := range g.Nodes() {
		id := fmt.Sprintf("n%d", i)
		short[node.ID] = id
		left, right := shapeMermaid(node.Kind)
		fmt.Fprintf(&b, "  %s%s\"%s\"%s\n", id, left, escapeMermaid(node.Label), right)
		if node.External {
			external = append(external, id)
		}
	}
	for _, edge := range g.Edges() {
		arrow := "-->"
		if edge.Kind != Data {
			arrow = "-. " + edge.label() + " .->"
		}
		fmt.Fprintf(&b, "  %s %s %s\n", short[edge.From], arrow, short[edge.To])
	}
	if len(external) > 0 {
		fmt.Fprintf(&b, "  classDef external stroke-dasharray: 4 4\n  class %s external\n", strings.Join(external, ","))
	}
	return b.String()
}

func (e Edge) label() string { return strings.ReplaceAll(string(e.Kind), "_", " ") }

func shapeDOT(kind NodeKind) string {
	switch kind {
	case Topic:
		return "cds"
	case Source:
		return "invhouse"
	case Sink:
		return "house"
	default:
		return "box"
	}
}

func shapeMermaid(kind NodeKind) (left, right string) {
	switch kind {
	case Topic:
		return "([", "])"
	case Source:
		return "[/", "/]"
	case Sink:
		return `[\`, `\]`
	default:
		return "[", "]"
	}
}

// quoteDOT makes any text one quoted ID: only quote and backslash are special in one.
func quoteDOT(s string) string {
	return `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(oneLine(s)) + `"`
}

// escapeMermaid writes what could end a label, start markup or be read as HTML as a
// numbered character.
func escapeMermaid(s string) string {
	var b strings.Builder
	for _, r := range oneLine(s) {
		if strings.ContainsRune("\"#&<>`\\;", r) {
			fmt.Fprintf(&b, "#%d;", r)
			continue
		}
		b.WriteRune(r)
	}
	return b.String()
}

func oneLine(s string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsControl(r) {
			return ' '
		}
		return r
	}, strings.ToValidUTF8(s, "?"))
}
