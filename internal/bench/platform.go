package main

import (
	"bytes"
	"context"
	"fmt"
	"path/filepath"
	"slices"
	"strconv"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/functionmesh/terraform-provider-functionmesh/internal/admin"
	"github.com/functionmesh/terraform-provider-functionmesh/internal/catalog"
	"github.com/functionmesh/terraform-provider-functionmesh/internal/engine"
	"github.com/functionmesh/terraform-provider-functionmesh/internal/local"
	"github.com/functionmesh/terraform-provider-functionmesh/internal/spec"
	"github.com/functionmesh/terraform-provider-functionmesh/internal/wire"
	broker "github.com/functionmesh/terraform-provider-functionmesh/runner/broker/nats"
)

// platform is an embedded platform of its own with its broker at hand.
type platform struct {
	daemon  *local.Client
	clients catalog.Clients
	broker  wire.Broker
	conn    *nats.Conn
	js      jetstream.JetStream
}

func open(ctx context.Context, o options, name string) (*platform, error) {
	daemon, err := local.Ensure(ctx, local.Options{DataDir: filepath.Join(o.dir, name), Binary: o.binary, Version: local.DevVersion})
	if err != nil {
		return nil, err
	}
	p := &platform{daemon: daemon}
	if p.clients, err = admin.New(admin.Options{URL: daemon.AdminURL()}); err != nil {
		return nil, err
	}
	if p.broker, err = daemon.Broker(ctx); err != nil {
		return nil, err
	}
	if p.conn, err = nats.Connect(p.broker.URL, nats.UserInfo(p.broker.User, p.broker.Password)); err != nil {
		return nil, err
	}
	p.js, err = jetstream.New(p.conn)
	return p, err
}

func (p *platform) close(ctx context.Context) error {
	p.conn.Close()
	return p.daemon.Shutdown(context.WithoutCancel(ctx))
}

// topic makes a topic and returns its full name.
func (p *platform) topic(ctx context.Context, name string) (string, error) {
	entity := catalog.Topic()
	_, err := entity.Engine(p.clients.Topics).Converge(ctx, engine.Object[spec.Topic]{Spec: entity.Default(spec.Topic{Name: name})})
	return spec.NewTopicName(spec.DefaultTenant, spec.DefaultNamespace, name).String(), err
}

// fill writes n messages of size bytes.
func (p *platform) fill(ctx context.Context, topic string, n, size int) error {
	producer, err := broker.NewProducer(ctx, p.broker, topic)
	if err != nil {
		return err
	}
	defer func() { _ = producer.Close(context.WithoutCancel(ctx)) }()
	value := bytes.Repeat([]byte("x"), size)
	batch := slices.Repeat([]broker.Message{{Value: value}}, 1000)
	for sent := 0; sent < n; sent += len(batch) {
		if _, err := producer.Produce(ctx, batch[:min(len(batch), n-sent)]); err != nil {
			return err
		}
	}
	return nil
}

// await waits until a topic holds n messages.
func (p *platform) await(ctx context.Context, topic string, n int) error {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Minute)
	defer cancel()
	stream, err := p.js.Stream(ctx, wire.StreamName(topic))
	if err != nil {
		return err
	}
	for {
		info, err := stream.Info(ctx)
		if err != nil {
			return fmt.Errorf("waiting for %d messages on %s: %w", n, topic, err)
		}
		if info.State.LastSeq >= uint64(n) { //nolint:gosec // a count
			return nil
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("%s holds %d of %d messages: %w", topic, info.State.LastSeq, n, ctx.Err())
		case <-time.After(5 * time.Millisecond):
		}
	}
}

func median(values []float64) float64 {
	slices.Sort(values)
	return values[len(values)/2]
}

func number(v float64, digits int, unit string) string {
	return strconv.FormatFloat(v, 'f', digits, 64) + unit
}
