package command

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/functionmesh/terraform-provider-functionmesh/internal/engine"
	"github.com/functionmesh/terraform-provider-functionmesh/internal/spec"
	"github.com/functionmesh/terraform-provider-functionmesh/internal/wire"
	"github.com/functionmesh/terraform-provider-functionmesh/runner/broker/pulsar/pulsartest"
)

func TestNear(t *testing.T) {
	all := []string{"a", "orders", "orders-dead", "payments", "Users", "xyz"}
	cases := map[string]struct {
		name string
		want []string
	}{
		"Swapped":   {"ordres", []string{"orders"}},
		"Missing":   {"oders", []string{"orders"}},
		"Beginning": {"order", []string{"orders", "orders-dead"}},
		"Case":      {"users", []string{"Users"}},
		"Short":     {"b", []string{"a"}},
		"Another":   {"shipments-of-today", nil},
		"Empty":     {"", []string{"a"}},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			got := near(c.name, all)
			if len(got) == 0 {
				got = nil
			}
			if d := cmp.Diff(c.want, got); d != "" {
				t.Error(d)
			}
		})
	}
}

// Reading a misspelt topic must not make it.
func TestPulsarReadsOnlyTopicsThatExist(t *testing.T) {
	server := pulsartest.Need(t)
	ns := server.Namespace(t, pulsartest.Policies{})
	ns.Topic(t, "orders", 0)
	ns.Topic(t, "parts", 2)
	_, local, _ := strings.Cut(ns.Name, "/")
	ways := map[string][]string{"Brokers": nil, "REST": {"--admin-url", server.AdminURL}}
	cases := map[string]struct {
		line  []string
		words []string // "": it is there
	}{
		"Consume":       {[]string{"consume", "ordres", "--from", "earliest", "-n", "1", "--timeout", "10s"}, []string{"there is no topic", "/ordres", "Did you mean orders?"}},
		"Peek":          {[]string{"peek", "ordres"}, []string{"there is no topic", "Did you mean orders?"}},
		"Redrive":       {[]string{"redrive", "ordres"}, []string{"there is no topic", "Did you mean orders?"}},
		"Far":           {[]string{"peek", "something-else"}, []string{"there is no topic", "topic list"}},
		"Partition":     {[]string{"peek", "parts-partition-7"}, []string{"there is no topic", "2 partitions"}},
		"There":         {[]string{"peek", "orders"}, nil},
		"ThereInParts":  {[]string{"peek", "parts"}, nil},
		"OnePartition":  {[]string{"peek", "parts-partition-1"}, nil},
		"NotPersistent": {[]string{"consume", "non-persistent://" + ns.Name + "/any", "--timeout", "100ms"}, []string{errIdle.Error()}},
	}
	for way, flags := range ways {
		for name, c := range cases {
			t.Run(way+name, func(t *testing.T) {
				line := append([]string{"topic"}, c.line...)
				line = append(line, "--namespace", local, "--pulsar", server.URL)
				got := runLine(t, nil, "", append(line, flags...)...)
				if (got.code != 0) != (c.words != nil) {
					t.Fatalf("exit code %d: %v", got.code, got.err)
				}
				for _, w := range c.words {
					if !strings.Contains(got.err.Error(), w) {
						t.Errorf("the error lacks %q: %v", w, got.err)
					}
				}
			})
		}
	}
	all, err := topicsOf(t.Context(), wire.Broker{Kind: wire.KindPulsar, URL: server.URL}, ns.Name)
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff([]string{"orders", "parts"}, spec.SortedKeys(all)); d != "" {
		t.Errorf("reading made topics: %s", d)
	}
	if err := there(t.Context(), wire.Broker{Kind: wire.KindPulsar, URL: server.URL, AdminURL: server.AdminURL}, ns.Full("no")); !engine.Is(err, engine.NotFound) {
		t.Errorf("class of %v", err)
	}
}
