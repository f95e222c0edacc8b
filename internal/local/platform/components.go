package platform

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"slices"

	"github.com/functionmesh/terraform-provider-functionmesh/internal/engine"
	"github.com/functionmesh/terraform-provider-functionmesh/internal/local/store"
	"github.com/functionmesh/terraform-provider-functionmesh/internal/spec"
	"github.com/functionmesh/terraform-provider-functionmesh/internal/wire"
)

// componentClient is the client of one of the three kinds.
type componentClient struct {
	p      *Platform
	kind   spec.Kind
	remote bool
}

func keyOf(c store.Component) engine.Key {
	return engine.Key{Kind: string(c.Kind), Tenant: c.Spec.Tenant, Namespace: c.Spec.Namespace, Name: c.Spec.Name}
}

func recordKey(k engine.Key) string { return store.Key(k.Kind, k.Tenant, k.Namespace, k.Name) }

func (c *componentClient) key(s spec.Component) engine.Key {
	return engine.Key{Kind: string(c.kind), Tenant: s.Tenant, Namespace: s.Namespace, Name: s.Name}
}

func (c *componentClient) observed(r store.Component, found bool) engine.Observed[spec.Component] {
	o := engine.Observed[spec.Component]{Found: found, Platform: c.p.Store.ID()}
	if !found {
		return o
	}
	o.Spec, o.Marks = r.Spec.Clone(), r.Marks
	o.Spec.Kind, o.Spec.State = c.kind, r.State
	o.Status = c.p.status(keyOf(r), r)
	return o
}

// status is the supervisor's, unless the component could not even be handed to it.
func (p *Platform) status(key engine.Key, r store.Component) engine.Status {
	st := p.Supervisor.Status(key)
	if err := p.fault(key); err != nil && r.State != spec.StateStopped {
		if engine.Is(err, engine.Unavailable) {
			return engine.Status{Phase: engine.Progressing, Reason: "Waiting", Message: err.Error(), Wanted: parallelism(r.Spec)}
		}
		return engine.Status{Phase: engine.Failed, Reason: "NotLaunched", Message: err.Error(), Wanted: parallelism(r.Spec)}
	}
	if st.Phase == engine.Stopped && r.State != spec.StateStopped {
		st.Phase, st.Reason, st.Wanted = engine.Progressing, "Drained", parallelism(r.Spec)
	}
	return st
}

func parallelism(c spec.Component) int {
	if c.Parallelism == nil {
		return 1
	}
	return *c.Parallelism
}

// Observe implements engine.Client.
func (c *componentClient) Observe(ctx context.Context, key engine.Key) (engine.Observed[spec.Component], error) {
	if err := context.Cause(ctx); err != nil {
		return engine.Observed[spec.Component]{}, err
	}
	key.Kind = string(c.kind)
	r, ok, err := c.p.Store.Components.Get(recordKey(key))
	if ok {
		c.p.Supervisor.Refresh(ctx, key)
		return c.observed(r, true), err
	}
	if err == nil {
		err = c.p.checkInhabited(key.Tenant, key.Namespace)
	}
	return c.observed(r, false), err
}

// List implements engine.Lister.
func (c *componentClient) List(ctx context.Context, in engine.Key) ([]engine.Observed[spec.Component], error) {
	if err := context.Cause(ctx); err != nil {
		return nil, err
	}
	all, err := c.p.Store.Components.All(store.Key(string(c.kind), in.Tenant, in.Namespace) + "/")
	if err == nil && len(all) == 0 {
		err = c.p.checkInhabited(in.Tenant, in.Namespace)
	}
	if err != nil {
		return nil, err
	}
	list := make([]engine.Observed[spec.Component], len(all))
	for i, r := range all {
		list[i] = c.observed(r, true)
	}
	return list, nil
}

// errForeign keeps who comes over TCP from connecting as somebody of this machine.
var errForeign = engine.New(engine.Forbidden, errors.New("connections are chosen on this machine only"))

// Create implements engine.Client.
func (c *componentClient) Create(ctx context.Context, want engine.Object[spec.Component]) (engine.Observed[spec.Component], error) {
	if c.remote && want.Marks.Connections != "" {
		return engine.Observed[spec.Component]{}, errForeign
	}
	s, err := c.checked(ctx, want.Spec, want.Marks)
	if err != nil {
		return engine.Observed[spec.Component]{}, err
	}
	key := c.key(s)
	c.p.tree.RLock()
	defer c.p.tree.RUnlock()
	defer c.p.locks.lock(key)()
	r := store.Component{Kind: c.kind, Spec: s, State: s.State, Marks: want.Marks, Generation: 1}
	if err := c.p.checkParent(r); err != nil {
		return engine.Observed[spec.Component]{}, err
	}
	_, ok, err := c.p.Store.Components.Get(recordKey(key))
	if err == nil && ok {
		err = engine.New(engine.Exists, fmt.Errorf("%s %s exists", key.Kind, key))
	}
	if err != nil {
		return engine.Observed[spec.Component]{}, err
	}
	if err := c.carryOut(ctx, &r); err != nil {
		return engine.Observed[spec.Component]{}, err
	}
	return c.observed(r, true), nil
}

// checkParent is NotFound unless the namespace of a component exists. That of one whose
// streams are on a Pulsar is the Pulsar's, which tells when the topics are prepared.
func (p *Platform) checkParent(r store.Component) error {
	if onPulsar(r) {
		return nil
	}
	return p.checkNamespace(r.Spec.Tenant, r.Spec.Namespace)
}

// checkInhabited is NotFound unless the namespace exists, or holds components whose
// streams are on the Pulsar that it belongs to.
func (p *Platform) checkInhabited(tenant, namespace string) error {
	err := p.checkNamespace(tenant, namespace)
	if !engine.Is(err, engine.NotFound) {
		return err
	}
	if there, listed := p.componentsIn(tenant, namespace); listed != nil || len(there) > 0 {
		return listed
	}
	return err
}

// checked returns the spec with its parents named, or everything that is wrong with it.
func (c *componentClient) checked(ctx context.Context, s spec.Component, marks engine.Marks) (spec.Component, error) {
	s = s.Clone()
	s.Kind = c.kind
	full := spec.DefaultComponent(s)
	s.Tenant, s.Namespace = full.Tenant, full.Namespace
	user := s.Clone()
	if _, code := user.Runtime.Chosen(); code != nil && code.URL != "" {
		code.File = "" // where the gateway has put what the URL names
	}
	problems := append(spec.ValidateComponent(user), spec.Honour(platformOf(marks), user)...)
	known := spec.SortedKeys(connectionsOf(store.Component{Marks: marks}))
	return s, begin(ctx, append(problems, spec.CheckConnections(user, known)...))
}

// carryOut does everything that makes the record true: code, secrets, topics and
// subscriptions first, then the record, then the instances.
func (c *componentClient) carryOut(ctx context.Context, r *store.Component) error {
	if err := c.resolve(ctx, r); err != nil {
		return err
	}
	if _, err := c.p.secretsOf(r.Spec); err != nil {
		return err
	}
	if err := c.p.alone(*r); err != nil {
		return err
	}
	if err := c.p.prepareStreams(ctx, r); err != nil {
		return err
	}
	r.Spec.State = "" // the record has it
	key := keyOf(*r)
	if err := c.p.Store.Components.Put(recordKey(key), *r); err != nil {
		return err
	}
	// It is declared now: what follows must not depend on the caller's patience.
	err := c.p.launch(context.WithoutCancel(ctx), *r)
	c.p.blame(key, err)
	return err
}

// resolve finds the code's file.
func (c *componentClient) resolve(ctx context.Context, r *store.Component) error {
	runtime, code := r.Spec.Runtime.Chosen()
	if code == nil {
		return nil
	}
	file, sum, err := c.p.Code.Resolve(ctx, *code, r.Marks.Digest, c.remote)
	if err != nil {
		path := spec.Path("runtime").Field(runtime)
		var e *engine.Error
		if !errors.As(err, &e) {
			return fmt.Errorf("%s: %w", path, err)
		}
		field := *e
		if field.Path != "" {
			path = path.Field(field.Path)
		}
		field.Path = string(path)
		if field.Class == engine.NotFound {
			field.Class = engine.Invalid // the object is not what is missing
		}
		return &field
	}
	r.Digest, r.File = sum, filepath.Base(file)
	return nil
}

// alone refuses a second component on one subscription: they would take each other's
// messages.
func (p *Platform) alone(r store.Component) error {
	mine := spec.DefaultComponent(r.Spec)
	inputs := cursorsOf(r)
	if len(inputs) == 0 {
		return nil
	}
	all, err := p.Store.Components.All("")
	if err != nil {
		return err
	}
	for _, o := range all {
		other := spec.DefaultComponent(o.Spec)
		if keyOf(o) == keyOf(r) || spec.SubscriptionName(other) != spec.SubscriptionName(mine) {
			continue
		}
		for at := range cursorsOf(o) {
			if topic := at.Topic; inputs[at] {
				return &engine.Error{
					Class: engine.Invalid, Path: "subscription.name", Hint: "Choose another name, or raise parallelism to share the work",
					Err: fmt.Errorf("%s %s reads %s by the subscription %q already", o.Kind, keyOf(o), topic, spec.SubscriptionName(mine)),
				}
			}
		}
	}
	return nil
}

// cursorsOf are the topics that a component reads, each at the key of its connection.
func cursorsOf(r store.Component) map[wire.Stream]bool {
	keys, cursors := connectionsOf(r), map[wire.Stream]bool{}
	for topic, in := range spec.DefaultComponent(r.Spec).Inputs {
		cursors[wire.Stream{Broker: keys[in.Connection], Topic: topic}] = true
	}
	return cursors
}

// Update implements engine.Client.
func (c *componentClient) Update(ctx context.Context, have engine.Observed[spec.Component], want engine.Object[spec.Component], changes []engine.Change) error {
	want.Marks.Connections = cmp.Or(want.Marks.Connections, have.Marks.Connections)
	s, err := c.checked(ctx, want.Spec, want.Marks)
	if err != nil {
		return err
	}
	key := c.key(s)
	if was := c.key(have.Spec); was != key {
		return engine.New(engine.Immutable, fmt.Errorf("%s %s cannot be renamed to %s", key.Kind, was, key))
	}
	c.p.tree.RLock()
	defer c.p.tree.RUnlock()
	defer c.p.locks.lock(key)()
	r, err := c.p.declared(key)
	if err != nil {
		return err
	}
	before := r
	r.Spec, r.Marks, r.Generation = s, keepOwner(r.Marks, want.Marks), r.Generation+1
	if s.State != "" || slices.ContainsFunc(changes, func(c engine.Change) bool { return c.Path == "state" }) {
		r.State = s.State
	}
	if c.remote && r.Marks.Connections != before.Marks.Connections {
		return errForeign
	}
	if spec.SubscriptionTypeOf(before.Spec) != spec.SubscriptionTypeOf(s) {
		// The place of a subscription can be moved only while nobody reads.
		if err := c.p.pause(ctx, key); err != nil {
			return err
		}
	}
	if err := c.carryOut(ctx, &r); err != nil {
		return errors.Join(err, c.p.resume(ctx, key))
	}
	return c.p.cleanUp(ctx, before, r)
}

func (p *Platform) declared(key engine.Key) (store.Component, error) {
	r, ok, err := p.Store.Components.Get(recordKey(key))
	if err == nil && !ok {
		err = engine.New(engine.NotFound, fmt.Errorf("%s %s does not exist", key.Kind, key))
	}
	return r, err
}

func (p *Platform) pause(ctx context.Context, key engine.Key) error {
	if err := p.Supervisor.Set(key, nil); err != nil {
		return err
	}
	return p.Supervisor.Settle(ctx, key)
}

// resume goes on with what is declared after a change failed.
func (p *Platform) resume(ctx context.Context, key engine.Key) error {
	r, err := p.declared(key)
	if err != nil {
		return err
	}
	return p.launch(context.WithoutCancel(ctx), r)
}

// cleanUp removes the subscriptions of inputs that are gone, where that was asked for.
func (p *Platform) cleanUp(ctx context.Context, was, is store.Component) error {
	before, after := spec.DefaultComponent(was.Spec), spec.DefaultComponent(is.Spec)
	if before.CleanupSubscription == nil || !*before.CleanupSubscription {
		return nil
	}
	same := spec.SubscriptionName(before) == spec.SubscriptionName(after)
	keys, kept := connectionsOf(was), cursorsOf(is)
	for _, topic := range spec.SortedKeys(before.Inputs) {
		in := before.Inputs[topic]
		if same && kept[wire.Stream{Broker: keys[in.Connection], Topic: topic}] || in.Regex != nil && *in.Regex {
			continue
		}
		if err := p.Supervisor.Settle(ctx, keyOf(was)); err != nil {
			return err
		}
		at, err := p.place(was, in.Connection)
		if err == nil {
			err = at.unsubscribe(ctx, topic, spec.SubscriptionName(before))
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// Delete implements engine.Client.
func (c *componentClient) Delete(ctx context.Context, have engine.Observed[spec.Component], _ engine.DeleteOptions) error {
	if err := context.Cause(ctx); err != nil {
		return err
	}
	return c.p.deleteComponent(ctx, c.key(have.Spec))
}

// deleteComponent drains the instances before anything they rely on goes. Once begun
// it is finished, also when the caller has gone.
func (p *Platform) deleteComponent(ctx context.Context, key engine.Key) error {
	ctx = context.WithoutCancel(ctx)
	defer p.locks.lock(key)()
	r, ok, err := p.Store.Components.Get(recordKey(key))
	if err != nil || !ok {
		return err
	}
	if err := p.Supervisor.Remove(ctx, key); err != nil {
		return err
	}
	if err := p.cleanUp(ctx, r, store.Component{Kind: r.Kind}); err != nil {
		return err
	}
	p.blame(key, nil)
	return p.Store.Components.Delete(recordKey(key))
}

func (p *Platform) componentsIn(tenant, namespace string) ([]store.Component, error) {
	all, err := p.Store.Components.All("")
	return slices.DeleteFunc(all, func(c store.Component) bool {
		return c.Spec.Tenant != tenant || c.Spec.Namespace != namespace
	}), err
}
