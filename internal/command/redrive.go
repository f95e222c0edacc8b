package command

import (
	"context"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"github.com/functionmesh/terraform-provider-functionmesh/internal/spec"
	"github.com/functionmesh/terraform-provider-functionmesh/internal/wire"
	"github.com/functionmesh/terraform-provider-functionmesh/runner/broker/nats"
	"github.com/functionmesh/terraform-provider-functionmesh/runner/broker/pulsar"
	"github.com/functionmesh/terraform-provider-functionmesh/runner/broker/redrive"
)

const redriveIdle = 3 * time.Second

// redriveFlags are the flags of a redrive.
type redriveFlags struct {
	to, subscription string
	count            int
	idle             time.Duration
}

func newRedrive(s *streams) *cobra.Command {
	var f redriveFlags
	cmd := &cobra.Command{
		Use: "redrive TOPIC", Short: "Send dead letters to the topics that they came from", Args: args(cobra.ExactArgs(1)),
		Long: `Send the dead letters of a topic to the topics that they came from, or to one with
--to, without the properties that say why they died. Each is acknowledged in a
subscription of its own once it is stored again, so that no letter is sent twice by two
runs, and letters that come while this runs wait for the next. A letter that names no
origin stays.`,
		RunE: func(cmd *cobra.Command, names []string) error { return s.redrive(cmd.Context(), names[0], f) },
	}
	cmd.Flags().StringVar(&f.to, "to", "", "topic to send to instead of where each came from")
	cmd.Flags().StringVar(&f.subscription, "subscription", spec.RedriveSubscription, "subscription that remembers what was sent")
	cmd.Flags().IntVarP(&f.count, "count", "n", 0, "at most so many; 0 all")
	cmd.Flags().DurationVar(&f.idle, "idle", redriveIdle, "end when none came for so long")
	return cmd
}

func (s *streams) redrive(ctx context.Context, name string, f redriveFlags) error {
	if f.count < 0 || f.idle <= 0 || f.subscription == "" {
		return usage("-n is not negative, --idle is longer than nothing, --subscription is a name")
	}
	o := redrive.Options{Max: f.count, Idle: f.idle, Begun: time.Now()}
	if f.to != "" {
		to, err := spec.ParseTopic(f.to, s.tenant, s.namespace)
		if err != nil {
			return usage("--to: %w", err)
		}
		o.To = to.String()
	}
	if err := s.redriveEnds(ctx, name, f, &o); err != nil {
		return err
	}
	counts, err := redrive.Run(ctx, o)
	for _, topic := range spec.SortedKeys(counts.Sent) {
		s.say("redrove %d messages to %s", counts.Sent[topic], topic)
	}
	if len(counts.Sent) == 0 {
		s.say("redrove no message")
	}
	if err == nil && counts.Kept > 0 {
		err = fmt.Errorf("%d dead letters stay, the last because %w: use --to", counts.Kept, counts.Reason)
	}
	return err
}

// redriveEnds makes source and sink on the platform that holds the topic.
func (s *streams) redriveEnds(ctx context.Context, name string, f redriveFlags, o *redrive.Options) error {
	topic, broker, remote, err := s.at(name)
	if err != nil {
		return err
	}
	if !remote {
		return s.embeddedEnds(ctx, topic, f, o)
	}
	if err := there(ctx, broker, topic); err != nil {
		return err
	}
	o.Source, err = pulsar.NewSource(pulsar.SourceOptions{
		Brokers: map[string]wire.Broker{"": broker}, Instance: wire.Instance{Parallelism: 1}, Limits: wire.DefaultLimits(), Name: Program,
		Source: wire.Source{
			Inputs:       []wire.Input{{Topic: topic}},
			Subscription: wire.Subscription{Name: f.subscription, Mode: wire.Shared, Position: string(spec.Earliest)},
		},
		Delivery: wire.DefaultDelivery(),
	})
	if err != nil {
		return err
	}
	o.Sink, err = pulsar.NewSink(pulsar.SinkOptions{Broker: broker, Name: Program})
	return err
}

// embeddedEnds lets the platform make the subscription, by way of a component that is
// never declared.
func (s *streams) embeddedEnds(ctx context.Context, topic string, f redriveFlags, o *redrive.Options) error {
	daemon, _, err := s.topicOn(ctx, "redrive", topic)
	if err != nil {
		return err
	}
	name, err := spec.ParseTopic(topic, "", "")
	if err != nil {
		return err
	}
	if _, err := daemon.Subscriptions(ctx, topic); err != nil {
		return err // it is not made by looking for it
	}
	file, err := daemon.Wire(ctx, spec.Component{
		Kind: spec.KindSink, Tenant: name.Tenant, Namespace: name.Namespace, Name: "redrive", Builtin: "file",
		Config: spec.JSON(fmt.Sprintf(`{"path":%q}`, "/dev/null")), Inputs: map[string]spec.Input{topic: {}}, DeadLetterTopic: topic,
		Subscription: &spec.Subscription{Name: f.subscription, Position: spec.Earliest},
	})
	if err != nil {
		return err
	}
	if o.Source, err = nats.NewSource(nats.SourceOptions{Brokers: file.Brokers, Source: file.Source, Instance: file.Instance, Name: Program}); err != nil {
		return err
	}
	o.Sink, err = nats.NewSink(nats.SinkOptions{Broker: file.Brokers[""], Tenant: name.Tenant, Namespace: name.Namespace, Name: Program})
	return err
}
