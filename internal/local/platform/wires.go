package platform

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"

	"github.com/functionmesh/terraform-provider-functionmesh/internal/engine"
	"github.com/functionmesh/terraform-provider-functionmesh/internal/local/store"
	"github.com/functionmesh/terraform-provider-functionmesh/internal/spec"
	"github.com/functionmesh/terraform-provider-functionmesh/internal/wire"
)

// pathOf is where the component names a topic.
func pathOf(c spec.Component, topic string) spec.Path {
	switch {
	case c.Output != nil && c.Output.Topic == topic:
		return "output.topic"
	case c.LogTopic == topic:
		return "log_topic"
	case hasNo(c.Inputs, topic):
		return "dead_letter_topic"
	default:
		return spec.Path("inputs").Key(topic)
	}
}

func hasNo(inputs map[string]spec.Input, topic string) bool {
	_, ok := inputs[topic]
	return !ok
}

// mode is how the embedded broker places a subscription.
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
	values := append(p.Connections.Secrets(), p.Broker.Address().Password)
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
	facts := wire.Facts{Platform: p.Store.ID(), Mesh: r.Marks.Mesh, Epoch: r.Epoch, BaseDir: p.BaseDir}
	if filepath.IsAbs(r.Marks.BaseDir) {
		facts.BaseDir = r.Marks.BaseDir
	}
	var err error
	if facts.Secrets, err = p.secretsOf(r.Spec); err != nil {
		return wire.File{}, err
	}
	if facts.Brokers, err = p.brokersOf(r); err != nil {
		return wire.File{}, err
	}
	if facts.Partitions, err = p.partitionsOf(ctx, r); err != nil {
		return wire.File{}, err
	}
	if _, code := r.Spec.Runtime.Chosen(); code != nil {
		facts.Code = wire.Code{SHA256: r.Digest, CacheDir: p.Code.Compiled(r.Digest)}
		if facts.Code.File, err = p.Code.Find(r.Digest, r.File); err != nil {
			return wire.File{}, err
		}
	}
	f, err := wire.FromComponent(r.Spec, facts)
	if err != nil {
		return f, &engine.Error{Class: engine.Invalid, Err: err}
	}
	return f, nil
}

// brokersOf are the messaging systems of a component, by the names it has for them.
func (p *Platform) brokersOf(r store.Component) (map[string]wire.Broker, error) {
	brokers := map[string]wire.Broker{}
	for name, key := range connectionsOf(r) {
		b, err := p.reached(name, key)
		if err != nil {
			return nil, err
		}
		brokers[name] = b
	}
	if !onPulsar(r) {
		brokers[""] = p.Broker.Address()
	}
	return brokers, nil
}

// partitionsOf counts partitions: the embedded broker tells of its topics now, and what
// lies on a Pulsar is remembered, so that a Pulsar that is away keeps nothing from running.
func (p *Platform) partitionsOf(ctx context.Context, r store.Component) (map[wire.Stream]int, error) {
	counts := map[wire.Stream]int{}
	for _, known := range r.Partitions {
		counts[known.Stream] = known.Count
	}
	if onPulsar(r) {
		return counts, nil
	}
	for _, s := range wire.StreamsOf(r.Spec) {
		if s.Broker != "" || s.Pattern {
			continue
		}
		n, err := p.partitions(ctx, s.Topic)
		if err != nil {
			return nil, err
		}
		counts[s] = n
	}
	return counts, nil
}

func (p *Platform) partitions(ctx context.Context, topic string) (int, error) {
	t, ok, err := p.Broker.Topic(ctx, topic)
	if err == nil && !ok {
		err = engine.New(engine.Conflict, fmt.Errorf("topic %s was deleted", topic))
	}
	return t.Partitions, err
}

// Wire makes the file that runs a component outside the supervisor: its topics and
// its subscription exist afterwards, the component itself is not declared.
func (p *Platform) Wire(ctx context.Context, c spec.Component) (wire.File, error) {
	client := &componentClient{p: p, kind: c.Kind}
	if !slices.Contains(spec.ComponentKinds(), c.Kind) {
		return wire.File{}, engine.New(engine.Invalid, fmt.Errorf("a %s runs no instances", c.Kind))
	}
	s, err := client.checked(ctx, c, engine.Marks{})
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
	if err := p.prepareStreams(ctx, &r); err != nil {
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
