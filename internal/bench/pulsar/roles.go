//go:build unix

package main

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"os"
	"os/signal"
	"syscall"
	"time"

	pulsario "github.com/apache/pulsar-client-go/pulsar"
	"github.com/apache/pulsar-client-go/pulsar/log"

	"github.com/functionmesh/terraform-provider-functionmesh/internal/wire"
	"github.com/functionmesh/terraform-provider-functionmesh/runner/broker/pulsar/conn"
	"github.com/functionmesh/terraform-provider-functionmesh/runner/broker/pulsar/entry"
	"github.com/functionmesh/terraform-provider-functionmesh/runner/broker/pulsar/publisher"
	"github.com/functionmesh/terraform-provider-functionmesh/runner/broker/pulsar/subscription"
)

// Roles of this program: it runs itself as a process of its own for each.
const (
	copierRole = "copier" // bare entries
	clientRole = "client" // Pulsar's own Go client
)

var roles = map[string]func(context.Context, job) error{copierRole: copier, clientRole: client}

// job is what a role reads from standard input. It copies until it is told to stop, and
// prints a line once it is about to begin.
type job struct {
	URL          string
	In, Out      string
	Subscription string
}

func play(role string) error {
	var j job
	if err := json.NewDecoder(os.Stdin).Decode(&j); err != nil {
		return err
	}
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM)
	defer stop()
	err := roles[role](ctx, j)
	if ctx.Err() != nil {
		return nil
	}
	return err
}

func ready() { _, _ = os.Stdout.WriteString("ready\n") }

// sent is an entry whose copy waits for its receipt.
type sent struct {
	id      entry.ID
	receipt *publisher.Receipt
}

// copier decodes a batch entry once, writes one, and acknowledges it at the receipt: as
// little as can be done.
func copier(ctx context.Context, j job) error {
	c, err := conn.New(wire.Broker{Kind: "pulsar", URL: j.URL}, conn.Options{})
	if err != nil {
		return err
	}
	s, err := subscription.Open(ctx, subscription.Options{Client: c, Topic: j.In, Name: j.Subscription, Mode: wire.Shared, Earliest: true})
	if err != nil {
		return err
	}
	p, err := publisher.Open(ctx, publisher.Options{Client: c, Topic: j.Out})
	if err != nil {
		return err
	}
	way := make(chan sent, 1000)
	go settle(ctx, s, way)
	ready()
	enc, m, number := entry.Encoder{Pool: &entry.Pool{}}, entry.Message{}, uint64(0)
	for {
		d, err := s.Receive(ctx)
		if err != nil {
			return err
		}
		enc.Begin(entry.Header{Producer: p.Name(), Batched: d.Entry.Count > 1, Numbered: true, PublishTime: d.Entry.PublishTime, Sequence: number})
		for w := d.Entry.Messages(); w.Next(&m); {
			enc.Append(&m)
		}
		out, err := enc.Finish()
		if err != nil {
			return err
		}
		r, err := p.Send(ctx, out)
		if err != nil {
			return err
		}
		way <- sent{d.ID, r}
		number += uint64(d.Entry.Count) //nolint:gosec // a count
		d.Release()
	}
}

// settle acknowledges what has its receipt, as many at once as there are.
func settle(ctx context.Context, s *subscription.Subscription, way <-chan sent) {
	var acks []subscription.Ack
	for next := range way {
		if _, _, err := next.receipt.Wait(ctx); err != nil {
			return
		}
		acks = append(acks, subscription.Ack{ID: next.id})
		if len(way) == 0 || len(acks) == 100 {
			if s.Ack(ctx, acks, false) != nil {
				return
			}
			acks = acks[:0]
		}
	}
}

// client is the loop that Pulsar's Go client is made for: receive, send, acknowledge in
// the callback.
func client(ctx context.Context, j job) error {
	c, err := pulsario.NewClient(pulsario.ClientOptions{URL: j.URL, Logger: log.NewLoggerWithSlog(slog.New(slog.DiscardHandler))})
	if err != nil {
		return err
	}
	in, err := c.Subscribe(pulsario.ConsumerOptions{Topic: j.In, SubscriptionName: j.Subscription, Type: pulsario.Shared, ReceiverQueueSize: 10_000, SubscriptionInitialPosition: pulsario.SubscriptionPositionEarliest})
	if err != nil {
		return err
	}
	out, err := c.CreateProducer(pulsario.ProducerOptions{Topic: j.Out, MaxPendingMessages: 10_000, BatchingMaxMessages: 1000, BatchingMaxPublishDelay: time.Millisecond})
	if err != nil {
		return err
	}
	ready()
	for {
		m, err := in.Receive(ctx)
		if err != nil {
			return err
		}
		out.SendAsync(ctx, &pulsario.ProducerMessage{Payload: m.Payload(), Key: m.Key()}, func(_ pulsario.MessageID, _ *pulsario.ProducerMessage, err error) {
			if err != nil {
				fmt.Fprintln(os.Stderr, err)
				return
			}
			_ = in.Ack(m) // what is not acknowledged is found by who counts
		})
	}
}
