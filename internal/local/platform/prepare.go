package platform

import (
	"context"

	"github.com/functionmesh/terraform-provider-functionmesh/internal/local/store"
	"github.com/functionmesh/terraform-provider-functionmesh/internal/spec"
	"github.com/functionmesh/terraform-provider-functionmesh/internal/wire"
)

// Prepare makes the topics and the subscriptions of a component whose streams are all on
// one Pulsar, and counts the partitions of its topics. Effectively-once is refused where
// the Pulsar is known to let repeats pass.
func Prepare(ctx context.Context, cluster Cluster, c spec.Component) (map[wire.Stream]int, error) {
	return preparation{
		c: spec.DefaultComponent(c), place: func(string) (streams, error) { return remote{cluster: cluster}, nil },
	}.run(ctx)
}

// prepareStreams makes the topics and the subscriptions of a component, and remembers
// in its record how many partitions there are.
func (p *Platform) prepareStreams(ctx context.Context, r *store.Component) error {
	found, err := preparation{
		c: spec.DefaultComponent(r.Spec), place: func(name string) (streams, error) { return p.place(*r, name) },
	}.run(ctx)
	if found != nil {
		r.Partitions = store.PartitionsOf(found)
	}
	return err
}

// preparation is the work on the streams of one component, wherever its connections
// have them.
type preparation struct {
	c     spec.Component                     // defaulted
	place func(name string) (streams, error) // of a connection
}

// run counts the partitions of all topics, also when something behind them fails.
func (p preparation) run(ctx context.Context) (map[wire.Stream]int, error) {
	found := map[wire.Stream]int{}
	for _, s := range wire.StreamsOf(p.c) {
		at, err := p.place(s.Broker)
		if err != nil {
			return nil, err
		}
		if s.Pattern {
			continue // its topics are found and subscribed to while it runs
		}
		if found[s], err = at.ensure(ctx, p.c, s.Topic); err != nil {
			return nil, err
		}
	}
	for _, topic := range spec.SortedKeys(p.c.Inputs) {
		if in := p.c.Inputs[topic]; in.Regex == nil || !*in.Regex {
			at, err := p.place(in.Connection)
			if err == nil {
				err = at.subscribe(ctx, p.c, topic)
			}
			if err != nil {
				return nil, err
			}
		}
	}
	if err := p.keepDeadLetters(ctx); err != nil {
		return found, err
	}
	return found, p.checkDeduplication(ctx)
}

// keepDeadLetters subscribes to the dead letters of a component on a Pulsar, which drops
// what nobody is subscribed to.
func (p preparation) keepDeadLetters(ctx context.Context) error {
	dead := spec.DeadLetterTopic(p.c)
	for _, s := range wire.StreamsOf(p.c) {
		if _, read := p.c.Inputs[s.Topic]; s.Topic != dead || read || s.Pattern {
			continue
		}
		at, err := p.place(s.Broker)
		if err != nil {
			return err
		}
		if pulsar, ok := at.(remote); ok {
			return pulsar.failed("dead_letter_topic", pulsar.cluster.Subscribe(ctx, dead, spec.RedriveSubscription, true))
		}
	}
	return nil
}

// checkDeduplication refuses effectively-once where the broker would let repeats pass.
// What our role may not read is proved by the instance instead.
func (p preparation) checkDeduplication(ctx context.Context) error {
	if p.c.ProcessingGuarantees != spec.EffectivelyOnce {
		return nil
	}
	inputs := map[wire.Stream]bool{}
	for topic, in := range p.c.Inputs {
		inputs[wire.Stream{Broker: in.Connection, Topic: topic}] = true
	}
	for _, s := range wire.StreamsOf(p.c) {
		if s.Pattern || inputs[s] || s.Topic == p.c.LogTopic {
			continue
		}
		at, err := p.place(s.Broker)
		if err != nil {
			return err
		}
		if pulsar, ok := at.(remote); ok {
			if err := pulsar.deduplicates(ctx, s.Topic); err != nil {
				return err
			}
		}
	}
	return nil
}
