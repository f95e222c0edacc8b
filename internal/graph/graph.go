package graph

import (
	"cmp"
	"slices"

	"github.com/functionmesh/terraform-provider-functionmesh/internal/spec"
)

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

// EdgeKind says which messages take an edge.
type EdgeKind string

// Data are inputs and outputs; DeadLetter and Log are named by dead_letter_topic and
// log_topic.
const (
	Data       EdgeKind = "data"
	DeadLetter EdgeKind = "dead_letter"
	Log        EdgeKind = "log"
)

// Edge runs the way messages go, between IDs of nodes.
type Edge struct {
	From string   `json:"from"`
	To   string   `json:"to"`
	Kind EdgeKind `json:"kind"`
}

// Dangling is an input that nothing in the mesh feeds.
type Dangling struct {
	Component string    `json:"component"` // its key in the mesh
	Kind      spec.Kind `json:"kind"`      // function or sink
	Topic     string    `json:"topic"`     // as it is spelled in the mesh
	Path      spec.Path `json:"path"`      // of the input
}

// Graph is a mesh as nodes and edges.
type Graph struct {
	name     string
	nodes    map[string]Node
	edges    map[Edge]bool
	members  []member
	dangling []Dangling
}

// member is a component with the topics at its ends, by ID.
type member struct {
	id     string
	key    string
	kind   spec.Kind
	reads  []string
	writes []string
}

// New reads a mesh, defaulted or not, valid or not: a text that is no topic name is a
// topic of that name.
func New(m spec.Mesh) *Graph {
	g := &Graph{name: m.Name, nodes: map[string]Node{}, edges: map[Edge]bool{}}
	for _, kind := range spec.ComponentKinds() {
		components := m.Components(kind)
		for _, key := range spec.SortedKeys(components) {
			g.add(key, m.Member(kind, key, components[key]))
		}
	}
	g.markExternal()
	g.findDangling(m)
	return g
}

func (g *Graph) add(key string, c spec.Component) {
	m := member{id: string(c.Kind) + ":" + key, key: key, kind: c.Kind}
	g.nodes[m.id] = Node{ID: m.id, Kind: NodeKind(c.Kind), Name: key, Label: key}
	for _, topic := range spec.SortedKeys(c.Inputs) {
		m.reads = append(m.reads, g.topic(c, topic))
	}
	if c.TopicsPattern != "" {
		m.reads = append(m.reads, g.topic(c, c.TopicsPattern))
	}
	for _, topic := range m.reads {
		g.edges[Edge{From: topic, To: m.id, Kind: Data}] = true
	}
	if c.Output != nil && c.Output.Topic != "" {
		m.writes = append(m.writes, g.link(m.id, c, c.Output.Topic, Data))
	}
	if c.DeadLetterTopic != "" {
		m.writes = append(m.writes, g.link(m.id, c, c.DeadLetterTopic, DeadLetter))
	}
	if c.LogTopic != "" {
		m.writes = append(m.writes, g.link(m.id, c, c.LogTopic, Log))
	}
	g.members = append(g.members, m)
}

func (g *Graph) link(from string, c spec.Component, topic string, kind EdgeKind) string {
	id := g.topic(c, topic)
	g.edges[Edge{From: from, To: id, Kind: kind}] = true
	return id
}

func (g *Graph) topic(c spec.Component, text string) string {
	node := topicNode(c, text)
	g.nodes[node.ID] = node
	return node.ID
}

// topicNode is the node of a whole topic: its partitions are one place.
func topicNode(c spec.Component, text string) Node {
	node := Node{Kind: Topic, Name: text, Label: text}
	if name, err := spec.ParseTopic(text, c.Tenant, c.Namespace); err == nil {
		node.Name = name.Whole().String()
		node.Label = name.Whole().Short(c.Tenant, c.Namespace)
	}
	node.ID = string(Topic) + ":" + node.Name
	return node
}

func (g *Graph) markExternal() {
	written, read := map[string]bool{}, map[string]bool{}
	for edge := range g.edges {
		written[edge.To], read[edge.From] = true, true
	}
	for id, node := range g.nodes {
		if node.Kind == Topic {
			node.External = !written[id] || !read[id]
			g.nodes[id] = node
		}
	}
}

func (g *Graph) findDangling(m spec.Mesh) {
	written := map[string]bool{}
	for _, member := range g.members {
		for _, topic := range member.writes {
			written[topic] = true
		}
	}
	for _, member := range g.members {
		c := m.Member(member.kind, member.key, m.Components(member.kind)[member.key])
		for _, topic := range spec.SortedKeys(c.Inputs) {
			if regex := c.Inputs[topic].Regex; regex != nil && *regex || written[topicNode(c, topic).ID] {
				continue
			}
			g.dangling = append(g.dangling, Dangling{
				Component: member.key, Kind: member.kind, Topic: topic,
				Path: spec.MemberPath(member.kind, member.key).Field("inputs").Key(topic),
			})
		}
	}
}

// Nodes lists components and topics, sorted by ID.
func (g *Graph) Nodes() []Node {
	nodes := make([]Node, 0, len(g.nodes))
	for _, id := range spec.SortedKeys(g.nodes) {
		nodes = append(nodes, g.nodes[id])
	}
	return nodes
}

// Edges lists who feeds whom, sorted by both ends.
func (g *Graph) Edges() []Edge {
	edges := make([]Edge, 0, len(g.edges))
	for edge := range g.edges {
		edges = append(edges, edge)
	}
	slices.SortFunc(edges, func(a, b Edge) int {
		return cmp.Or(cmp.Compare(a.From, b.From), cmp.Compare(a.To, b.To), cmp.Compare(a.Kind, b.Kind))
	})
	return edges
}

// Dangling lists the inputs that nothing in the mesh feeds, as spec.ValidateMesh warns
// of them. Inputs by regular expression are not among them.
func (g *Graph) Dangling() []Dangling { return slices.Clone(g.dangling) }
