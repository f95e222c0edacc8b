package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/functionmesh/terraform-provider-functionmesh/internal/wire"
)

// copyVerb runs this program as the bare loop, so that its CPU is a process's own.
const copyVerb = "copy"

// copyJob is what the bare loop reads from standard input.
type copyJob struct {
	Broker   wire.Broker
	From, To string // full topic names
	Messages int
	Batch    int
}

// copyLoop reads, publishes and acknowledges as the runner does, with the NATS client
// and nothing else.
func copyLoop(ctx context.Context, in io.Reader) error {
	var job copyJob
	if err := json.NewDecoder(in).Decode(&job); err != nil {
		return err
	}
	conn, err := nats.Connect(job.Broker.URL, nats.UserInfo(job.Broker.User, job.Broker.Password))
	if err != nil {
		return err
	}
	defer conn.Close()
	js, err := jetstream.New(conn)
	if err != nil {
		return err
	}
	consumer, err := js.CreateConsumer(ctx, wire.StreamName(job.From), jetstream.ConsumerConfig{
		AckPolicy: jetstream.AckExplicitPolicy, MaxAckPending: 2 * job.Batch, DeliverPolicy: jetstream.DeliverAllPolicy,
	})
	if err != nil {
		return err
	}
	for done := 0; done < job.Messages; {
		n, err := copyBatch(ctx, js, consumer, job)
		if err != nil {
			return err
		}
		done += n
	}
	return conn.Flush()
}

func copyBatch(ctx context.Context, js jetstream.JetStream, consumer jetstream.Consumer, job copyJob) (int, error) {
	fetched, err := consumer.Fetch(job.Batch)
	if err != nil {
		return 0, err
	}
	var batch []jetstream.Msg
	for m := range fetched.Messages() {
		if _, err := js.PublishAsync(wire.Subject(job.To, 0), m.Data()); err != nil {
			return 0, err
		}
		batch = append(batch, m)
	}
	if err := fetched.Error(); err != nil {
		return 0, err
	}
	select {
	case <-js.PublishAsyncComplete():
	case <-ctx.Done():
		return 0, ctx.Err()
	}
	for _, m := range batch {
		if err := m.Ack(); err != nil {
			return 0, fmt.Errorf("acknowledging: %w", err)
		}
	}
	return len(batch), nil
}
