package platform

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"

	"github.com/functionmesh/terraform-provider-functionmesh/internal/engine"
	"github.com/functionmesh/terraform-provider-functionmesh/internal/local/broker"
	"github.com/functionmesh/terraform-provider-functionmesh/internal/local/store"
	"github.com/functionmesh/terraform-provider-functionmesh/internal/spec"
	"github.com/functionmesh/terraform-provider-functionmesh/internal/wire"
)

// prepareStreams makes the topics and the subscriptions of a component.
func (p *Platform) prepareStreams(ctx context.Context, r store.Component) error {
	c := spec.DefaultComponent(r.Spec)
	for _, topic := range topicsOf(c) {
		if err := p.prepareTopic(ctx, c, topic); err != nil {
			return err
		}
	}
	for _, topic := range spec.SortedKeys(c.Inputs) {
		err := p.Broker.Subscribe(ctx, broker.Cursor{
			Topic: topic, Subscription: spec.SubscriptionName(c), Mode: mode(c),
			Earliest:   c.Subscription != nil && c.Subscription.Position == spec.Earliest,
			AtMostOnce: c.ProcessingGuarantees == spec.AtMostOnce,
		})
		if err != nil {
			return fmt.Errorf("subscribe to %s: %w", topic, err)
		}
	}
	return nil
}

func (p *Platform) prepareTopic(ctx context.Context, c spec.Component, topic string) error {
	name, err := spec.ParseTopic(topic, c.Tenant, c.Namespace)
	if err == nil {
		err = p.checkNamespace(name.Tenant, name.Namespace)
	}
	if err != nil {
		return &engine.Error{Class: engine.Invalid, Path: string(pathOf(c, topic)), Hint: "Create the namespace first", Err: err}
	}
	_, err = p.Broker.EnsureTopic(ctx, topic)
	return err
}

// pathOf is where the component names a topic.
func pathOf(c spec.Component, topic string) spec.Path {
	switch {
	case c.Output != nil && c.Output.Topic == topic:
		return "output.topic"
	case c.DeadLetterTopic == topic:
		return "dead_letter_topic"
	default:
		return spec.Path("inputs").Key(topic)
	}
}

func mode(c spec.Component) wire.Mode {
	if spec.SubscriptionMode(c) {
		return wire.Failover
	}
	return wire.Shared
}

// secretsOf reads the values that a component refers to.
func (p *Platform) secretsOf(c spec.Component) (map[string]string, error) {
	values := map[string]string{}
	for _, name := range spec.SortedKeys(c.Secrets) {
		ref := c.Secrets[name]
		value, ok, err := p.Store.Secret(ref.Name, ref.Key)
		if err != nil {
			return nil, err
		}
		if !ok {
			return nil, &engine.Error{
				Class: engine.Invalid, Path: string(spec.Path("secrets").Key(name)),
				Hint: fmt.Sprintf("Store it with `functionmesh local secret set %s %s`", ref.Name, ref.Key),
				Err:  fmt.Errorf("there is no secret %s with key %s", ref.Name, ref.Key),
			}
		}
		values[name] = value.Reveal()
	}
	return values, nil
}

// Secrets are all values that must not appear anywhere, the broker's password too.
func (p *Platform) Secrets() []string {
	values := []string{p.Broker.Address().Password}
	names, err := p.Store.Secrets()
	if err != nil {
		return values
	}
	for name, keys := range names {
		for _, key := range keys {
			if v, ok, err := p.Store.Secret(name, key); err == nil && ok {
				values = append(values, v.Reveal())
			}
		}
	}
	return values
}

// wireFiles are the files of all instances of a component.
func (p *Platform) wireFiles(ctx context.Context, r store.Component) ([]wire.File, error) {
	first, err := p.wireFile(ctx, r)
	if err != nil {
		return nil, err
	}
	files := make([]wire.File, first.Instance.Parallelism)
	for id := range files {
		files[id] = first
		files[id].Instance.ID = id
	}
	return files, nil
}

// wireFile is the file of instance 0, complete but for its own directory and probe.
func (p *Platform) wireFile(ctx context.Context, r store.Component) (wire.File, error) {
	c := spec.DefaultComponent(r.Spec)
	f := wire.File{
		Version:   wire.Version,
		Component: wire.Component{Kind: string(r.Kind), Tenant: c.Tenant, Namespace: c.Namespace, Name: c.Name, Mesh: r.Marks.Mesh},
		Instance:  wire.Instance{Parallelism: parallelism(c), Platform: p.Store.ID()},
		Brokers:   map[string]wire.Broker{"": p.Broker.Address()},
		Delivery:  wire.DefaultDelivery(), Limits: wire.DefaultLimits(),
		BaseDir: p.BaseDir,
	}
	if filepath.IsAbs(r.Marks.BaseDir) {
		f.BaseDir = r.Marks.BaseDir
	}
	var err error
	if f.Secrets, err = p.secretsOf(c); err != nil {
		return f, err
	}
	if err = p.wireStreams(ctx, c, &f); err != nil {
		return f, err
	}
	if err = p.wireCode(c, r, &f); err != nil {
		return f, err
	}
	f.Delivery.Guarantee = string(c.ProcessingGuarantees)
	if c.MaxMessageRetries != nil {
		f.Delivery.MaxRetries = *c.MaxMessageRetries
	}
	f.Delivery.ForwardProperties = c.ForwardSourceMessageProperty == nil || *c.ForwardSourceMessageProperty
	return f, nil
}

func (p *Platform) wireStreams(ctx context.Context, c spec.Component, f *wire.File) (err error) {
	connector := &wire.Connector{Name: c.Builtin, Config: string(c.Config)}
	if c.Kind == spec.KindSource {
		f.Source.Connector = connector
	} else {
		f.Source.Subscription = wire.Subscription{Name: spec.SubscriptionName(c), Mode: mode(c)}
		for _, topic := range spec.SortedKeys(c.Inputs) {
			in := wire.Input{Topic: topic, Schema: c.Inputs[topic].Schema}
			if in.Partitions, err = p.partitions(ctx, topic); err != nil {
				return err
			}
			if size := c.Inputs[topic].ReceiverQueueSize; size != nil {
				in.QueueSize = *size
			}
			f.Source.Inputs = append(f.Source.Inputs, in)
		}
	}
	if c.Kind == spec.KindSink {
		f.Sink.Connector = connector
	} else if c.Output != nil && c.Output.Topic != "" {
		if f.Sink.Output, err = p.output(ctx, c.Output.Topic); err != nil {
			return err
		}
		f.Sink.Output.Schema = c.Output.Schema
	}
	if dead := deadLetter(c); dead != "" {
		f.Delivery.DeadLetter, err = p.output(ctx, dead)
	}
	return err
}

func (p *Platform) output(ctx context.Context, topic string) (*wire.Output, error) {
	n, err := p.partitions(ctx, topic)
	return &wire.Output{Topic: topic, Partitions: n}, err
}

func (p *Platform) partitions(ctx context.Context, topic string) (int, error) {
	t, ok, err := p.Broker.Topic(ctx, topic)
	if err == nil && !ok {
		err = engine.New(engine.Conflict, fmt.Errorf("topic %s was deleted", topic))
	}
	return t.Partitions, err
}

func (p *Platform) wireCode(c spec.Component, r store.Component, f *wire.File) error {
	runtime, code := c.Runtime.Chosen()
	if code == nil {
		return nil
	}
	file, err := p.Code.Find(r.Digest, r.File)
	if err != nil {
		return err
	}
	f.Function = &wire.Function{Runtime: runtime, File: file, SHA256: r.Digest, Class: code.Class, UserConfig: string(c.UserConfig)}
	f.CacheDir = p.Code.Compiled(r.Digest)
	if c.TimeoutMs != nil {
		f.Limits.CallTimeoutMs = *c.TimeoutMs
	}
	if c.Resources != nil && c.Resources.Memory != "" {
		if f.Limits.MemoryBytes, err = c.Resources.Memory.Bytes(); err != nil {
			return &engine.Error{Class: engine.Invalid, Path: "resources.memory", Err: err}
		}
	}
	return nil
}

// Wire makes the file that runs a component outside the supervisor: its topics and
// its subscription exist afterwards, the component itself is not declared.
func (p *Platform) Wire(ctx context.Context, c spec.Component) (wire.File, error) {
	client := &componentClient{p: p, kind: c.Kind}
	if !slices.Contains(spec.ComponentKinds(), c.Kind) {
		return wire.File{}, engine.New(engine.Invalid, fmt.Errorf("a %s runs no instances", c.Kind))
	}
	s, err := client.checked(ctx, c)
	if err != nil {
		return wire.File{}, err
	}
	r := store.Component{Kind: c.Kind, Spec: s}
	p.tree.RLock()
	defer p.tree.RUnlock()
	if err := errors.Join(p.checkNamespace(s.Tenant, s.Namespace), client.resolve(ctx, &r)); err != nil {
		return wire.File{}, err
	}
	if _, declared, err := p.Store.Components.Get(recordKey(keyOf(r))); err != nil || declared {
		return wire.File{}, errors.Join(err, engine.New(engine.Exists, fmt.Errorf("%s %s runs on the platform already", c.Kind, keyOf(r))))
	}
	if err := p.alone(r); err != nil {
		return wire.File{}, err
	}
	if err := p.prepareStreams(ctx, r); err != nil {
		return wire.File{}, err
	}
	f, err := p.wireFile(ctx, r)
	if err != nil {
		return f, err
	}
	f.Instance.Parallelism = 1 // whoever asked runs one process
	f.WorkDir = filepath.Join(p.RunDir, string(c.Kind), s.Tenant, s.Namespace, s.Name)
	return f, os.MkdirAll(f.WorkDir, 0o700)
}
