//go:build unix

package nats_test

import (
	"testing"

	"github.com/functionmesh/terraform-provider-functionmesh/internal/wire"
	"github.com/functionmesh/terraform-provider-functionmesh/runner/broker/nats/natstest"
)

func TestR7SigtermMidBatchLosesAndDoublesNothing(t *testing.T) {
	t.Parallel()
	total, rounds := scaled(50_000), 5
	for _, mode := range []wire.Mode{wire.Shared, wire.Failover} {
		t.Run(string(mode), func(t *testing.T) {
			t.Parallel()
			s := killSetup(natstest.Start(t), mode, "atleast_once")
			s.place(t)
			f := watch(t, s.Broker, total)
			feed(t, s.Broker, 0, total)
			for range rounds {
				i := s.start(t)
				f.until(t, min(len(f.seen)+total/(2*rounds), total))
				i.drain(t)
				f.sync(t, s.Broker)
			}
			i := s.start(t)
			f.until(t, total)
			settled(t, s)
			i.drain(t)
			f.rest(t, s.Broker)
			if len(f.seen) != total || f.duplicates > 0 {
				t.Errorf("%d lost, %d duplicated of %d", total-len(f.seen), f.duplicates, total)
			}
			if mode == wire.Failover && len(f.disorder) > 0 {
				t.Errorf("R4: out of order: %q", f.disorder[:min(5, len(f.disorder))])
			}
		})
	}
}
