//go:build unix

package faults_test

import (
	"fmt"
	"testing"

	"github.com/functionmesh/terraform-provider-functionmesh/internal/wire"
	"github.com/functionmesh/terraform-provider-functionmesh/runner/broker/pulsar/pulsartest"
)

// R4: messages that fail at first, and a broker that delivers again what it was not told
// of, change no order: first results are in that of the input, of a partition or of a key.
func TestPulsarR4RedeliveryKeepsOrder(t *testing.T) {
	server := pulsartest.Need(t)
	code := build(t, "late")
	for _, path := range []wire.Path{wire.EntryPath, wire.CompatiblePath} {
		for _, mode := range []wire.Mode{wire.Failover, wire.KeyShared} {
			for _, per := range []int{1, 20} {
				t.Run(fmt.Sprintf("%s-%s-%d", path, mode, per), func(t *testing.T) {
					t.Parallel()
					redelivered(t, server, code, setting{
						guarantee: atLeast, mode: mode, path: path, partitions: 2,
						fill: pulsartest.Fill{PerEntry: per, Partitions: 2, Keys: 5, KeyBased: mode == wire.KeyShared},
					})
				})
			}
		}
	}
}

func redelivered(t *testing.T, server *pulsartest.Server, code string, c setting) {
	t.Helper()
	const total, failures = 1000, 215 // 143 numbers fail, 72 of them once more
	s := newScene(t, server, c)
	s.file.Function = function(t, "go", code, "")
	s.file.Delivery.MaxRetries = 5
	s.file.Source.Subscription.NackDelayMs = 300 // so that one which came again later than it should came at all
	server.Fill(t, s.in, total, c.fill)
	flow := server.Watch(t, s.out, c.partitions, total)
	i := s.start(t, 0, 1)
	i.ready(t)
	flow.Until(t, total/5)
	server.Unload(t, s.in)
	flow.Until(t, total)
	server.Settled(t, s.in, subscription)
	if status, _ := i.status(t); status.UserExceptions != failures {
		t.Errorf("%d attempts failed, want %d", status.UserExceptions, failures)
	}
	i.drain(t)
	tally := flow.Tally(t)
	t.Log(tally)
	tally.Check(t, pulsartest.Bounds{Duplicates: true, Disorder: c.mode == wire.KeyShared})
	if dead := server.ReadAll(t, s.dead, 0); len(dead) > 0 {
		t.Errorf("%d messages became dead letters", len(dead))
	}
}
