//go:build unix

package faults_test

import (
	"fmt"
	"path/filepath"
	"testing"
	"time"

	"github.com/functionmesh/terraform-provider-functionmesh/internal/wire"
	"github.com/functionmesh/terraform-provider-functionmesh/runner/broker/pulsar/pulsartest"
)

// Numbers of a kill test: short ones unless the environment asks for more.
const (
	envMessages = "FUNCTIONMESH_KILL_MESSAGES" // up to 1,000,000
	envKills    = "FUNCTIONMESH_KILLS"         // up to 30
)

// bounds are what a guarantee allows, on a subscription of a mode.
func bounds(guarantee string, mode wire.Mode) pulsartest.Bounds {
	shared := mode == wire.Shared
	switch guarantee {
	case atMost:
		return pulsartest.Bounds{Loss: true, Disorder: shared, KeyDisorder: shared}
	case effectively:
		return pulsartest.Bounds{}
	}
	return pulsartest.Bounds{Duplicates: true, Disorder: shared, KeyDisorder: shared}
}

// modeOf is the subscription that a guarantee is tested with.
func modeOf(guarantee string, partitions int) wire.Mode {
	switch {
	case guarantee == effectively:
		return wire.Failover
	case partitions == 0:
		return wire.Shared
	}
	return wire.Failover
}

func TestPulsarR1KillNineLosesNothing(t *testing.T)           { killNine(t, atLeast) }
func TestPulsarR2KillNineDuplicatesNothing(t *testing.T)      { killNine(t, atMost) }
func TestPulsarR3KillNineLosesAndDoublesNothing(t *testing.T) { killNine(t, effectively) }

func killNine(t *testing.T, guarantee string) {
	t.Helper()
	server := pulsartest.Need(t)
	run := func(name string, c setting) {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			killed(t, server, c)
		})
	}
	inGo := function(t, "go", build(t, "echo"), "")
	// What dies with the instance: nothing, a process of Go, one of Python.
	code := map[int]*wire.Function{10: inGo, 100: function(t, "python", absolute(t, "testdata/echo.py"), "echo")}
	for _, per := range []int{1, 10, 100} {
		for _, partitions := range []int{0, 3} {
			run(fmt.Sprintf("PerEntry%dPartitions%d", per, partitions), setting{
				guarantee: guarantee, mode: modeOf(guarantee, partitions), partitions: partitions, code: code[per],
				fill: pulsartest.Fill{PerEntry: per, Partitions: partitions, Keys: 5},
			})
		}
	}
	if guarantee == effectively {
		return
	}
	run("Compatible", setting{
		guarantee: guarantee, mode: modeOf(guarantee, 3), path: wire.CompatiblePath, partitions: 3, code: inGo,
		fill: pulsartest.Fill{PerEntry: 10, Partitions: 3, Keys: 5},
	})
	if guarantee == atLeast {
		byHand := *inGo
		byHand.UserConfig = `{"by_hand":true}`
		run("Manual", setting{
			guarantee: manual, mode: wire.Shared, code: &byHand, fill: pulsartest.Fill{PerEntry: 10, Keys: 5},
		})
	}
}

func absolute(t *testing.T, path string) string {
	t.Helper()
	abs, err := filepath.Abs(path)
	if err != nil {
		t.Fatal(err)
	}
	return abs
}

// killed runs a component whose instance is killed again and again while messages flow,
// and counts what arrived.
func killed(t *testing.T, server *pulsartest.Server, c setting) {
	t.Helper()
	total, kills := scaled(t, envMessages, 6000), scaled(t, envKills, 3)
	s := newScene(t, server, c)
	flow := server.Watch(t, s.out, c.partitions, total)
	feeder := server.NewFeeder(t, s.in, c.fill)
	per := total / kills
	for round := range kills {
		i := s.start(t, 0, 1)
		i.ready(t)
		seen := flow.Distinct()
		fed := make(chan struct{})
		go func() { defer close(fed); feedSlowly(t, feeder, per) }()
		flow.Until(t, seen+per*(1+round%5)/8)
		time.Sleep(time.Duration(round%7) * 300 * time.Microsecond) // another point of a batch each time
		i.kill()
		<-fed
	}
	feeder.Send(t, total-feeder.Sent())
	s.finish(t, flow, c)
}

// feedSlowly publishes in portions, so that the instance is never idle for long and
// never done.
func feedSlowly(t *testing.T, f *pulsartest.Feeder, n int) {
	t.Helper()
	const portions = 20
	for p := range portions {
		f.Send(t, n*(p+1)/portions-n*p/portions)
	}
}

// finish lets one more instance do the rest and judges what arrived.
func (s *scene) finish(t *testing.T, flow *pulsartest.Flow, c setting) {
	t.Helper()
	i := s.start(t, 0, 1)
	i.ready(t)
	s.server.Settled(t, s.in, subscription)
	i.drain(t)
	s.judge(t, flow, c)
}

func (s *scene) judge(t *testing.T, flow *pulsartest.Flow, c setting) {
	t.Helper()
	// The feeder is no part of what is judged: what it stored is.
	if fed := s.server.Read(t, s.in, c.fill.Partitions, flow.Total()); fed.Lost()+fed.Duplicated > 0 {
		t.Fatalf("the input itself is wrong: %s %v", fed, fed.Examples)
	}
	flow.Stop()
	// The server of the scene is asked, not one that a test has just taken away.
	tally := s.server.Read(t, s.out, c.partitions, flow.Total())
	t.Logf("%s", tally)
	gone := 0
	for n := range tally.Total {
		if flow.Seen(n) > 0 && tally.Seen(n) == 0 {
			gone++
		}
	}
	if gone > 0 {
		t.Errorf("the broker itself has lost %d messages: they were read from it before", gone)
	}
	tally.Check(t, bounds(c.guarantee, c.mode))
	if tally.Distinct < tally.Total/4 {
		t.Errorf("only %d of %d messages arrived", tally.Distinct, tally.Total)
	}
	if dead := s.server.ReadAll(t, s.dead, 0); len(dead) > 0 {
		t.Errorf("%d messages were dead-lettered, the first because of %v", len(dead), dead[0].Properties)
	}
}
