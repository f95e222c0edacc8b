package platform

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync"

	"github.com/functionmesh/terraform-provider-functionmesh/internal/catalog"
	"github.com/functionmesh/terraform-provider-functionmesh/internal/engine"
	"github.com/functionmesh/terraform-provider-functionmesh/internal/local/broker"
	"github.com/functionmesh/terraform-provider-functionmesh/internal/local/code"
	"github.com/functionmesh/terraform-provider-functionmesh/internal/local/connection"
	"github.com/functionmesh/terraform-provider-functionmesh/internal/local/store"
	"github.com/functionmesh/terraform-provider-functionmesh/internal/local/supervisor"
	"github.com/functionmesh/terraform-provider-functionmesh/internal/spec"
	"github.com/functionmesh/terraform-provider-functionmesh/internal/wire"
)

// Platform binds store, broker, code and supervisor. It is safe for concurrent use.
type Platform struct {
	Store      *store.Store
	Broker     *broker.Broker
	Code       *code.Store
	Supervisor *supervisor.Supervisor

	Connections *connection.Store
	// Clusters makes what prepares the streams of a Pulsar; nil refuses them.
	Clusters func(wire.Broker) (Cluster, error)

	BaseDir string // what relative paths of connectors start at
	RunDir  string // scratch of components that run outside the supervisor
	Log     *slog.Logger

	// tree is held for reading while something is put into a namespace, for writing
	// while a namespace or a tenant is taken away.
	tree  sync.RWMutex
	locks keyed

	mu      sync.Mutex
	drained bool
	faults  map[engine.Key]error // why a component could not be launched
}

// keyed is a lock per object.
type keyed struct {
	mu    sync.Mutex
	locks map[engine.Key]*sync.Mutex
}

func (k *keyed) lock(key engine.Key) (unlock func()) {
	k.mu.Lock()
	if k.locks == nil {
		k.locks = map[engine.Key]*sync.Mutex{}
	}
	l, ok := k.locks[key]
	if !ok {
		l = &sync.Mutex{}
		k.locks[key] = l
	}
	k.mu.Unlock()
	l.Lock()
	return l.Unlock
}

// Clients are the engine clients of this platform. remote clients serve requests that
// come over TCP: they may not name files and private addresses of this machine.
func (p *Platform) Clients(remote bool) catalog.Clients {
	components := map[spec.Kind]engine.Client[spec.Component]{}
	for _, kind := range spec.ComponentKinds() {
		components[kind] = &componentClient{p: p, kind: kind, remote: remote}
	}
	return catalog.Clients{
		Tenants:    &tenantClient{p: p},
		Namespaces: &namespaceClient{p: p},
		Topics:     &topicClient{p: p},
		Components: components,
	}
}

// Restore launches everything that is declared. A component that cannot be is
// remembered with its reason and does not keep the others from running.
func (p *Platform) Restore(ctx context.Context) error {
	all, err := p.Store.Components.All("")
	if err != nil {
		return err
	}
	for _, kind := range spec.ComponentKinds() {
		for _, c := range all {
			if c.Kind == kind {
				p.relaunch(ctx, keyOf(c), true)
			}
		}
	}
	return nil
}

// relaunch puts a component's instances up to date; with streams its topics and
// subscriptions are made again where they are missing.
func (p *Platform) relaunch(ctx context.Context, key engine.Key, streams bool) {
	defer p.locks.lock(key)()
	c, ok, err := p.Store.Components.Get(recordKey(key))
	if err == nil && ok {
		err = p.revive(ctx, c, streams)
	}
	p.blame(key, err)
	if err != nil {
		p.Log.Error("launch", "kind", key.Kind, "component", key.String(), "error", err)
	}
}

// revive is relaunch without its lock. A Pulsar that is away keeps nothing from running
// that ran before: instances wait for it by themselves.
func (p *Platform) revive(ctx context.Context, c store.Component, streams bool) error {
	known := c.Partitions
	if streams {
		err := p.prepareStreams(ctx, &c)
		if len(known) > 0 && c.Spec.ProcessingGuarantees == spec.EffectivelyOnce {
			// A replay must meet the partitions that it was cut for: those that were added
			// since come into use with the next update, which drains first.
			c.Partitions = known
		}
		switch {
		case err == nil && !slices.Equal(known, c.Partitions):
			err = p.Store.Components.Put(recordKey(keyOf(c)), c)
		case engine.Is(err, engine.Unavailable) && len(known) > 0:
			p.Log.Warn("streams are not prepared", "kind", c.Kind, "component", keyOf(c).String(), "error", err)
			err = nil
		}
		if err != nil {
			return err
		}
	}
	return p.launch(ctx, c)
}

// launch tells the supervisor what of the component should run.
func (p *Platform) launch(ctx context.Context, c store.Component) error {
	p.mu.Lock()
	drained := p.drained
	p.mu.Unlock()
	key := keyOf(c)
	if c.State == spec.StateStopped || drained {
		return p.Supervisor.Set(key, nil)
	}
	files, err := p.wireFiles(ctx, c)
	if err != nil {
		return errors.Join(err, p.Supervisor.Set(key, nil))
	}
	return p.Supervisor.Set(key, files)
}

func (p *Platform) blame(key engine.Key, err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.faults == nil {
		p.faults = map[engine.Key]error{}
	}
	if err == nil {
		delete(p.faults, key)
		return
	}
	p.faults[key] = err
}

func (p *Platform) fault(key engine.Key) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.faults[key]
}

// Drain stops every instance until the next daemon starts them.
func (p *Platform) Drain(ctx context.Context) error {
	p.mu.Lock()
	p.drained = true
	p.mu.Unlock()
	all, err := p.Store.Components.All("")
	if err != nil {
		return err
	}
	for _, c := range all {
		if err := p.Supervisor.Set(keyOf(c), nil); err != nil {
			return err
		}
	}
	for _, c := range all {
		if err := p.Supervisor.Settle(ctx, keyOf(c)); err != nil {
			return err
		}
	}
	return nil
}

// Declared counts the components.
func (p *Platform) Declared() (int, error) {
	all, err := p.Store.Components.All("")
	return len(all), err
}

// Tidy removes what nobody needs any more: acknowledged messages, code without an
// owner. It also lets the broker go on after a full disk.
func (p *Platform) Tidy(ctx context.Context) error {
	if err := p.Broker.Recover(); err != nil {
		return err
	}
	used := map[string]bool{}
	all, err := p.Store.Components.All("")
	if err != nil {
		return err
	}
	for _, c := range all {
		used[c.Digest] = true
	}
	p.retry(ctx)
	return errors.Join(p.Broker.Purge(ctx), p.Code.Collect(used), p.collectConnections())
}

// retry launches again what waits for a Pulsar or for its connection.
func (p *Platform) retry(ctx context.Context) {
	p.mu.Lock()
	var waiting []engine.Key
	for key, err := range p.faults {
		if engine.Is(err, engine.Unavailable) {
			waiting = append(waiting, key)
		}
	}
	p.mu.Unlock()
	for _, key := range waiting {
		p.relaunch(ctx, key, true)
	}
}

// PutSecret stores a value; components that use it take it up.
func (p *Platform) PutSecret(ctx context.Context, name, key string, value spec.Secret) error {
	if err := p.Store.PutSecret(name, key, value); err != nil {
		return err
	}
	return p.reach(ctx, func(c store.Component) bool {
		for _, ref := range c.Spec.Secrets {
			if ref.Name == name && ref.Key == key {
				return true
			}
		}
		return false
	})
}

// DeleteSecret removes a value, or with an empty key all of a secret. A component
// that uses it keeps what it was started with.
func (p *Platform) DeleteSecret(name, key string) error { return p.Store.DeleteSecret(name, key) }

// reach relaunches the components that a change concerns.
func (p *Platform) reach(ctx context.Context, concerned func(store.Component) bool) error {
	all, err := p.Store.Components.All("")
	if err != nil {
		return err
	}
	for _, c := range all {
		if concerned(c) {
			p.relaunch(ctx, keyOf(c), false)
		}
	}
	return nil
}

// checkNamespace is NotFound unless tenant and namespace exist.
func (p *Platform) checkNamespace(tenant, namespace string) error {
	_, ok, err := p.Store.Namespaces.Get(store.Key(tenant, namespace))
	if err == nil && !ok {
		err = engine.New(engine.NotFound, fmt.Errorf("namespace %s/%s does not exist", tenant, namespace))
	}
	return err
}

// invalid makes an error of each thing that is wrong with a spec, with its own path and
// hint, and joins them. Warnings are the front end's to show.
func invalid(problems []spec.Problem) error {
	var all []error
	for _, problem := range problems {
		if problem.Severity == spec.SeverityWarning {
			continue
		}
		all = append(all, &engine.Error{
			Class: engine.Invalid, Path: string(problem.Path), Hint: problem.Hint, Err: errors.New(problem.Message),
		})
	}
	if len(all) == 1 {
		return all[0]
	}
	return errors.Join(all...)
}
