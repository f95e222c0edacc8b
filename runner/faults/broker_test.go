//go:build unix

package faults_test

import (
	"testing"
	"time"

	"github.com/functionmesh/terraform-provider-functionmesh/internal/wire"
	"github.com/functionmesh/terraform-provider-functionmesh/runner/broker/pulsar/pulsartest"
)

// guarantees are those that every fault is tried with.
func guarantees() []string { return []string{atLeast, atMost, effectively} }

// disturbed runs one instance on total messages and lets something happen each time
// another part of them has arrived. It returns when everything is settled.
func disturbed(t *testing.T, s *scene, c setting, times int, disturb func(time int, i *child)) {
	t.Helper()
	total := scaled(t, envMessages, 6000)
	flow := s.server.Watch(t, s.out, c.partitions, total)
	feeder := s.server.NewFeeder(t, s.in, c.fill)
	i := s.start(t, 0, 1)
	i.ready(t)
	fed := make(chan struct{})
	go func() { defer close(fed); trickle(t, feeder, total) }()
	for n := range times {
		pulsartest.Eventually(t, "more messages arrive", func() bool {
			i.alive(t)
			// What at-most-once has lost does not arrive any more.
			return flow.Distinct() > total*n/(times+1) || over(fed) && s.server.Backlog(t, s.in, subscription) == 0
		})
		disturb(n, i)
	}
	<-fed
	s.server.Settled(t, s.in, subscription)
	i.alive(t)
	i.drain(t)
	s.judge(t, flow, c)
}

func over(done <-chan struct{}) bool {
	select {
	case <-done:
		return true
	default:
		return false
	}
}

// trickle publishes for some seconds.
func trickle(t *testing.T, f *pulsartest.Feeder, total int) {
	t.Helper()
	const portions = 60
	for p := range portions {
		f.Send(t, total*(p+1)/portions-total*p/portions)
		time.Sleep(30 * time.Millisecond)
	}
}

func partitioned(guarantee string) setting {
	return setting{guarantee: guarantee, mode: wire.Failover, partitions: 2, fill: pulsartest.Fill{PerEntry: 10, Partitions: 2, Keys: 5}}
}

// Topics are unloaded under an instance: producers and consumers are closed by the
// broker, and what was on the way is swallowed by it.
func TestPulsarUnloadedTopics(t *testing.T) {
	server := pulsartest.Need(t)
	for _, guarantee := range guarantees() {
		t.Run(guarantee, func(t *testing.T) {
			t.Parallel()
			c := partitioned(guarantee)
			s := newScene(t, server, c)
			var before, after map[string]float64
			disturbed(t, s, c, 6, func(n int, i *child) {
				topic := s.in
				if n%2 == 1 {
					topic = s.out
				}
				server.Unload(t, topic)
				switch n {
				case 1:
					before = i.gauges(t)
				case 5:
					after = i.gauges(t)
				}
			})
			for name, most := range map[string]float64{"go_goroutines": 30, "process_open_fds": 5} {
				if after[name] > before[name]+most {
					t.Errorf("%s grew from %v to %v over four unloads", name, before[name], after[name])
				}
			}
		})
	}
}

func TestPulsarBrokerRestarts(t *testing.T) {
	t.Parallel()
	server := pulsartest.Own(t)
	for _, guarantee := range guarantees() {
		t.Run(guarantee, func(t *testing.T) {
			c := partitioned(guarantee)
			s := newScene(t, server.Server, c)
			disturbed(t, s, c, 2, func(n int, _ *child) {
				if n == 0 {
					server.Stop(t)
				} else {
					server.Kill(t)
				}
				server.Start(t)
			})
		})
	}
}

// Partitions are added while an instance reads and writes; it finds them by itself.
func TestPulsarPartitionsGrow(t *testing.T) {
	server := pulsartest.Need(t)
	for _, guarantee := range guarantees() {
		t.Run(guarantee, func(t *testing.T) {
			t.Parallel()
			const half = 2000
			c := setting{guarantee: guarantee, mode: wire.Failover, partitions: 2, fill: pulsartest.Fill{PerEntry: 10, Partitions: 2}}
			s := newScene(t, server, c)
			i := s.start(t, 0, 1)
			i.ready(t)
			server.Fill(t, s.in, half, c.fill)
			server.Grow(t, s.in, 4)
			server.Grow(t, s.out, 3)
			c.fill.Partitions, c.fill.From = 4, half
			server.Fill(t, s.in, half, c.fill)
			server.Settled(t, s.in, subscription)
			i.alive(t)
			i.drain(t)
			tally := server.Read(t, s.out, 3, 2*half)
			t.Logf("%s", tally)
			tally.Check(t, bounds(guarantee, c.mode))
		})
	}
}

// Instances come and go while messages flow: one, then four, then two. Order of each
// partition, or of each key, is kept where the mode promises it.
func TestPulsarR4ParallelismChanges(t *testing.T) {
	server := pulsartest.Need(t)
	for _, guarantee := range guarantees() {
		for _, mode := range []wire.Mode{wire.Shared, wire.Failover, wire.KeyShared} {
			if guarantee == effectively && mode != wire.Failover {
				continue // refused: they have no order to number outputs by
			}
			t.Run(guarantee+"/"+string(mode), func(t *testing.T) {
				t.Parallel()
				c := setting{guarantee: guarantee, mode: mode, partitions: 4, fill: pulsartest.Fill{PerEntry: 10, Partitions: 4, Keys: 8, KeyBased: mode == wire.KeyShared}}
				parallelism(t, newScene(t, server, c), c)
			})
		}
	}
}

func parallelism(t *testing.T, s *scene, c setting) {
	t.Helper()
	total := scaled(t, envMessages, 6000)
	flow := s.server.Watch(t, s.out, c.partitions, total)
	feeder := s.server.NewFeeder(t, s.in, c.fill)
	running := []*child{s.start(t, 0, 1)}
	running[0].ready(t)
	fed := make(chan struct{})
	go func() { defer close(fed); trickle(t, feeder, total) }()
	flow.Until(t, total/5)
	for id := 1; id < 4; id++ {
		running = append(running, s.start(t, id, 4))
	}
	for _, i := range running[1:] {
		i.ready(t)
	}
	flow.Until(t, total/2)
	running[3].drain(t)
	running[1].drain(t)
	flow.Until(t, total*3/4)
	running[2].kill()
	<-fed
	s.server.Settled(t, s.in, subscription)
	running[0].drain(t)
	tally := flow.Tally(t)
	t.Logf("%s", tally)
	b := bounds(c.guarantee, c.mode)
	b.Disorder = b.Disorder || c.mode == wire.KeyShared // lanes are keys there
	tally.Check(t, b)
}
