//go:build unix

package nats_test

import (
	"testing"
	"time"

	"github.com/functionmesh/terraform-provider-functionmesh/internal/wire"
	"github.com/functionmesh/terraform-provider-functionmesh/runner/broker/nats/natstest"
	"github.com/functionmesh/terraform-provider-functionmesh/runner/pipeline"
	"github.com/functionmesh/terraform-provider-functionmesh/runner/runnertest"
)

// outage runs both modes, each against a server process of its own, while disturb has
// its way with the servers, and wants everything to arrive.
func outage(t *testing.T, disturb func(*testing.T, []*natstest.Process)) {
	t.Helper()
	total := scaled(20_000)
	var servers []*natstest.Process
	var setups []setup
	var running []*running
	for _, mode := range []wire.Mode{wire.Shared, wire.Failover} {
		server := natstest.Run(t)
		s := killSetup(server.Broker(), mode, "atleast_once")
		s.place(t)
		feed(t, s.Broker, 0, total)
		servers, setups = append(servers, server), append(setups, s)
		running = append(running, s.begin(t, runnertest.Each(runnertest.Echo), nil))
	}
	for _, r := range running {
		eventually(t, "a part is processed", func() bool {
			_, processed, _ := r.counts.Totals()
			return processed > total/10
		})
	}
	disturb(t, servers)
	for i, s := range setups {
		s.wantAll(t, running[i], total)
	}
}

// wantAll waits for everything and then counts.
func (s setup) wantAll(t *testing.T, r *running, total int) {
	t.Helper()
	watch(t, s.Broker, total).until(t, total)
	settled(t, s)
	r.end(t)
	f := &flow{next: map[int]int{}, seen: map[string]int{}}
	f.rest(t, s.Broker)
	t.Logf("%s: %d messages, %d duplicates, %d system, %d source, %d sink failures", s.Mode, total, f.duplicates,
		r.counts.Failures(pipeline.System), r.counts.Failures(pipeline.SourceFailure), r.counts.Failures(pipeline.SinkFailure))
	if len(f.seen) != total {
		t.Errorf("%s: %d of %d messages", s.Mode, len(f.seen), total)
	}
	if s.Mode == wire.Failover && len(f.disorder) > 0 {
		t.Errorf("R4: out of order: %q", f.disorder[:min(5, len(f.disorder))])
	}
}

func TestR1ServerKilledAndRestarted(t *testing.T) {
	t.Parallel()
	outage(t, func(t *testing.T, servers []*natstest.Process) {
		for range 3 {
			for _, p := range servers {
				p.Kill(t)
				p.Start(t)
			}
		}
	})
}

func TestR1ServerFrozen(t *testing.T) {
	t.Parallel()
	pause := 30 * time.Second
	if testing.Short() {
		pause = time.Second
	}
	outage(t, func(t *testing.T, servers []*natstest.Process) {
		for _, p := range servers {
			p.Stop(t)
		}
		time.Sleep(pause) // the outage itself
		for _, p := range servers {
			p.Continue(t)
		}
	})
}
