package platform

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/functionmesh/terraform-provider-functionmesh/internal/engine"
	"github.com/functionmesh/terraform-provider-functionmesh/internal/local/broker"
	"github.com/functionmesh/terraform-provider-functionmesh/internal/local/connection"
	"github.com/functionmesh/terraform-provider-functionmesh/internal/local/store"
	"github.com/functionmesh/terraform-provider-functionmesh/internal/spec"
	"github.com/functionmesh/terraform-provider-functionmesh/internal/wire"
)

// Cluster prepares the streams that components have on one Pulsar. Topics go by their
// full name; errors have the engine's classes, Unavailable while the Pulsar is away.
type Cluster interface {
	// EnsureTopic returns how many partitions a topic has, 0 for one without. A missing
	// one is made as the Pulsar itself would on first use.
	EnsureTopic(ctx context.Context, topic string) (partitions int, err error)
	// Subscribe makes a subscription at its position; one that exists stays in place.
	Subscribe(ctx context.Context, topic, subscription string, earliest bool) error
	// Unsubscribe deletes a subscription; an absent one is no error.
	Unsubscribe(ctx context.Context, topic, subscription string) error
	// Seek moves a subscription that nobody reads by to earliest, latest or a time of
	// RFC 3339.
	Seek(ctx context.Context, topic, subscription, to string) error
	// Deduplicates tells whether repeats are dropped on a topic; known is false where
	// that cannot be read.
	Deduplicates(ctx context.Context, topic string) (on, known bool, err error)
}

// streams are where topics of a component lie: the embedded broker or a Pulsar.
type streams interface {
	ensure(ctx context.Context, c spec.Component, topic string) (partitions int, err error)
	subscribe(ctx context.Context, c spec.Component, topic string) error
	unsubscribe(ctx context.Context, topic, subscription string) error
}

// connectionsOf is what the names of a component's connections mean here: name -> key.
func connectionsOf(r store.Component) map[string]string {
	by := map[string]string{}
	_ = json.Unmarshal([]byte(r.Marks.Connections), &by) // what is no object names none
	return by
}

// onPulsar reports whether a component's streams lie on a Pulsar unless it says more.
func onPulsar(r store.Component) bool { return connectionsOf(r)[""] != "" }

// platformOf is the row of the table of honoured settings that holds for a component.
func platformOf(marks engine.Marks) spec.Platform {
	if onPulsar(store.Component{Marks: marks}) {
		return spec.PlatformRunner
	}
	return spec.PlatformLocal
}

// place finds where the streams of a connection are.
func (p *Platform) place(r store.Component, name string) (streams, error) {
	key := connectionsOf(r)[name]
	if key == "" && name == "" {
		return embedded{p}, nil
	}
	b, err := p.reached(name, key)
	if err != nil {
		return nil, err
	}
	cluster, err := p.cluster(name, b)
	return remote{cluster: cluster, name: name}, err
}

// reached is how the connection of a key is reached.
func (p *Platform) reached(name, key string) (wire.Broker, error) {
	b, err := p.Connections.Broker(key)
	if errors.Is(err, connection.ErrUnknown) {
		return b, &engine.Error{
			Class: engine.Unavailable, Path: spot(name), Err: fmt.Errorf("the platform does not know how to reach it: %w", err),
			Hint: "Run terraform plan or apply, which brings the connection back",
		}
	}
	return b, err
}

// spot names a connection in an error.
func spot(name string) string {
	if name == "" {
		return "pulsar"
	}
	return string(spec.Path("connections").Key(name))
}

func (p *Platform) cluster(name string, b wire.Broker) (Cluster, error) {
	if p.Clusters == nil {
		return nil, &engine.Error{Class: engine.Invalid, Path: spot(name), Err: errors.New("this program reaches no Pulsar")}
	}
	cluster, err := p.Clusters(b)
	if err != nil {
		return nil, &engine.Error{Class: engine.Invalid, Path: spot(name), Err: err}
	}
	return cluster, nil
}

// embedded are the streams of the embedded broker.
type embedded struct{ p *Platform }

func (e embedded) ensure(ctx context.Context, c spec.Component, topic string) (int, error) {
	name, err := spec.ParseTopic(topic, c.Tenant, c.Namespace)
	if err == nil {
		err = e.p.checkNamespace(name.Tenant, name.Namespace)
	}
	if err != nil {
		return 0, &engine.Error{Class: engine.Invalid, Path: string(pathOf(c, topic)), Hint: "Create the namespace first", Err: err}
	}
	t, err := e.p.Broker.EnsureTopic(ctx, topic)
	return t.Partitions, err
}

func (e embedded) subscribe(ctx context.Context, c spec.Component, topic string) error {
	err := e.p.Broker.Subscribe(ctx, broker.Cursor{
		Topic: topic, Subscription: spec.SubscriptionName(c), Mode: mode(c),
		Earliest:   c.Subscription != nil && c.Subscription.Position == spec.Earliest,
		AtMostOnce: c.ProcessingGuarantees == spec.AtMostOnce,
	})
	if err != nil {
		return fmt.Errorf("subscribe to %s: %w", topic, err)
	}
	return nil
}

func (e embedded) unsubscribe(ctx context.Context, topic, subscription string) error {
	return e.p.Broker.Unsubscribe(ctx, topic, subscription)
}

// remote are the streams of a Pulsar.
type remote struct {
	cluster Cluster
	name    string // of the connection
}

func (s remote) ensure(ctx context.Context, c spec.Component, topic string) (int, error) {
	n, err := s.cluster.EnsureTopic(ctx, topic)
	return n, s.failed(pathOf(c, topic), err)
}

func (s remote) subscribe(ctx context.Context, c spec.Component, topic string) error {
	name, err := spec.ParseTopic(topic, c.Tenant, c.Namespace)
	if err == nil && name.Domain != spec.Persistent {
		return nil // it keeps nothing that could be subscribed to in advance
	}
	earliest := c.Subscription != nil && c.Subscription.Position == spec.Earliest
	return s.failed(pathOf(c, topic), s.cluster.Subscribe(ctx, topic, spec.SubscriptionName(c), earliest))
}

func (s remote) unsubscribe(ctx context.Context, topic, subscription string) error {
	return s.failed("", s.cluster.Unsubscribe(ctx, topic, subscription))
}

// failed says which connection an error is about. What is missing on the Pulsar is
// wrong in the component, which is not what is missing.
func (s remote) failed(at spec.Path, err error) error {
	if err == nil {
		return nil
	}
	out := &engine.Error{Class: engine.ClassOf(err), Path: string(at), Err: fmt.Errorf("%s: %w", s.told(), err)}
	if e, ok := errors.AsType[*engine.Error](err); ok {
		out.Hint, out.Err = e.Hint, fmt.Errorf("%s: %w", s.told(), e.Err)
	}
	if out.Class == engine.NotFound {
		out.Class = engine.Invalid
	}
	if out.Class == "" {
		return err
	}
	return out
}

func (s remote) told() string {
	if s.name == "" {
		return "the Pulsar"
	}
	return fmt.Sprintf("connection %q", s.name)
}

func (s remote) deduplicates(ctx context.Context, topic string) error {
	on, known, err := s.cluster.Deduplicates(ctx, topic)
	if err != nil {
		return s.failed("processing_guarantees", err)
	}
	if on || !known {
		return nil
	}
	namespace := topic
	if name, err := spec.ParseTopic(topic, "", ""); err == nil {
		namespace = name.Tenant + "/" + name.Namespace
	}
	return &engine.Error{
		Class: engine.Invalid, Path: "processing_guarantees",
		Err:  fmt.Errorf("effectively_once needs deduplication on the namespace %s, which is off for %s", namespace, topic),
		Hint: "Turn it on with `pulsar-admin namespaces set-deduplication " + namespace + " --enable`, or use atleast_once",
	}
}
