package graph

import "github.com/functionmesh/terraform-provider-functionmesh/internal/spec"

// NodeKind says what a node stands for.
type NodeKind string

// The kinds of node: the three faces of a component, and topics.
const (
	Source   NodeKind = "source"
	Function NodeKind = "function"
	Sink     NodeKind = "sink"
	Topic    NodeKind = "topic"
)

// Node is a component or a topic.
type Node struct {
	ID       string   `json:"id"` // kind:name, unique in the graph
	Kind     NodeKind `json:"kind"`
	Name     string   `json:"name"`     // the component's key, the topic's full name
	Label    string   `json:"label"`    // the same for people: a topic's shortest spelling
	External bool     `json:"external"` // a topic that nothing in the mesh writes, or nothing reads
}

// Edge runs the way messages go, between IDs of nodes.
type Edge struct {
	From string `json:"from"`
	To   string `json:"to"`
}

// Dangling is an input that nothing in the mesh feeds.
type Dangling struct {
	Component string    // its key in the mesh
	Kind      spec.Kind // function or sink
	Topic     string    // as it is spelled in the mesh
	Path      spec.Path // of the input
}

// Graph is a mesh as nodes and edges.
type Graph struct {
	nodes []Node
	edges []Edge
}

// New reads a mesh, defaulted or not.
func New(m spec.Mesh) *Graph { return &Graph{} }

// Nodes lists components and topics, sorted by ID.
func (g *Graph) Nodes() []Node { return g.nodes }

// Edges lists who feeds whom, sorted.
func (g *Graph) Edges() []Edge { return g.edges }

// Cycles lists the groups of components whose messages can come back to them, by key.
func (g *Graph) Cycles() [][]string { return nil }

// Dangling lists the inputs that nothing in the mesh feeds.
func (g *Graph) Dangling() []Dangling { return nil }

// Problems warns of cycles. Dangling inputs are spec.ValidateMesh's.
func (g *Graph) Problems() []spec.Problem { return nil }

// DOT draws the graph for Graphviz.
func (g *Graph) DOT() string { return "" }

// Mermaid draws the graph for Markdown.
func (g *Graph) Mermaid() string { return "" }

// Expand lists the components of a mesh as they run.
func Expand(m spec.Mesh) []spec.Component { return nil }
