//go:build unix

package faults_test

import (
	"syscall"
	"testing"

	"github.com/functionmesh/terraform-provider-functionmesh/internal/wire"
	"github.com/functionmesh/terraform-provider-functionmesh/runner/broker/pulsar/pulsartest"
)

func exactly() setting {
	return setting{guarantee: effectively, mode: wire.Failover, fill: pulsartest.Fill{PerEntry: 10}}
}

// A broker drops what is written again as long as it remembers the producer. One that
// purged it because it was idle for too long, which takes the broker a minute at least,
// stores it twice; the instance goes on, and nothing is lost. Without deduplication a
// broker forgets all producers at once, which is the same to those that come back.
func TestPulsarR3ForgottenProducers(t *testing.T) {
	server := pulsartest.Need(t)
	for name, forgets := range map[string]bool{"Remembered": false, "Forgotten": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			const total = 500
			c := exactly()
			s := newScene(t, server, c)
			server.Fill(t, s.in, total, c.fill)
			work := func() wire.Status {
				i := s.start(t, 0, 1)
				i.ready(t)
				server.Settled(t, s.in, subscription)
				i.alive(t)
				status, _ := i.status(t)
				i.drain(t)
				return status
			}
			work()
			want := 0
			if forgets {
				want = total
				for _, on := range []bool{false, true} {
					s.namespace.SetDeduplication(t, on)
					pulsartest.Eventually(t, "the policy is in force", func() bool { return (server.Stats(t, s.out).Deduplication == "Enabled") == on })
				}
			}
			server.Rewind(t, s.in, subscription)
			status := work()
			tally := server.Read(t, s.out, 0, total)
			tally.Check(t, pulsartest.Bounds{Duplicates: forgets})
			if tally.Duplicated != want || (status.Repeats > 0) == forgets {
				t.Errorf("%s, want %d duplicated; %d entries dropped as repeats", tally, want, status.Repeats)
			}
		})
	}
}

// A partition goes to another instance while the one before is stuck with its producer
// open: the name of the producer is busy until the broker finds that nobody answers
// there. What the stuck one does later changes nothing.
func TestPulsarR3ProducerBusyOnFailover(t *testing.T) {
	server := pulsartest.Need(t)
	const half = 500
	c := exactly()
	s := newScene(t, server, c)
	flow := server.Watch(t, s.out, 0, 2*half)
	feeder := server.NewFeeder(t, s.in, c.fill)
	stuck, other := s.start(t, 0, 2), s.start(t, 1, 2)
	stuck.ready(t)
	other.ready(t)
	feeder.Send(t, half)
	flow.Until(t, half)
	pulsartest.Eventually(t, "one has the partition", func() bool {
		status, _ := stuck.status(t)
		if status.Processed > 0 {
			return true
		}
		stuck, other = other, stuck
		return false
	})
	stuck.signal(t, syscall.SIGSTOP)
	server.Unload(t, s.in) // its consumer is gone, its producer is not
	feeder.Send(t, half)
	flow.Until(t, 2*half)
	other.alive(t)
	stuck.signal(t, syscall.SIGCONT)
	server.Settled(t, s.in, subscription)
	stuck.drain(t)
	other.drain(t)
	s.judge(t, flow, c)
}
