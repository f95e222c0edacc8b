//go:build unix

package main

import (
	"fmt"
	"os"
	"time"

	"github.com/functionmesh/terraform-provider-functionmesh/runner/broker/pulsar/pulsartest"
)

// settleDown is how long an idle instance is left alone before it is looked at.
const settleDown = 10 * time.Second

// idle measures the memory of an instance that has nothing to do.
func idle(b *bench) section {
	s := section{
		title:  "Memory of an idle instance",
		text:   fmt.Sprintf("Resident, all processes of the instance, %s after it became ready on an empty topic.\n\nGoal: less than 30 MB for the runner itself.", settleDown),
		header: []string{"", "runner MB", "with its worker MB"},
	}
	for _, c := range []contender{{name: "no function", guarantee: atLeast}, {name: "Go", runtime: "go", guarantee: atLeast}, {name: "WASM", runtime: "wasm", guarantee: atLeast}, {name: "Python", runtime: "python", class: "echo.plain", guarantee: atLeast}} {
		b.runs++
		f := flow{in: b.plain.Topic(b.t, fmt.Sprint("idle-in-", b.runs), 0), out: b.plain.Topic(b.t, fmt.Sprint("idle-out-", b.runs), 0), subscription: "idle"}
		b.server.Subscribe(b.t, f.in, f.subscription, "earliest")
		p := b.start(c, f)
		time.Sleep(settleDown)
		all, own := residentOf(p.cmd.Process.Pid), residentOfOne(p.cmd.Process.Pid)
		p.kill()
		s.rows = append(s.rows, []string{c.name, number(float64(own)/1e6, 1), number(float64(all)/1e6, 1)})
	}
	return s
}

// soakPortion is what the soak publishes at a time.
const soakPortion = 5000

// soak runs one function for long and looks at its memory.
func soak(b *bench) section {
	s := section{
		title:  "Soak",
		text:   fmt.Sprintf("The runner with a Go function under load for %s: resident memory of all its processes, in tenths of the time.\n\nGoal: flat.", b.soak),
		header: []string{"after", "messages", "RSS MB"},
	}
	b.runs++
	f := flow{in: b.plain.Topic(b.t, fmt.Sprint("soak-in-", b.runs), 0), out: b.plain.Topic(b.t, fmt.Sprint("soak-out-", b.runs), 0), subscription: "soak"}
	b.server.Subscribe(b.t, f.in, f.subscription, "earliest")
	p := b.start(contender{name: "runner, Go", runtime: "go", guarantee: atLeast}, f)
	defer p.kill()
	feeder := b.server.NewFeeder(b.t, f.in, pulsartest.Fill{PerEntry: 100, Size: messageSize})
	begin, next := time.Now(), 1
	for time.Since(begin) < b.soak {
		feeder.Send(b.t, soakPortion)
		p.alive()
		if since := time.Since(begin); since >= b.soak*time.Duration(next)/10 {
			held := residentOf(p.cmd.Process.Pid)
			fmt.Fprintf(os.Stderr, "soak %s: %d messages, %.1f MB\n", since.Round(time.Second), feeder.Sent(), float64(held)/1e6)
			s.rows = append(s.rows, []string{since.Round(time.Second).String(), fmt.Sprint(feeder.Sent()), number(float64(held)/1e6, 1)})
			next++
		}
		time.Sleep(50 * time.Millisecond)
	}
	b.server.Settled(b.t, f.in, f.subscription)
	tally := b.server.Read(b.t, f.out, 0, feeder.Sent())
	if tally.Lost()+tally.Strange > 0 {
		b.t.Fatalf("soak: %s %v", tally, tally.Examples)
	}
	return s
}
