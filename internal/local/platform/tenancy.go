package platform

import (
	"context"
	"fmt"

	"github.com/functionmesh/terraform-provider-functionmesh/internal/engine"
	"github.com/functionmesh/terraform-provider-functionmesh/internal/local/store"
	"github.com/functionmesh/terraform-provider-functionmesh/internal/spec"
)

// ready is the status of what is there as soon as it exists.
func ready() engine.Status { return engine.Status{Phase: engine.Ready} }

type tenantClient struct{ p *Platform }

func (c *tenantClient) observed(r store.Tenant, found bool) engine.Observed[spec.Tenant] {
	o := engine.Observed[spec.Tenant]{Found: found, Platform: c.p.Store.ID()}
	if found {
		o.Spec, o.Status = r.Spec, ready()
	}
	return o
}

// Observe implements engine.Client.
func (c *tenantClient) Observe(ctx context.Context, key engine.Key) (engine.Observed[spec.Tenant], error) {
	if err := context.Cause(ctx); err != nil {
		return engine.Observed[spec.Tenant]{}, err
	}
	r, ok, err := c.p.Store.Tenants.Get(key.Name)
	return c.observed(r, ok), err
}

// Create implements engine.Client.
func (c *tenantClient) Create(ctx context.Context, want engine.Object[spec.Tenant]) (engine.Observed[spec.Tenant], error) {
	if err := begin(ctx, spec.ValidateTenant(want.Spec)); err != nil {
		return engine.Observed[spec.Tenant]{}, err
	}
	c.p.tree.Lock()
	defer c.p.tree.Unlock()
	_, ok, err := c.p.Store.Tenants.Get(want.Spec.Name)
	if err == nil && ok {
		err = engine.New(engine.Exists, fmt.Errorf("tenant %s exists", want.Spec.Name))
	}
	if err != nil {
		return engine.Observed[spec.Tenant]{}, err
	}
	r := store.Tenant{Spec: want.Spec}
	return c.observed(r, true), c.p.Store.Tenants.Put(want.Spec.Name, r)
}

// begin is what every write does first.
func begin(ctx context.Context, problems []spec.Problem) error {
	if err := context.Cause(ctx); err != nil {
		return err
	}
	return invalid(problems)
}

// Update implements engine.Client.
func (c *tenantClient) Update(ctx context.Context, have engine.Observed[spec.Tenant], want engine.Object[spec.Tenant], _ []engine.Change) error {
	if err := begin(ctx, spec.ValidateTenant(want.Spec)); err != nil {
		return err
	}
	c.p.tree.Lock()
	defer c.p.tree.Unlock()
	_, ok, err := c.p.Store.Tenants.Get(have.Spec.Name)
	if err == nil && !ok {
		err = engine.New(engine.NotFound, fmt.Errorf("tenant %s does not exist", have.Spec.Name))
	}
	if err != nil {
		return err
	}
	return c.p.Store.Tenants.Put(have.Spec.Name, store.Tenant{Spec: want.Spec})
}

// keepOwner lets an update change every mark but the owner, once there is one.
func keepOwner(have, want engine.Marks) engine.Marks {
	if have.Owner != "" {
		want.Owner = have.Owner
	}
	return want
}

// Delete implements engine.Client.
func (c *tenantClient) Delete(ctx context.Context, have engine.Observed[spec.Tenant], opts engine.DeleteOptions) error {
	if err := context.Cause(ctx); err != nil {
		return err
	}
	name := have.Spec.Name
	namespaces, err := c.p.Store.Namespaces.All(name + "/")
	if err != nil {
		return err
	}
	if len(namespaces) > 0 && !opts.Force {
		return inUse(fmt.Errorf("tenant %s still has namespace %s", name, namespaces[0].Spec.Name))
	}
	for _, n := range namespaces {
		if err := c.p.deleteNamespace(ctx, n.Spec, true); err != nil {
			return err
		}
	}
	c.p.tree.Lock()
	defer c.p.tree.Unlock()
	if left, err := c.p.Store.Namespaces.All(name + "/"); err != nil || len(left) > 0 {
		return inUse(fmt.Errorf("tenant %s has namespaces again", name))
	}
	return c.p.Store.Tenants.Delete(name)
}

func inUse(err error) error {
	return &engine.Error{Class: engine.Conflict, Hint: "Delete what it holds first", Err: err}
}

// List implements engine.Lister.
func (c *tenantClient) List(ctx context.Context, _ engine.Key) ([]engine.Observed[spec.Tenant], error) {
	if err := context.Cause(ctx); err != nil {
		return nil, err
	}
	all, err := c.p.Store.Tenants.All("")
	list := make([]engine.Observed[spec.Tenant], len(all))
	for i, r := range all {
		list[i] = c.observed(r, true)
	}
	return list, err
}

type namespaceClient struct{ p *Platform }

func (c *namespaceClient) observed(r store.Namespace, found bool) engine.Observed[spec.Namespace] {
	o := engine.Observed[spec.Namespace]{Found: found, Platform: c.p.Store.ID()}
	if found {
		o.Spec, o.Marks, o.Status = r.Spec, r.Marks, ready()
	}
	return o
}

func (c *namespaceClient) parent(ctx context.Context, tenant string) error {
	if err := context.Cause(ctx); err != nil {
		return err
	}
	_, ok, err := c.p.Store.Tenants.Get(tenant)
	if err == nil && !ok {
		err = engine.New(engine.NotFound, fmt.Errorf("tenant %s does not exist", tenant))
	}
	return err
}

// Observe implements engine.Client.
func (c *namespaceClient) Observe(ctx context.Context, key engine.Key) (engine.Observed[spec.Namespace], error) {
	if err := c.parent(ctx, key.Tenant); err != nil {
		return c.observed(store.Namespace{}, false), err
	}
	r, ok, err := c.p.Store.Namespaces.Get(store.Key(key.Tenant, key.Name))
	return c.observed(r, ok), err
}

// Create implements engine.Client.
func (c *namespaceClient) Create(ctx context.Context, want engine.Object[spec.Namespace]) (engine.Observed[spec.Namespace], error) {
	want.Spec = spec.NamespaceDefaults(want.Spec)
	if err := begin(ctx, spec.ValidateNamespace(want.Spec)); err != nil {
		return engine.Observed[spec.Namespace]{}, err
	}
	c.p.tree.Lock()
	defer c.p.tree.Unlock()
	if err := c.parent(ctx, want.Spec.Tenant); err != nil {
		return engine.Observed[spec.Namespace]{}, err
	}
	key := store.Key(want.Spec.Tenant, want.Spec.Name)
	_, ok, err := c.p.Store.Namespaces.Get(key)
	if err == nil && ok {
		err = engine.New(engine.Exists, fmt.Errorf("namespace %s exists", key))
	}
	if err != nil {
		return engine.Observed[spec.Namespace]{}, err
	}
	r := store.Namespace{Spec: want.Spec, Marks: want.Marks}
	return c.observed(r, true), c.p.Store.Namespaces.Put(key, r)
}

// Update implements engine.Client.
func (c *namespaceClient) Update(ctx context.Context, have engine.Observed[spec.Namespace], want engine.Object[spec.Namespace], _ []engine.Change) error {
	want.Spec = spec.NamespaceDefaults(want.Spec)
	if err := begin(ctx, spec.ValidateNamespace(want.Spec)); err != nil {
		return err
	}
	c.p.tree.Lock()
	defer c.p.tree.Unlock()
	key := store.Key(have.Spec.Tenant, have.Spec.Name)
	r, ok, err := c.p.Store.Namespaces.Get(key)
	if err == nil && !ok {
		err = engine.New(engine.NotFound, fmt.Errorf("namespace %s does not exist", key))
	}
	if err != nil {
		return err
	}
	return c.p.Store.Namespaces.Put(key, store.Namespace{Spec: want.Spec, Marks: keepOwner(r.Marks, want.Marks)})
}

// Delete implements engine.Client.
func (c *namespaceClient) Delete(ctx context.Context, have engine.Observed[spec.Namespace], opts engine.DeleteOptions) error {
	if err := context.Cause(ctx); err != nil {
		return err
	}
	return c.p.deleteNamespace(ctx, have.Spec, opts.Force)
}

// List implements engine.Lister.
func (c *namespaceClient) List(ctx context.Context, in engine.Key) ([]engine.Observed[spec.Namespace], error) {
	if err := c.parent(ctx, in.Tenant); err != nil {
		return nil, err
	}
	all, err := c.p.Store.Namespaces.All(in.Tenant + "/")
	list := make([]engine.Observed[spec.Namespace], len(all))
	for i, r := range all {
		list[i] = c.observed(r, true)
	}
	return list, err
}
