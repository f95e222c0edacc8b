//go:build unix

package main

import (
	"fmt"
	"os"
	"time"

	"github.com/functionmesh/terraform-provider-functionmesh/runner/broker/pulsar/pulsartest"
)

// shape is how the input is laid out in entries.
type shape struct {
	name     string
	perEntry int
	share    int // of the messages of a run, one in so many: single ones take long
}

func shapes() []shape {
	return []shape{{"100 per entry", 100, 1}, {"1000 per entry", 1000, 1}, {"unbatched", 1, 10}}
}

// figure is one run of one contender.
type figure struct {
	cpu      float64 // ns a message, all processes of the contender
	rate     float64 // messages a second
	resident float64 // MiB, at the end
}

// cost compares what a message costs.
func cost(b *bench) section {
	s := section{
		title: "CPU of one message, and throughput",
		text: fmt.Sprintf("Messages of %d bytes from topic to topic, uncompressed, one partition, prefilled with %d of them (a tenth of that unbatched), on a broker that shares the\n"+
			"machine. CPU, user and system, of all processes of the contender, from ready to the last output; throughput from ready to the last output stored.\n"+
			"Every output was read back and checked: each message once, none missing, none changed. Medians of %d runs, interleaved.\n\n"+
			"Goals: Go at most 0.25 µs and a throughput of 0.9 of the bare copier's; WASM at most 0.15 µs over Go; Python at most 0.6 µs over Go plain at 1000 per entry, 1.5 µs with Context;\nunbatched not worse than pulsar-client-go.",
			messageSize, b.messages, b.repeat),
		header: []string{"", "input", "CPU ns/message", "lowest to highest", "against the copier", "against pulsar-client-go", "messages/s", "of the copier's", "RSS MiB"},
	}
	for _, shape := range shapes() {
		s.rows = append(s.rows, b.compare(shape)...)
	}
	return s
}

// compare lets every contender read the same topic, again and again.
func (b *bench) compare(shape shape) [][]string {
	n := max(b.messages/shape.share, 1000)
	in := b.plain.Topic(b.t, fmt.Sprint("in-", shape.perEntry), 0)
	b.server.Fill(b.t, in, n, pulsartest.Fill{PerEntry: shape.perEntry, Size: messageSize})
	figures := map[string][]figure{}
	for _, c := range contenders() { // unmeasured: broker, caches and what WASM is compiled to are warm after it
		b.once(c, shape, in, n)
	}
	for range b.repeat {
		for _, c := range contenders() { // interleaved, so that a busy moment hits all alike
			f := b.once(c, shape, in, n)
			fmt.Fprintf(os.Stderr, "%-15s %-36s %7.0f ns %10.0f msg/s %5.0f MiB\n", shape.name, c.name, f.cpu, f.rate, f.resident)
			figures[c.name] = append(figures[c.name], f)
		}
	}
	all := contenders()
	cpu := func(f figure) float64 { return f.cpu }
	rate := func(f figure) float64 { return f.rate }
	copier, goClient := figures[all[0].name], figures[all[1].name]
	var rows [][]string
	for _, c := range all {
		f := figures[c.name]
		low, high := span(f, cpu)
		rows = append(rows, []string{
			c.name, shape.name, number(median(f, cpu), 0), number(low, 0) + " to " + number(high, 0),
			number(median(f, cpu)/median(copier, cpu), 2) + "x", number(median(goClient, cpu)/median(f, cpu), 1) + "x less",
			number(median(f, rate), 0), number(median(f, rate)/median(copier, rate), 2),
			number(median(f, func(f figure) float64 { return f.resident }), 0),
		})
	}
	return rows
}

// once runs one contender over a filled topic and checks what it wrote.
func (b *bench) once(c contender, shape shape, in string, n int) figure {
	b.runs++
	name, space := fmt.Sprintf("out-%d-%d", shape.perEntry, b.runs), b.plain
	if c.guarantee == effectively {
		space = b.dedup
	}
	f := flow{in: in, out: space.Topic(b.t, name, 0), subscription: fmt.Sprint("run-", b.runs)}
	b.server.Subscribe(b.t, in, f.subscription, "earliest")
	p := b.start(c, f)
	before, begin := b.cpu(p), time.Now()
	for b.server.Sent(b.t, f.out) < int64(n) {
		p.alive()
		if time.Since(begin) > 10*time.Minute {
			b.t.Fatalf("%s does not come to an end", c.name)
		}
		time.Sleep(5 * time.Millisecond)
	}
	took, used, held := time.Since(begin), b.cpu(p)-before, residentOf(p.cmd.Process.Pid)
	b.server.Settled(b.t, in, f.subscription)
	p.kill()
	if tally := b.server.Read(b.t, f.out, 0, n); tally.Lost()+tally.Duplicated+tally.Strange+tally.Reordered > 0 {
		b.t.Fatalf("%s: %s %v", c.name, tally, tally.Examples)
	}
	b.server.Delete(b.t, f.out)
	b.server.Unsubscribe(b.t, in, f.subscription)
	return figure{cpu: float64(used.Nanoseconds()) / float64(n), rate: float64(n) / took.Seconds(), resident: float64(held) / (1 << 20)}
}

func (b *bench) cpu(p *process) time.Duration {
	used, err := cpuOf(p.cmd.Process.Pid)
	if err != nil {
		b.t.Fatal(err)
	}
	return used
}
