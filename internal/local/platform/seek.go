package platform

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/functionmesh/terraform-provider-functionmesh/internal/engine"
	"github.com/functionmesh/terraform-provider-functionmesh/internal/local/store"
	"github.com/functionmesh/terraform-provider-functionmesh/internal/spec"
)

// seek moves the subscriptions of a component while nobody reads by them. What is read
// again is also written again: a higher epoch gives the producers of effectively-once
// new names, under which nothing is a repeat.
func (c *componentClient) seek(ctx context.Context, key engine.Key, to string) error {
	if err := checkSeek(to); err != nil {
		return err
	}
	defer c.p.locks.lock(key)()
	r, err := c.p.declared(key)
	if err != nil {
		return err
	}
	targets, err := c.p.seekable(r)
	if err != nil {
		return err
	}
	ctx = context.WithoutCancel(ctx) // once begun it is finished, and the component runs again
	if err := c.p.pause(ctx, key); err != nil {
		return errors.Join(err, c.p.resume(ctx, key))
	}
	for _, topic := range spec.SortedKeys(targets) {
		if err := targets[topic].seek(ctx, r, topic, to); err != nil {
			return errors.Join(err, c.p.resume(ctx, key))
		}
	}
	// Last, so that a replay that a crash cuts short is no second output.
	r.Epoch, r.Generation = r.Epoch+1, r.Generation+1
	if err := c.p.Store.Components.Put(recordKey(key), r); err != nil {
		return errors.Join(err, c.p.resume(ctx, key))
	}
	err = c.p.launch(ctx, r)
	c.p.blame(key, err)
	return err
}

func checkSeek(to string) error {
	if to == string(spec.Earliest) || to == string(spec.Latest) {
		return nil
	}
	if _, err := time.Parse(time.RFC3339, to); err != nil {
		return &engine.Error{
			Class: engine.Invalid, Path: "to", Hint: "Use earliest, latest or a time such as 2006-01-02T15:04:05Z",
			Err: fmt.Errorf("%q is no position", to),
		}
	}
	return nil
}

// seekable finds where the inputs of a component lie, all of which must be on a Pulsar.
func (p *Platform) seekable(r store.Component) (map[string]remote, error) {
	c := spec.DefaultComponent(r.Spec)
	targets := map[string]remote{}
	for topic, in := range c.Inputs {
		at, err := p.place(r, in.Connection)
		if err != nil {
			return nil, err
		}
		pulsar, ok := at.(remote)
		if !ok {
			return nil, &engine.Error{
				Class: engine.Invalid, Err: errors.New("subscriptions of the embedded platform cannot be moved"),
				Hint: "Delete the component and its subscription, and create it again with subscription.position",
			}
		}
		if in.Regex != nil && *in.Regex {
			return nil, patterns(string(spec.Path("inputs").Key(topic)))
		}
		targets[topic] = pulsar
	}
	switch {
	case c.TopicsPattern != "":
		return nil, patterns("topics_pattern")
	case len(targets) == 0:
		return nil, engine.New(engine.Invalid, fmt.Errorf("a %s without inputs has nothing to seek in", r.Kind))
	}
	return targets, nil
}

func patterns(path string) error {
	return &engine.Error{
		Class: engine.Invalid, Path: path, Err: errors.New("topics that a pattern names cannot be moved together"),
		Hint: "Stop the component, move each topic with pulsar-admin, and start it",
	}
}

func (s remote) seek(ctx context.Context, r store.Component, topic, to string) error {
	return s.failed(spec.Path("inputs").Key(topic), s.cluster.Seek(ctx, topic, spec.SubscriptionName(spec.DefaultComponent(r.Spec)), to))
}
