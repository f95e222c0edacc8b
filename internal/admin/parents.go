package admin

import (
	"context"
	"errors"
	"net/url"
	"strconv"
	"strings"

	"github.com/apache/pulsar-client-go/pulsaradmin/pkg/utils"

	"github.com/functionmesh/terraform-provider-functionmesh/internal/engine"
	"github.com/functionmesh/terraform-provider-functionmesh/internal/spec"
)

// tenants drives tenants. They have no room for marks.
type tenants struct{ *api }

// Observe implements engine.Client.
func (c *tenants) Observe(ctx context.Context, key engine.Key) (engine.Observed[spec.Tenant], error) {
	var data utils.TenantData
	x, err := c.call(ctx, func(ctx context.Context) (err error) {
		data, err = c.pulsar.Tenants().GetWithContext(ctx, key.Name)
		return err
	})
	t := spec.Tenant{Name: key.Name, AdminRoles: orNil(data.AdminRoles), AllowedClusters: orNil(data.AllowedClusters)}
	return observed(ctx, c.api, x, t, err)
}

// observed is an object without marks and instances: it is ready when it is there.
func observed[S any](ctx context.Context, a *api, x *exchange, s S, err error) (engine.Observed[S], error) {
	var out engine.Observed[S]
	absent := engine.Is(err, engine.NotFound)
	if err != nil && !absent {
		return out, err
	}
	if out.Platform, err = a.platform(ctx, x); err != nil || absent {
		return out, err
	}
	out.Found, out.Spec, out.Status = true, s, engine.Status{Phase: engine.Ready}
	return out, nil
}

// Create implements engine.Client. A Pulsar wants clusters to be named; those it has
// are meant where none are.
func (c *tenants) Create(ctx context.Context, want engine.Object[spec.Tenant]) (engine.Observed[spec.Tenant], error) {
	data := utils.TenantData{
		Name: want.Spec.Name, AdminRoles: orEmpty(want.Spec.AdminRoles), AllowedClusters: orEmpty(want.Spec.AllowedClusters),
	}
	create := func(ctx context.Context) error { return c.pulsar.Tenants().CreateWithContext(ctx, data) }
	x, err := c.call(ctx, create)
	if engine.Is(err, engine.Invalid) && !ours(x) && len(data.AllowedClusters) == 0 {
		if data.AllowedClusters, err = c.clusters(ctx); err == nil {
			_, err = c.call(ctx, create)
		}
	}
	if err != nil {
		return engine.Observed[spec.Tenant]{}, err
	}
	return c.Observe(ctx, keyOf(spec.KindTenant, "", "", want.Spec.Name))
}

// Update implements engine.Client. Pulsar takes the whole tenant, so that what is not
// changed is sent as it was.
func (c *tenants) Update(ctx context.Context, have engine.Observed[spec.Tenant], want engine.Object[spec.Tenant], changes []engine.Change) error {
	data := utils.TenantData{
		Name: have.Spec.Name, AdminRoles: have.Spec.AdminRoles, AllowedClusters: have.Spec.AllowedClusters,
	}
	if touches(changes, "admin_roles") {
		data.AdminRoles = want.Spec.AdminRoles
	}
	if touches(changes, "allowed_clusters") {
		data.AllowedClusters = want.Spec.AllowedClusters
	}
	data.AdminRoles, data.AllowedClusters = orEmpty(data.AdminRoles), orEmpty(data.AllowedClusters)
	_, err := c.call(ctx, func(ctx context.Context) error { return c.pulsar.Tenants().UpdateWithContext(ctx, data) })
	return err
}

// Delete implements engine.Client.
func (c *tenants) Delete(ctx context.Context, have engine.Observed[spec.Tenant], opts engine.DeleteOptions) error {
	return c.remove(ctx, "/admin/v2/tenants/"+url.PathEscape(have.Spec.Name), opts)
}

// List implements engine.Lister.
func (c *tenants) List(ctx context.Context, _ engine.Key) ([]engine.Observed[spec.Tenant], error) {
	var names []string
	_, err := c.call(ctx, func(ctx context.Context) (err error) {
		names, err = c.pulsar.Tenants().ListWithContext(ctx)
		return err
	})
	if err != nil {
		return nil, err
	}
	keys := make([]engine.Key, 0, len(names))
	for _, name := range names {
		keys = append(keys, keyOf(spec.KindTenant, "", "", name))
	}
	return observeAll(ctx, c, keys)
}

// namespaces drives namespaces. They have no room for marks.
type namespaces struct{ *api }

// Observe implements engine.Client.
func (c *namespaces) Observe(ctx context.Context, key engine.Key) (engine.Observed[spec.Namespace], error) {
	var policies any // none of them has a word in spec
	x, err := c.call(ctx, func(ctx context.Context) error {
		return c.rest.GetWithContext(ctx, namespacePath(key.Tenant, key.Name), &policies)
	})
	if engine.Is(err, engine.NotFound) {
		parent := key
		parent.Namespace = ""
		if missing := c.found(ctx, x, parent, err); missing != nil {
			return engine.Observed[spec.Namespace]{}, missing
		}
	}
	return observed(ctx, c.api, x, spec.Namespace{Tenant: key.Tenant, Name: key.Name}, err)
}

func namespacePath(tenant, name string) string {
	return "/admin/v2/namespaces/" + url.PathEscape(tenant) + "/" + url.PathEscape(name)
}

// Create implements engine.Client.
func (c *namespaces) Create(ctx context.Context, want engine.Object[spec.Namespace]) (engine.Observed[spec.Namespace], error) {
	s := want.Spec
	_, err := c.call(ctx, func(ctx context.Context) error {
		return c.pulsar.Namespaces().CreateNamespaceWithContext(ctx, s.Tenant+"/"+s.Name)
	})
	if err != nil {
		return engine.Observed[spec.Namespace]{}, err
	}
	return c.Observe(ctx, keyOf(spec.KindNamespace, s.Tenant, "", s.Name))
}

// Update implements engine.Client: there is nothing to change yet but what replaces.
func (c *namespaces) Update(ctx context.Context, have engine.Observed[spec.Namespace], _ engine.Object[spec.Namespace], changes []engine.Change) error {
	now, err := c.Observe(ctx, keyOf(spec.KindNamespace, have.Spec.Tenant, "", have.Spec.Name))
	switch {
	case err != nil:
		return err
	case !now.Found:
		return engine.New(engine.NotFound, errors.New("it is gone"))
	case len(changes) > 0:
		return &engine.Error{Class: engine.Immutable, Path: changes[0].Path, Err: errors.New("it cannot be changed in place")}
	}
	return nil
}

// Delete implements engine.Client.
func (c *namespaces) Delete(ctx context.Context, have engine.Observed[spec.Namespace], opts engine.DeleteOptions) error {
	return c.remove(ctx, namespacePath(have.Spec.Tenant, have.Spec.Name), opts)
}

// List implements engine.Lister.
func (c *namespaces) List(ctx context.Context, in engine.Key) ([]engine.Observed[spec.Namespace], error) {
	var names []string
	x, err := c.call(ctx, func(ctx context.Context) (err error) {
		names, err = c.pulsar.Namespaces().GetNamespacesWithContext(ctx, in.Tenant)
		return err
	})
	if err != nil {
		return nil, err
	}
	id, err := c.platform(ctx, x)
	out := make([]engine.Observed[spec.Namespace], 0, len(names))
	for _, full := range names {
		tenant, name, _ := strings.Cut(full, "/")
		o := engine.Observed[spec.Namespace]{Found: true, Platform: id, Status: engine.Status{Phase: engine.Ready}}
		o.Spec = spec.Namespace{Tenant: tenant, Name: name}
		out = append(out, o)
	}
	return out, err
}

// remove deletes by path; what is not there is deleted already.
func (a *api) remove(ctx context.Context, path string, opts engine.DeleteOptions) error {
	params := map[string]string{}
	if opts.Force {
		params["force"] = strconv.FormatBool(true)
	}
	_, err := a.call(ctx, func(ctx context.Context) error {
		return a.rest.DeleteWithQueryParamsWithContext(ctx, path, params)
	})
	if engine.Is(err, engine.NotFound) {
		return nil
	}
	return err
}

func keyOf(kind spec.Kind, tenant, namespace, name string) engine.Key {
	return engine.Key{Kind: string(kind), Tenant: tenant, Namespace: namespace, Name: name}
}

// touches reports whether a change is of the field or of a part of it.
func touches(changes []engine.Change, field spec.Path) bool {
	for _, c := range changes {
		if field.Contains(spec.Path(c.Path)) {
			return true
		}
	}
	return false
}

func orNil(s []string) []string {
	if len(s) == 0 {
		return nil
	}
	return s
}

func orEmpty(s []string) []string {
	if s == nil {
		return []string{}
	}
	return s
}
