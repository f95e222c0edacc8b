package command

import (
	"slices"
	"strings"
	"testing"

	"github.com/functionmesh/terraform-provider-functionmesh/internal/wire"
	"github.com/functionmesh/terraform-provider-functionmesh/runner/broker/pulsar/conn"
	"github.com/functionmesh/terraform-provider-functionmesh/runner/broker/pulsar/conn/pulsarpb"
	"github.com/functionmesh/terraform-provider-functionmesh/runner/broker/pulsar/pulsartest"
)

// One that is not there is told so, beside those that are.
func TestPulsarUnsubscribe(t *testing.T) {
	server := pulsartest.Need(t)
	ns := server.Namespace(t, pulsartest.Policies{})
	topic := ns.Topic(t, "parts", 2)
	for _, name := range []string{"public/default/f", "other", "third"} {
		server.Subscribe(t, topic, name, "earliest")
	}
	client, err := conn.New(wire.Broker{Kind: wire.KindPulsar, URL: server.URL}, conn.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = client.Close() })
	c, err := client.Connect(t.Context(), topic+"-partition-0")
	if err != nil {
		t.Fatal(err)
	}
	reading := cursor{Conn: c, topic: topic + "-partition-0", subscription: "read", position: pulsarpb.Subscribe_EARLIEST}
	if err := reading.open(t.Context()); err != nil {
		t.Fatal(err)
	}
	_, local, _ := strings.Cut(ns.Name, "/")
	cases := []struct {
		name, subscription, topic string
		flags                     []string
		code                      int
		words                     []string
	}{
		{"Misspelt", "public/default/ff", "parts", []string{"--admin-url", server.AdminURL}, ExitFailure, []string{`has no subscription "public/default/ff"`, "It has other, public/default/f, read, third"}},
		{"NoTopic", "other", "part", []string{"--admin-url", server.AdminURL}, ExitFailure, []string{"there is no topic", "Did you mean parts?"}},
		{"NoTopicBrokers", "other", "part", nil, ExitFailure, []string{"there is no topic", "Did you mean parts?"}},
		{"InUse", "read", "parts", []string{"--admin-url", server.AdminURL}, ExitFailure, []string{"active connected consumers", "--force"}},
		{"There", "public/default/f", "parts", []string{"--admin-url", server.AdminURL}, ExitOK, []string{"subscription public/default/f of parts deleted"}},
		{"Force", "third", "parts", []string{"--admin-url", server.AdminURL, "--force"}, ExitOK, []string{"deleted"}},
		{"ForceBrokers", "other", "parts", []string{"--force"}, ExitUsage, []string{"--admin-url"}},
		{"Brokers", "other", "parts", nil, ExitOK, []string{"has no subscription other now"}},
		{"Again", "other", "parts", []string{"--admin-url", server.AdminURL}, ExitFailure, []string{"It has read"}},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			line := []string{"topic", "unsubscribe", c.topic, c.subscription, "--namespace", local, "--pulsar", server.URL}
			got := runLine(t, nil, "", append(line, c.flags...)...)
			if got.code != c.code {
				t.Fatalf("exit code %d: %v", got.code, got.err)
			}
			said := got.out + got.errs
			if got.err != nil {
				said = got.err.Error()
			}
			for _, w := range c.words {
				if !strings.Contains(said, w) {
					t.Errorf("%q is not said: %s", w, said)
				}
			}
		})
	}
	if left := server.Subscriptions(t, topic+"-partition-1"); slices.Contains(left, "other") {
		t.Errorf("subscriptions %q are left", left)
	}
}
