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

// outage runs both modes against a server process of their own while disturb has its
// way with it, and wants everything to arrive.
func outage(t *testing.T, disturb func(*testing.T, *natstest.Process)) {
	t.Helper()
	total := scaled(20_000)
	for _, mode := range []wire.Mode{wire.Shared, wire.Failover} {
		t.Run(string(mode), func(t *testing.T) {
			t.Parallel()
			server := natstest.Run(t)
			s := killSetup(server.Broker(), mode, "atleast_once")
			s.place(t)
			feed(t, s.Broker, 0, total)
			r := s.begin(t, runnertest.Each(runnertest.Echo), nil)
			eventually(t, "half is processed", func() bool {
				_, processed, _ := r.counts.Totals()
				return processed > total/4
			})
			disturb(t, server)
			watch(t, s.Broker, total).until(t, total)
			settled(t, s)
			r.end(t)
			f := &flow{next: map[int]int{}, seen: map[string]int{}}
			f.rest(t, s.Broker)
			t.Logf("%d messages: %d duplicates, %d system, %d source, %d sink failures", total, f.duplicates,
				r.counts.Failures(pipeline.System), r.counts.Failures(pipeline.SourceFailure), r.counts.Failures(pipeline.SinkFailure))
			if len(f.seen) != total {
				t.Errorf("%d of %d messages", len(f.seen), total)
			}
			if mode == wire.Failover && len(f.disorder) > 0 {
				t.Errorf("R4: out of order: %q", f.disorder[:min(5, len(f.disorder))])
			}
		})
	}
}

func TestR1ServerKilledAndRestarted(t *testing.T) {
	outage(t, func(t *testing.T, p *natstest.Process) {
		for range 3 {
			p.Kill(t)
			p.Start(t)
		}
	})
}

func TestR1ServerFrozen(t *testing.T) {
	pause := 30 * time.Second
	if testing.Short() {
		pause = time.Second
	}
	outage(t, func(t *testing.T, p *natstest.Process) {
		p.Stop(t)
		time.Sleep(pause) // the outage itself
		p.Continue(t)
	})
}
