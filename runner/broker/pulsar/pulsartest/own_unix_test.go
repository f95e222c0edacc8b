//go:build unix

package pulsartest_test

import (
	"testing"

	"github.com/functionmesh/terraform-provider-functionmesh/runner/broker/pulsar/pulsartest"
)

func TestPulsarStandaloneComesBack(t *testing.T) {
	t.Parallel()
	s := pulsartest.Own(t)
	topic := s.Namespace(t, pulsartest.Policies{Retention: true}).Topic(t, "t", 0)
	feeder := s.NewFeeder(t, topic, pulsartest.Fill{PerEntry: 10})
	feeder.Send(t, 100)
	s.Kill(t)
	s.Start(t)
	feeder.Send(t, 100)
	s.Stop(t)
	s.Start(t)
	s.Freeze(t)
	s.Thaw(t)
	s.Read(t, topic, 0, 200).Check(t, pulsartest.Bounds{})
}

func TestPulsarClusterMovesATopic(t *testing.T) {
	t.Parallel()
	c := pulsartest.NewCluster(t)
	topic := c.Namespace(t, pulsartest.Policies{Retention: true}).Topic(t, "t", 0)
	c.Fill(t, topic, 100, pulsartest.Fill{PerEntry: 10})
	from := c.Owner(t, topic)
	to := from%c.Brokers + 1
	c.Move(t, topic, to)
	if got := c.Owner(t, topic); got != to {
		t.Errorf("broker %d serves the topic, want %d", got, to)
	}
	c.Freeze(t, from)
	c.Thaw(t, from)
	c.Kill(t, from)
	c.Start(t, from)
	c.Read(t, topic, 0, 100).Check(t, pulsartest.Bounds{})
}
