package spec

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestValidateMesh(t *testing.T) {
	t.Parallel()
	cases := map[string]struct {
		edit func(*Mesh)
		want []string
	}{
		"Valid":    {func(*Mesh) {}, nil},
		"NoName":   {func(m *Mesh) { m.Name = "" }, []string{"name"}},
		"BadNames": {func(m *Mesh) { m.Tenant, m.Namespace = "a/b", "c d" }, []string{"namespace", "tenant"}},
		"Empty":    {func(m *Mesh) { *m = Mesh{Name: "lines"} }, []string{""}},
		"Twice":    {func(m *Mesh) { m.Sinks["enrich"] = m.Sinks["store"] }, []string{`sinks["enrich"]`}},
		"BadKey": {func(m *Mesh) {
			m.Functions[`a/"b`] = m.Functions["enrich"]
			delete(m.Functions, "enrich")
		}, []string{`functions["a/\"b"]`}},
		"LongTogether": {func(m *Mesh) { m.Name = longText(MaxName - 5) }, []string{`functions["enrich"]`, `sinks["store"]`, `sources["intake"]`}},
		"Elsewhere": {func(m *Mesh) {
			c := m.Functions["enrich"]
			c.Tenant, c.Namespace, c.Name = "shop", "eu", "other"
			m.Functions["enrich"] = c
		}, []string{`functions["enrich"].name`, `functions["enrich"].namespace`, `functions["enrich"].tenant`}},
		"SamePlace": {func(m *Mesh) {
			c := m.Functions["enrich"]
			c.Tenant, c.Namespace, c.Name = "public", "default", "enrich"
			m.Functions["enrich"] = c
		}, nil},
		"Members": {func(m *Mesh) {
			c := m.Functions["enrich"]
			c.Parallelism, c.Inputs = new(0), map[string]Input{"orders": {ReceiverQueueSize: new(-1)}}
			m.Functions["enrich"] = c
			m.Sources["intake"] = Component{}
		}, []string{
			`functions["enrich"].inputs["orders"].receiver_queue_size`, `functions["enrich"].parallelism`,
			`sources["intake"].builtin`, `sources["intake"].output`, `warning functions["enrich"].inputs["orders"]`,
		}},
		"Unfed": {func(m *Mesh) { delete(m.Sources, "intake") }, []string{`warning functions["enrich"].inputs["orders"]`}},
		"FedByDeadLetter": {func(m *Mesh) {
			c := m.Sinks["store"]
			c.DeadLetterTopic = "dead"
			m.Sinks["store"] = c
			c = c.Clone()
			c.Inputs, c.DeadLetterTopic = map[string]Input{"dead": {}}, ""
			m.Sinks["again"] = c
		}, nil},
		"FedPartition": {func(m *Mesh) {
			c := m.Sinks["store"]
			c.Inputs = map[string]Input{"enriched-partition-0": {}}
			m.Sinks["store"] = c
		}, nil},
		"Regex": {func(m *Mesh) {
			c := m.Sinks["store"]
			c.Inputs = map[string]Input{"any.*": {Regex: new(true)}}
			m.Sinks["store"] = c
		}, nil},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			m := testMesh()
			tc.edit(&m)
			if diff := cmp.Diff(tc.want, errorPaths(ValidateMesh(m))); diff != "" {
				t.Errorf("paths (-want +got):\n%s\n%v", diff, ValidateMesh(m))
			}
		})
	}
}

func TestValidateStreams(t *testing.T) {
	t.Parallel()
	cases := map[string]struct {
		got  []Problem
		want []string
	}{
		"Tenant":         {ValidateTenant(Tenant{Name: "shop", AdminRoles: []string{"a"}, AllowedClusters: []string{"b"}}), nil},
		"TenantBad":      {ValidateTenant(Tenant{AdminRoles: []string{"a", " "}, AllowedClusters: []string{""}}), []string{"admin_roles[1]", "allowed_clusters[0]", "name"}},
		"Namespace":      {ValidateNamespace(Namespace{Tenant: "a", Name: "b"}), nil},
		"NamespaceBad":   {ValidateNamespace(Namespace{Tenant: "a/b", Name: "b%"}), []string{"name", "tenant"}},
		"Topic":          {ValidateTopic(Topic{Name: "orders", Partitions: new(4), Properties: map[string]string{"a": ""}}), nil},
		"TopicUnicode":   {ValidateTopic(Topic{Name: "bestellungen für märz"}), nil},
		"TopicNone":      {ValidateTopic(Topic{Tenant: " ", Namespace: " "}), []string{"name", "namespace", "tenant"}},
		"TopicFull":      {ValidateTopic(Topic{Name: "persistent://a/b/c"}), []string{"name"}},
		"TopicPartition": {ValidateTopic(Topic{Name: "orders-partition-0", Partitions: new(-1)}), []string{"name", "partitions"}},
		"TopicWidest":    {ValidateTopic(Topic{Name: "x", Partitions: new(1024)}), nil},
		"TopicTooWide":   {ValidateTopic(Topic{Name: "x", Partitions: new(1025)}), []string{"partitions"}},
		"TopicReserved":  {ValidateTopic(Topic{Name: "x", Properties: map[string]string{"functionmesh.owner": "", "": ""}}), []string{`properties[""]`, `properties["functionmesh.owner"]`}},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if diff := cmp.Diff(tc.want, errorPaths(tc.got)); diff != "" {
				t.Errorf("paths (-want +got):\n%s\n%v", diff, tc.got)
			}
		})
	}
}
