//go:build unix

package main

import (
	"fmt"
	"slices"
	"strconv"
	"time"

	"github.com/functionmesh/terraform-provider-functionmesh/runner/broker/pulsar/pulsartest"
)

// settleDown is how long an idle instance is left alone before it is looked at.
const settleDown = 10 * time.Second

// idleMost is what the runner may hold when it has nothing to do, in MB.
const idleMost = 30

// idle measures the memory of instances that have nothing to do.
func idle(b *bench) []section {
	s := section{
		title:  "Memory of an idle instance",
		text:   fmt.Sprintf("Resident, in MB, %s after the instance became ready on an empty topic. The goal is for the runner's own process; the interpreter or program of\nuser code is beside it.", settleDown),
		header: []string{"", "runner", "with the process of user code", "goal"},
	}
	all := []contender{{name: "no function", guarantee: atLeast}, {name: "Go", runtime: "go", guarantee: atLeast}, {name: "WASM", runtime: "wasm", guarantee: atLeast}, {name: "Python", runtime: "python", class: "echo.plain", guarantee: atLeast}}
	b.start(all[2], b.idleFlow()).kill() // what it compiles is found by later starts
	var running []*process
	for _, c := range all {
		running = append(running, b.start(c, b.idleFlow()))
	}
	time.Sleep(settleDown)
	for i, c := range all {
		p := running[i]
		p.alive()
		both, own := float64(residentOf(p.cmd.Process.Pid))/1e6, float64(residentOfOne(p.cmd.Process.Pid))/1e6
		p.kill()
		s.rows = append(s.rows, []string{c.name, number(own, 1), number(both, 1), verdict(own < idleMost, fmt.Sprintf("< %d", idleMost), number(own, 1))})
	}
	return []section{s}
}

func (b *bench) idleFlow() flow {
	b.runs++
	f := flow{in: b.plain.Topic(b.t, fmt.Sprint("idle-in-", b.runs), 0), out: b.plain.Topic(b.t, fmt.Sprint("idle-out-", b.runs), 0), subscription: "idle"}
	b.server.Subscribe(b.t, f.in, f.subscription, "earliest")
	return f
}

// soakPortion is what the soak publishes at a time.
const soakPortion = 5000

// soakGrowth is how much more memory the second half of a soak may see than the first.
const soakGrowth = 1.05

// soak runs one function for long and looks at its memory.
func soak(b *bench) []section {
	s := section{
		title:  "Soak",
		header: []string{"after", "messages", "RSS MB: lowest", "median", "highest"},
	}
	b.runs++
	f := flow{in: b.plain.Topic(b.t, fmt.Sprint("soak-in-", b.runs), 0), out: b.plain.Topic(b.t, fmt.Sprint("soak-out-", b.runs), 0), subscription: "soak"}
	b.server.Subscribe(b.t, f.in, f.subscription, "earliest")
	p := b.start(contender{name: runnerGo, runtime: "go", guarantee: atLeast}, f)
	defer p.kill()
	feeder := b.server.NewFeeder(b.t, f.in, pulsartest.Fill{PerEntry: 100, Size: messageSize})
	feeder.Send(b.t, soakPortion)
	tenths, sent := make([][]float64, 10), make([]int, 10)
	for begin := time.Now(); time.Since(begin) < b.soak; time.Sleep(50 * time.Millisecond) {
		at := min(int(10*time.Since(begin)/b.soak), 9)
		feeder.Send(b.t, soakPortion)
		p.alive()
		tenths[at], sent[at] = append(tenths[at], float64(residentOf(p.cmd.Process.Pid))/1e6), feeder.Sent()
	}
	for at, rss := range tenths {
		if len(rss) > 0 { // else publishing took as long as that
			low, high := span(rss, same)
			s.rows = append(s.rows, []string{(b.soak * time.Duration(at+1) / 10).String(), strconv.Itoa(sent[at]), number(low, 1), number(median(rss, same), 1), number(high, 1)})
		}
	}
	b.server.Settled(b.t, f.in, f.subscription)
	if got := b.outputs(f.out, feeder.Sent()); got.distinct != feeder.Sent() || got.changed > 0 {
		b.t.Errorf("soak: of %d messages there are %s", feeder.Sent(), got)
	}
	first, second := median(slices.Concat(tenths[1:5]...), same), median(slices.Concat(tenths[5:]...), same)
	s.text = fmt.Sprintf("The runner with a Go function, %d messages every 50 ms and what publishing them takes, for %s: resident memory of all its processes, tenth by tenth. Every output was read back.\n\n"+
		"Goal: flat. That is the median of the second half against that of the first without its first tenth, %s", soakPortion, b.soak,
		verdict(second <= soakGrowth*first, "at most "+number(soakGrowth, 2)+"x", number(second/first, 3)+"x"))
	return []section{s}
}

func same(v float64) float64 { return v }
