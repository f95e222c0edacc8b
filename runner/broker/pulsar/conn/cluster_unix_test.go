//go:build unix

package conn_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/functionmesh/terraform-provider-functionmesh/runner/broker/pulsar/conn"
	"github.com/functionmesh/terraform-provider-functionmesh/runner/broker/pulsar/conn/pulsarpb"
	"github.com/functionmesh/terraform-provider-functionmesh/runner/broker/pulsar/pulsartest"
)

// accepted says whether the broker that a look-up led to takes a producer.
func accepted(t *testing.T, c *conn.Client, topic string) (*conn.Conn, error) {
	t.Helper()
	l, err := c.Connect(t.Context(), topic)
	if err != nil {
		return nil, err
	}
	id := l.NextID()
	if err := l.AddProducer(id, newProducer()); err != nil {
		return nil, err
	}
	_, err = l.Request(t.Context(), &pulsarpb.BaseCommand{Producer: &pulsarpb.Producer{Topic: topic, ProducerId: &id}})
	return l, err
}

// Look-ups lead to the owner whoever is asked: while nobody owns the topic, after it
// moved, through a proxy, and when the owner died.
func TestPulsarClusterLookUps(t *testing.T) {
	t.Parallel()
	cluster := pulsartest.NewCluster(t, "--proxy")
	clients := map[string]*conn.Client{
		"First":  newClient(t, cluster.One(t, 1).Broker(), conn.Options{}),
		"Second": newClient(t, cluster.One(t, 2).Broker(), conn.Options{}),
		"Both":   newClient(t, cluster.Broker(), conn.Options{}),
		"Proxy":  newClient(t, cluster.Proxy(t).Broker(), conn.Options{}),
	}
	var topic string
	// A broker that has just come, or that was slow, gets no topics at first.
	pulsartest.Eventually(t, "both brokers have topics", func() bool {
		ns, owners := cluster.Namespace(t, pulsartest.Policies{Bundles: 16}), map[string]bool{}
		for i := range 8 {
			for name, c := range clients {
				topic := ns.Full(fmt.Sprint("t-", name, i))
				l, err := accepted(t, c, topic)
				if err != nil {
					t.Fatalf("%s: %s: %v", name, topic, err)
				}
				owners[l.Broker()] = true
			}
		}
		topic = ns.Full("moves")
		return len(owners) == 2
	})
	for name, c := range clients {
		for range 2 {
			to := 3 - cluster.Owner(t, topic)
			cluster.Move(t, topic, to)
			pulsartest.Eventually(t, name+" is led to the new owner", func() bool {
				l, err := accepted(t, c, topic)
				return err == nil && "pulsar://"+l.Broker() == cluster.One(t, to).URL
			})
		}
	}
	const killed = 2 // the first serves the admin API of the test
	if cluster.Owner(t, topic) != killed {
		cluster.Move(t, topic, killed)
	}
	cluster.Kill(t, killed)
	start := time.Now()
	pulsartest.Eventually(t, "the survivor takes over", func() bool {
		l, err := accepted(t, clients["Both"], topic)
		return err == nil && "pulsar://"+l.Broker() == cluster.One(t, 3-killed).URL
	})
	t.Logf("going again %s after the kill", time.Since(start).Round(100*time.Millisecond))
}
