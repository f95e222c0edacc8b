package command

import (
	"context"
	"fmt"
	"os"
	"slices"

	"github.com/functionmesh/terraform-provider-functionmesh/internal/engine"
	"github.com/functionmesh/terraform-provider-functionmesh/internal/local"
	"github.com/functionmesh/terraform-provider-functionmesh/internal/spec"
	"github.com/functionmesh/terraform-provider-functionmesh/internal/wire"
)

// pulsarFile makes the file of one instance whose streams are on a Pulsar. Its work
// directory is the caller's to remove.
func (a *app) pulsarFile(ctx context.Context, file string, broker wire.Broker) (wire.File, error) {
	c, err := a.readComponent(file, spec.PlatformRunner)
	if err != nil {
		return wire.File{}, err
	}
	problems := spec.CheckConnections(c, nil)
	for i := range problems {
		problems[i].Hint = "One Pulsar is reached here, that of --pulsar: leave connection out."
	}
	problems = append(notHere(c), problems...)
	if err := a.report(file, append(problems, secretless(c)...)); err != nil {
		return wire.File{}, err
	}
	cluster, err := clusters(broker)
	if err != nil {
		return wire.File{}, engine.New(engine.Invalid, err)
	}
	facts := wire.Facts{Platform: "run", Brokers: map[string]wire.Broker{"": broker}}
	if facts.Partitions, err = prepare(ctx, cluster, c); err != nil {
		return wire.File{}, err
	}
	if _, code := c.Runtime.Chosen(); code != nil {
		facts.Code = wire.Code{File: code.File, SHA256: code.SHA256}
	}
	if facts.BaseDir, err = os.Getwd(); err != nil {
		return wire.File{}, err
	}
	f, err := wire.FromComponent(c, facts)
	if err != nil {
		return f, engine.New(engine.Invalid, err)
	}
	f.WorkDir, err = os.MkdirTemp("", Program+"-run-")
	return f, err
}

// prepare counts the partitions of a component's topics, making those that are missing,
// puts the subscriptions at their position and refuses effectively-once where the
// brokers are known to let repeats pass.
func prepare(ctx context.Context, cluster local.Cluster, c spec.Component) (map[wire.Stream]int, error) {
	found := map[wire.Stream]int{}
	inputs := spec.SortedKeys(spec.DefaultComponent(c).Inputs)
	for _, s := range wire.StreamsOf(c) {
		if s.Pattern {
			continue
		}
		n, err := cluster.EnsureTopic(ctx, s.Topic)
		if err != nil {
			return nil, err
		}
		found[s] = n
		if slices.Contains(inputs, s.Topic) {
			earliest := c.Subscription != nil && c.Subscription.Position == spec.Earliest
			err = cluster.Subscribe(ctx, s.Topic, spec.SubscriptionName(c), earliest)
		} else if c.ProcessingGuarantees == spec.EffectivelyOnce {
			err = deduplicated(ctx, cluster, s.Topic)
		}
		if err != nil {
			return nil, err
		}
	}
	return found, nil
}

func deduplicated(ctx context.Context, cluster local.Cluster, topic string) error {
	on, known, err := cluster.Deduplicates(ctx, topic)
	if err != nil || on || !known {
		return err
	}
	name, err := spec.ParseTopic(topic, "", "")
	if err != nil {
		return err
	}
	return &engine.Error{
		Class: engine.Invalid, Path: "processing_guarantees", Err: fmt.Errorf("effectively_once needs deduplication, which is off for %s", topic),
		Hint: fmt.Sprintf("Turn it on with `pulsar-admin namespaces set-deduplication %s/%s --enable`, or use atleast_once", name.Tenant, name.Namespace),
	}
}

// secretless refuses secrets, whose values a daemon would keep.
func secretless(c spec.Component) []spec.Problem {
	var problems []spec.Problem
	for _, name := range spec.SortedKeys(c.Secrets) {
		problems = append(problems, spec.Problem{
			Path: spec.Path("secrets").Key(name), Severity: spec.SeverityError,
			Message: "A function that runs without the embedded platform has no secrets.", Hint: "Use local and pulsar in the provider.",
		})
	}
	return problems
}
