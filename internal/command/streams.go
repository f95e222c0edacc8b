package command

import (
	"context"
	"slices"
	"strconv"

	"github.com/functionmesh/terraform-provider-functionmesh/internal/spec"
	"github.com/functionmesh/terraform-provider-functionmesh/internal/wire"
	"github.com/functionmesh/terraform-provider-functionmesh/runner/broker/nats"
	"github.com/functionmesh/terraform-provider-functionmesh/runner/broker/pulsar"
	"github.com/functionmesh/terraform-provider-functionmesh/runner/broker/pulsar/compatible"
)

// streamReader shows the messages of a topic and touches no subscription.
type streamReader interface {
	Next(ctx context.Context) (nats.Message, error)
	Close(ctx context.Context) error
}

// streamWriter publishes to a topic; of what fails the first n are stored.
type streamWriter interface {
	Produce(ctx context.Context, messages []nats.Message) (n int, err error)
	Close(ctx context.Context) error
}

// window says which messages of a topic are shown.
type window struct {
	last             int
	earliest, follow bool
}

// streams is where the topics of a command lie: the embedded platform, or with --pulsar
// a Pulsar.
type streams struct {
	*app
	reach
}

// at is a topic's full name, and the Pulsar that holds it if one does.
func (s *streams) at(name string) (topic string, broker wire.Broker, remote bool, err error) {
	parsed, err := spec.ParseTopic(name, s.tenant, s.namespace)
	if err != nil {
		return "", broker, false, usage("%w", err)
	}
	broker, remote, err = s.broker(s.target)
	return parsed.String(), broker, remote, err
}

func (s *streams) reader(ctx context.Context, verb, name string, v window) (streamReader, error) {
	topic, broker, remote, err := s.at(name)
	if err != nil {
		return nil, err
	}
	if remote {
		if err := there(ctx, broker, topic); err != nil {
			return nil, err
		}
		return compatible.NewReader(ctx, compatible.ReaderOptions{Broker: broker, Topic: topic, Last: v.last, Earliest: v.earliest, Follow: v.follow})
	}
	if broker, topic, err = s.stream(ctx, verb, name); err != nil {
		return nil, err
	}
	return nats.NewReader(ctx, nats.ReaderOptions{Broker: broker, Topic: topic, Last: v.last, Earliest: v.earliest, Follow: v.follow})
}

func (s *streams) writer(ctx context.Context, verb, name string) (streamWriter, error) {
	topic, broker, remote, err := s.at(name)
	if err != nil {
		return nil, err
	}
	if remote {
		// A sink is as patient as an instance; a person wants to know sooner.
		if _, err := (brokers{broker}).EnsureTopic(ctx, topic); err != nil {
			return nil, err
		}
		sink, err := pulsar.NewSink(pulsar.SinkOptions{Broker: broker, Output: wire.Output{Topic: topic}, Name: Program})
		return pulsarWriter{sink}, err
	}
	if broker, topic, err = s.stream(ctx, verb, name); err != nil {
		return nil, err
	}
	return nats.NewProducer(ctx, broker, topic)
}

// pulsarWriter writes to the topic that its sink was made for.
type pulsarWriter struct{ *pulsar.Sink }

// Produce implements streamWriter.
func (w pulsarWriter) Produce(ctx context.Context, messages []nats.Message) (int, error) {
	out := slices.Clone(messages)
	for i := range out {
		out[i].Topic = ""
	}
	return w.Write(ctx, out)
}

// list lists topics: through the REST API, or by asking the brokers where none is named.
func (s *streams) list(ctx context.Context) error {
	broker, remote, err := s.broker(s.target)
	if err != nil {
		return err
	}
	if !remote || s.target.AdminURL != "" {
		s.target.TLS = adminOptions(broker).TLS
		return s.app.list(ctx, spec.KindTopic, topicTable)
	}
	partitions, err := topicsOf(ctx, broker, s.tenant+"/"+s.namespace)
	if err != nil {
		return err
	}
	return s.printTopics(partitions)
}

// listed is a topic as brokers tell of it.
type listed struct {
	Name       string `json:"name"`
	Partitions int    `json:"partitions"`
}

func (s *streams) printTopics(partitions map[string]int) error {
	all := []listed{}
	for _, name := range spec.SortedKeys(partitions) {
		all = append(all, listed{name, partitions[name]})
	}
	return s.print(all, func() table {
		t := table{header: []string{"NAME", "PARTITIONS"}}
		for _, topic := range all {
			t.add(topic.Name, strconv.Itoa(topic.Partitions))
		}
		return t
	})
}
