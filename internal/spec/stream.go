package spec

// Tenant groups namespaces.
type Tenant struct {
	Name            string   `json:"name,omitempty"`
	AdminRoles      []string `json:"admin_roles,omitempty"`
	AllowedClusters []string `json:"allowed_clusters,omitempty"`
}

// Namespace groups topics and components. Its policies arrive with the platforms
// that can honour them.
type Namespace struct {
	Tenant string `json:"tenant,omitempty"`
	Name   string `json:"name,omitempty"`
}

// MaxPartitions is how many partitions a topic may have: each costs every reader and
// writer a place of its own.
const MaxPartitions = 1024

// Topic is a persistent stream. Partitions nil or 0 is an unpartitioned topic.
type Topic struct {
	Tenant     string            `json:"tenant,omitempty"`
	Namespace  string            `json:"namespace,omitempty"`
	Name       string            `json:"name,omitempty"` // local name, without persistent://
	Partitions *int              `json:"partitions,omitempty"`
	Properties map[string]string `json:"properties,omitempty"`
}

// Mesh is components that share one life. The maps are keyed by component name,
// unique across all three.
type Mesh struct {
	Tenant    string               `json:"tenant,omitempty"`
	Namespace string               `json:"namespace,omitempty"`
	Name      string               `json:"name,omitempty"`
	Sources   map[string]Component `json:"sources,omitempty"`
	Functions map[string]Component `json:"functions,omitempty"`
	Sinks     map[string]Component `json:"sinks,omitempty"`
}
