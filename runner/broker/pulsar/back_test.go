package pulsar_test

import (
	"testing"
	"time"

	"github.com/functionmesh/terraform-provider-functionmesh/internal/wire"
	"github.com/functionmesh/terraform-provider-functionmesh/runner/broker/pulsar/pulsartest"
)

// Partitions that an instance had before come back to it, again and again, with much to
// read.
func TestPulsarR4PartitionsComeBack(t *testing.T) {
	s := pulsartest.Need(t)
	for _, guarantee := range []string{"atleast_once", "effectively_once"} {
		t.Run(guarantee, func(t *testing.T) {
			const rounds, each = 5, 8_000
			c := cell{guarantee: guarantee, mode: wire.Failover, perEntry: 2, partitions: 3}
			n := s.Namespace(t, c.policies())
			first := c.job(t, n)
			first.Parallelism = 2
			second := *first
			second.Instance = 1
			flow := s.Watch(t, first.Out, first.Outputs, rounds*each)
			feeder := s.NewFeeder(t, first.In, c.fill())
			first.start(t)
			for range rounds {
				stop := second.start(t)
				feeder.Send(t, each/4)
				time.Sleep(1500 * time.Millisecond) // the broker hands some partitions over
				feeder.Send(t, each/4)
				stop()
				feeder.Send(t, each/2) // while nobody reads
				flow.Until(t, feeder.Sent())
			}
			s.Settled(t, first.In, "sub")
			tally := flow.Tally(t)
			tally.Check(t, c.bounds())
			t.Log(tally)
		})
	}
}
