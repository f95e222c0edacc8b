//go:build unix

package main

import (
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"
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
	return []shape{{"100 per entry", 100, 1}, {"1000 per entry", 1000, 1}, {"unbatched", 1, 25}}
}

// contenders are those that are compared.
func (b *bench) contenders() []contender {
	return slices.DeleteFunc(contenders(), func(c contender) bool {
		return c.name != bareCopier && !strings.Contains(c.name, b.match)
	})
}

// most is how many messages a contender gets.
func (b *bench) most(c contender, s shape) int {
	n := b.messages / s.share
	if s.batched() {
		n /= max(c.part, 1)
	} else if c.official == pythonRuntime {
		n = min(n, b.messages/c.part)
	}
	return max(n/1000, 2) * 1000
}

// figure is one run of one contender.
type figure struct {
	cpu      float64 // ns a message, all processes of the contender
	rate     float64 // messages a second
	resident float64 // MiB, at the end
	wrong    string  // with its outputs; "": nothing
}

// cost compares what a message costs, one table for each way to lay the input out.
func cost(b *bench) []section {
	var all []section
	for i, shape := range shapes() {
		if b.perEntry != 0 && b.perEntry != shape.perEntry {
			continue
		}
		s := section{
			title:  "CPU of one message, and throughput: " + shape.name,
			header: []string{"", "messages", "CPU ns/message", "lowest to highest", "of the copier's", "pulsar-client-go's is", "official Java's is", "messages/s", "of the copier's", "RSS MiB", "outputs", "goals"},
		}
		if i == 0 {
			s.text = b.explainCost()
		}
		s.rows = b.compare(shape)
		all = append(all, s)
	}
	return all
}

func (b *bench) explainCost() string {
	return fmt.Sprintf("Messages of %d bytes from topic to topic, uncompressed, one partition, prefilled, on a broker that shares the machine. CPU, user and system, is that of all\n"+
		"processes of the contender, from ready to the last output; throughput is from ready to the last output that the broker counts. Of the official instances the start is left out:\n"+
		"of Java the first half of its messages, so that what is measured is compiled; of Python a tenth. The official instances and the runner add two properties to every output\n"+
		"(the input's topic and id), which the copier and the Go client's loop do not. Every output of every run was read back and compared byte by byte: each message once, in order,\n"+
		"none missing, none changed. Medians of %d runs, the contenders in turn. In the column of goals CPU is in ns per message; rows without an entry have none.", messageSize, b.repeat)
}

// compare lets every contender read the same input, again and again.
func (b *bench) compare(shape shape) [][]string {
	inputs := map[int]string{}
	for _, c := range b.contenders() {
		n := b.most(c, shape)
		if inputs[n] == "" {
			inputs[n] = b.plain.Topic(b.t, fmt.Sprintf("in-%d-%d", shape.perEntry, n), 0)
			b.server.Fill(b.t, inputs[n], n, pulsartest.Fill{PerEntry: shape.perEntry, Size: messageSize})
		}
	}
	for _, c := range b.contenders() { // unmeasured: broker, caches and what WASM is compiled to are warm after it
		if c.official == "" {
			b.once(c, shape, inputs[b.most(c, shape)])
		}
	}
	figures := map[string][]figure{}
	for range b.repeat {
		for _, c := range b.contenders() { // in turn, so that a busy moment hits all alike
			f := b.once(c, shape, inputs[b.most(c, shape)])
			fmt.Fprintf(os.Stderr, "%-15s %-36s %7.0f ns %10.0f msg/s %5.0f MiB\n", shape.name, c.name, f.cpu, f.rate, f.resident)
			figures[c.name] = append(figures[c.name], f)
		}
	}
	return b.rows(shape, figures)
}

func (b *bench) rows(shape shape, figures map[string][]figure) [][]string {
	cpu := func(f figure) float64 { return f.cpu }
	of := map[string]medians{}
	for name, f := range figures {
		of[name] = medians{
			cpu: median(f, cpu), rate: median(f, func(f figure) float64 { return f.rate }),
			resident: median(f, func(f figure) float64 { return f.resident }),
		}
	}
	var rows [][]string
	for _, c := range b.contenders() {
		m := of[c.name]
		low, high := span(figures[c.name], cpu)
		rows = append(rows, []string{
			c.name, strconv.Itoa(b.most(c, shape)), number(m.cpu, 0), number(low, 0) + " to " + number(high, 0),
			number(m.cpu/of[bareCopier].cpu, 2) + "x", number(of[goClient].cpu/m.cpu, 1) + "x", number(of[officialJava].cpu/m.cpu, 1) + "x",
			number(m.rate, 0), number(m.rate/of[bareCopier].rate, 2), number(m.resident, 0), outputs(figures[c.name]), judge(c.goals, shape, m, of),
		})
	}
	return rows
}

// outputs says whether those of all runs were exact.
func outputs(runs []figure) string {
	for _, f := range runs {
		if f.wrong != "" {
			return "**" + f.wrong + "**"
		}
	}
	return "exact"
}

// once runs one contender over a filled topic and checks what it wrote.
func (b *bench) once(c contender, shape shape, in string) figure {
	b.runs++
	n, space := b.most(c, shape), b.plain
	if c.guarantee == effectively {
		space = b.dedup
	}
	f := flow{in: in, out: space.Topic(b.t, fmt.Sprintf("out-%d-%d", shape.perEntry, b.runs), 0), subscription: fmt.Sprint("run-", b.runs)}
	b.server.Subscribe(b.t, in, f.subscription, "earliest")
	p := b.start(c, f)
	from := b.moment(p, 0)
	if c.warm > 0 {
		from = b.moment(p, b.sent(p, f.out, int(c.warm*float64(n))))
	}
	to := b.moment(p, b.sent(p, f.out, n))
	held := residentOf(p.cmd.Process.Pid)
	b.server.Settled(b.t, in, f.subscription)
	p.kill()
	wrong := ""
	if got := b.outputs(f.out, n); !got.exact(n) {
		wrong = fmt.Sprintf("of %d messages there are %s", n, got)
		b.t.Errorf("%s, %s: %s", c.name, shape.name, wrong)
	}
	b.server.Delete(b.t, f.out)
	b.server.Unsubscribe(b.t, in, f.subscription)
	done := float64(to.sent - from.sent)
	return figure{cpu: float64((to.used - from.used).Nanoseconds()) / done, rate: done / to.at.Sub(from.at).Seconds(), resident: float64(held) / (1 << 20), wrong: wrong}
}

// moment is how far a contender is.
type moment struct {
	at   time.Time
	used time.Duration
	sent int64
}

func (b *bench) moment(p *process, sent int64) moment {
	used, err := cpuOf(p.cmd.Process.Pid)
	if err != nil {
		b.t.Fatal(err)
	}
	return moment{at: time.Now(), used: used, sent: sent}
}

// sent waits until a topic was sent n messages, and returns how many it were.
func (b *bench) sent(p *process, topic string, n int) int64 {
	for begin := time.Now(); ; time.Sleep(5 * time.Millisecond) {
		if sent := b.server.Sent(b.t, topic); sent >= int64(n) {
			return sent
		}
		p.alive()
		if time.Since(begin) > 3*time.Minute {
			b.t.Fatalf("%s does not come to an end", p.name)
		}
	}
}
