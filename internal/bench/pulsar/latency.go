//go:build unix

package main

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"slices"
	"time"

	"github.com/functionmesh/terraform-provider-functionmesh/internal/wire"
	"github.com/functionmesh/terraform-provider-functionmesh/runner/broker/pulsar/conn"
	"github.com/functionmesh/terraform-provider-functionmesh/runner/broker/pulsar/entry"
	"github.com/functionmesh/terraform-provider-functionmesh/runner/broker/pulsar/publisher"
	"github.com/functionmesh/terraform-provider-functionmesh/runner/broker/pulsar/subscription"
)

// perSecond is the load that latency is measured at.
const perSecond = 1000

// delays are the percentiles of one run, in ms.
type delays struct{ p50, p99 float64 }

// latency compares how long a message takes from before it is published to the input to
// when it is read from the output.
func latency(b *bench) []section {
	s := section{
		title:  "Latency",
		text:   fmt.Sprintf("%d messages of %d bytes a second, each published alone, from before the publishing to the reading of the output, which one process does for all.\nMedians of %d runs of %s, interleaved.", perSecond, messageSize, b.repeat, b.latency),
		header: []string{"", "p50 ms", "of the copier's", "p99 ms", "of the copier's", "goals"},
	}
	all := []contender{{name: bareCopier, role: copierRole}, {name: goClient, role: clientRole}, {name: runnerGo, runtime: "go", guarantee: atLeast}, {name: "runner, WASM", runtime: "wasm", guarantee: atLeast}, {name: "runner, Python", runtime: "python", class: "echo.plain", guarantee: atLeast}}
	found := map[string][]delays{}
	b.delay(all[0]) // unmeasured: what a broker does for the first time takes longest
	for range b.repeat {
		for _, c := range all {
			d := b.delay(c)
			fmt.Fprintf(os.Stderr, "latency %-36s p50 %.2f ms p99 %.2f ms\n", c.name, d.p50, d.p99)
			found[c.name] = append(found[c.name], d)
		}
	}
	p50 := func(d delays) float64 { return d.p50 }
	p99 := func(d delays) float64 { return d.p99 }
	bare := found[all[0].name]
	for _, c := range all {
		d := found[c.name]
		half, most, goals := median(d, p50)/median(bare, p50), median(d, p99)/median(bare, p99), ""
		if c.role == "" {
			goals = verdict(half <= 1.2, "p50 ≤ 1.2x", number(half, 2)+"x") + "; " + verdict(most <= 2, "p99 ≤ 2x", number(most, 2)+"x")
		}
		s.rows = append(s.rows, []string{c.name, number(median(d, p50), 2), number(half, 2) + "x", number(median(d, p99), 2), number(most, 2) + "x", goals})
	}
	return []section{s}
}

// delay is one run.
func (b *bench) delay(c contender) delays {
	b.runs++
	f := flow{in: b.plain.Topic(b.t, fmt.Sprint("lat-in-", b.runs), 0), out: b.plain.Topic(b.t, fmt.Sprint("lat-out-", b.runs), 0), subscription: "latency"}
	b.server.Subscribe(b.t, f.in, f.subscription, "earliest")
	p := b.start(c, f)
	defer p.kill()
	client, err := conn.New(wire.Broker{Kind: "pulsar", URL: b.server.URL}, conn.Options{})
	if err != nil {
		b.t.Fatal(err)
	}
	defer func() { _ = client.Close() }()
	warm := int(time.Second.Seconds() * perSecond)
	total := warm + int(b.latency.Seconds()*perSecond)
	results := make(chan []time.Duration, 1)
	failed := make(chan error, 2)
	ctx, cancel := context.WithTimeout(b.t.Context(), b.latency+time.Minute)
	defer cancel()
	s, err := subscription.Open(ctx, subscription.Options{Client: client, Topic: f.out, Name: "measure", Mode: wire.Exclusive, Earliest: true})
	if err != nil {
		b.t.Fatal(err)
	}
	go func() { all, err := arrivals(ctx, s, total); results <- all; failed <- err }()
	go func() { failed <- publish(ctx, client, f.in, total) }()
	err = errors.Join(<-failed, <-failed)
	all := <-results
	if err = errors.Join(err, s.Close(b.t.Context())); err != nil {
		b.t.Fatalf("latency of %s: %v\n%s", c.name, err, p.log.String())
	}
	all = all[warm:]
	slices.Sort(all)
	at := func(q float64) float64 {
		return float64(all[int(q*float64(len(all)-1))].Microseconds()) / 1000
	}
	return delays{p50: at(.5), p99: at(.99)}
}

// publish sends messages one by one at the rate, each with its time inside.
func publish(ctx context.Context, client *conn.Client, topic string, total int) error {
	p, err := publisher.Open(ctx, publisher.Options{Client: client, Topic: topic})
	if err != nil {
		return err
	}
	enc, value := entry.Encoder{Pool: &entry.Pool{}}, make([]byte, messageSize)
	begin := time.Now()
	for n := range total {
		time.Sleep(time.Until(begin.Add(time.Duration(n) * time.Second / perSecond)))
		now := time.Now()
		binary.BigEndian.PutUint64(value, uint64(now.UnixNano()))
		enc.Begin(entry.Header{Producer: p.Name(), Numbered: true, PublishTime: now.UnixMilli(), Sequence: uint64(n)})
		enc.Append(&entry.Message{Value: value})
		out, err := enc.Finish()
		if err != nil {
			return err
		}
		if _, err := p.Send(ctx, out); err != nil {
			return err
		}
	}
	return p.Close(ctx)
}

// arrivals reads so many messages and tells how old each was.
func arrivals(ctx context.Context, s *subscription.Subscription, total int) ([]time.Duration, error) {
	all, m := make([]time.Duration, 0, total), entry.Message{}
	for len(all) < total {
		d, err := s.Receive(ctx)
		if err != nil {
			return nil, fmt.Errorf("%d of %d messages arrived: %w", len(all), total, err)
		}
		now := time.Now().UnixNano()
		for w := d.Entry.Messages(); w.Next(&m); {
			all = append(all, time.Duration(now-int64(binary.BigEndian.Uint64(m.Value)))) //nolint:gosec // written above
		}
		if err := s.Ack(ctx, []subscription.Ack{{ID: d.ID}}, false); err != nil {
			return nil, err
		}
		d.Release()
	}
	return all, nil
}
