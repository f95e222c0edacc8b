package nats

import (
	"context"
	"errors"
	"fmt"
	"log/slog"

	natsio "github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/functionmesh/terraform-provider-functionmesh/internal/wire"
	"github.com/functionmesh/terraform-provider-functionmesh/runner/pipeline"
)

// Source reads subscribed topics: one lane per input of a shared subscription, one
// per partition of a failover subscription.
type Source struct {
	options SourceOptions
	log     *slog.Logger
	conns   map[string]*natsio.Conn
	lanes   []closer
}

// closer is a lane that gives back what it holds.
type closer interface {
	pipeline.Lane
	close()
}

// NewSource checks the options and connects to nothing. What no restart can help is a
// *pipeline.TerminalError.
func NewSource(o SourceOptions) (*Source, error) {
	sub := o.Source.Subscription
	switch {
	case len(o.Source.Inputs) == 0:
		return nil, invalid("source.inputs: missing")
	case sub.Name == "":
		return nil, invalid("source.subscription.name: missing")
	case sub.Mode != "" && sub.Mode != wire.Shared && sub.Mode != wire.Failover:
		return nil, invalid("source.subscription.mode: %q is neither %q nor %q", sub.Mode, wire.Shared, wire.Failover)
	case sub.SkipToLatest:
		return nil, invalid("source.subscription.skip_to_latest: not offered on the local platform; remove it, or seek the subscription to latest")
	}
	for _, in := range o.Source.Inputs {
		b, ok := o.Brokers[in.Broker]
		if !ok {
			return nil, invalid("source.inputs: %s: no broker is named %q", in.Topic, in.Broker)
		}
		if err := checkBroker(in.Broker, b); err != nil {
			return nil, err
		}
	}
	return &Source{options: o, log: orDiscard(o.Logger), conns: map[string]*natsio.Conn{}}, nil
}

// Open implements pipeline.Source: it connects, within half a minute, and claims the
// partitions that are this instance's.
func (s *Source) Open(ctx context.Context) ([]pipeline.Lane, error) {
	for _, in := range s.options.Source.Inputs {
		if err := s.openInput(ctx, in); err != nil {
			return nil, err
		}
	}
	lanes := make([]pipeline.Lane, len(s.lanes))
	for i, l := range s.lanes {
		lanes[i] = l
	}
	return lanes, nil
}

func (s *Source) openInput(ctx context.Context, in wire.Input) error {
	js, err := s.connected(ctx, in.Broker)
	if err != nil {
		return err
	}
	stream, err := js.Stream(ctx, wire.StreamName(in.Topic))
	switch {
	case errors.Is(err, jetstream.ErrStreamNotFound):
		return noTopic(in.Topic)
	case err != nil:
		return fmt.Errorf("topic %s: %w", in.Topic, err)
	}
	if s.options.Source.Subscription.Mode != wire.Failover {
		l, err := s.openShared(ctx, js, stream, in)
		if err != nil {
			return err
		}
		s.lanes = append(s.lanes, l)
		return nil
	}
	every := max(s.options.Instance.Parallelism, 1)
	for p := s.options.Instance.ID; p < max(in.Partitions, 1); p += every {
		l, err := s.openOrdered(ctx, js, stream, in, p)
		if err != nil {
			return err
		}
		s.lanes = append(s.lanes, l)
	}
	return nil
}

// connected is the one connection of this source to a broker.
func (s *Source) connected(ctx context.Context, broker string) (jetstream.JetStream, error) {
	nc, ok := s.conns[broker]
	if !ok {
		var err error
		if nc, err = dialReading(ctx, s.options.Brokers[broker], s.options.Name, s.log); err != nil {
			return nil, err
		}
		s.conns[broker] = nc
	}
	return jetstream.New(nc, jetstream.WithDefaultTimeout(requestTimeout))
}

// Close implements pipeline.Source. Messages that were fetched and not settled are
// handed back at once instead of after the acknowledgement timeout.
func (s *Source) Close(context.Context) error {
	for _, l := range s.lanes {
		l.close()
	}
	s.lanes = nil
	for name, nc := range s.conns {
		nc.Close()
		delete(s.conns, name)
	}
	return nil
}
