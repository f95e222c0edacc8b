package admin

import (
	"context"
	"errors"
	"strconv"
	"strings"

	"github.com/apache/pulsar-client-go/pulsaradmin/pkg/utils"

	"github.com/functionmesh/terraform-provider-functionmesh/internal/engine"
	"github.com/functionmesh/terraform-provider-functionmesh/internal/pulsarform"
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

// write sends a tenant. A Pulsar wants clusters to be named; those it has are meant
// where none are.
func (c *tenants) write(ctx context.Context, data utils.TenantData, send func(context.Context, utils.TenantData) error) error {
	x, err := c.call(ctx, func(ctx context.Context) error { return send(ctx, data) })
	if !engine.Is(err, engine.Invalid) || ours(x) || len(data.AllowedClusters) > 0 {
		return err
	}
	if data.AllowedClusters, err = c.clusters(ctx); err == nil {
		_, err = c.call(ctx, func(ctx context.Context) error { return send(ctx, data) })
	}
	return err
}

// Create implements engine.Client.
func (c *tenants) Create(ctx context.Context, want engine.Object[spec.Tenant]) (engine.Observed[spec.Tenant], error) {
	data := utils.TenantData{
		Name: want.Spec.Name, AdminRoles: orEmpty(want.Spec.AdminRoles), AllowedClusters: orEmpty(want.Spec.AllowedClusters),
	}
	if err := c.write(ctx, data, c.pulsar.Tenants().CreateWithContext); err != nil {
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
	return c.write(ctx, data, c.pulsar.Tenants().UpdateWithContext)
}

// Delete implements engine.Client.
func (c *tenants) Delete(ctx context.Context, have engine.Observed[spec.Tenant], opts engine.DeleteOptions) error {
	return c.remove(ctx, "/admin/v2/tenants/"+segment(have.Spec.Name), opts)
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

// namespaces drives namespaces. Marks are properties with a reserved prefix, on our own
// server only.
type namespaces struct{ *api }

// Observe implements engine.Client.
func (c *namespaces) Observe(ctx context.Context, key engine.Key) (engine.Observed[spec.Namespace], error) {
	var policies namespacePolicies
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
	out, err := observed(ctx, c.api, x, spec.Namespace{Tenant: key.Tenant, Name: key.Name}, err)
	if out.Found {
		out.Marks = marksIn(policies.Properties)
	}
	return out, err
}

// namespacePolicies is what we know of a namespace's policies: none but the properties
// has a word in spec.
type namespacePolicies struct {
	Properties map[string]string `json:"properties"`
}

func namespacePath(tenant, name string) string {
	return "/admin/v2/namespaces/" + segment(tenant) + "/" + segment(name)
}

// Create implements engine.Client. A Pulsar is given no marks: with policies in the
// request it would no longer choose the number of bundles itself, and properties that
// are set right after a creation may overwrite the whole of its policies (4.0.8), as if
// the namespace had none. So after a lost answer the namespace is reported as existing.
func (c *namespaces) Create(ctx context.Context, want engine.Object[spec.Namespace]) (engine.Observed[spec.Namespace], error) {
	s := want.Spec
	var names any
	x, err := c.call(ctx, func(ctx context.Context) error { return c.rest.GetWithContext(ctx, "/admin/v2/clusters", &names) })
	if err != nil {
		return engine.Observed[spec.Namespace]{}, err
	}
	path, marks := namespacePath(s.Tenant, s.Name), properties(want.Marks, nil)
	var policies any
	if ours(x) {
		policies = namespacePolicies{marks}
	}
	_, err = c.call(ctx, func(ctx context.Context) error { return c.rest.PutWithContext(ctx, path, policies) })
	if err != nil {
		return engine.Observed[spec.Namespace]{}, err
	}
	return c.Observe(ctx, keyOf(spec.KindNamespace, s.Tenant, "", s.Name))
}

// Update implements engine.Client: there is nothing to change but the marks.
func (c *namespaces) Update(ctx context.Context, have engine.Observed[spec.Namespace], want engine.Object[spec.Namespace], changes []engine.Change) error {
	if len(changes) > 0 {
		return &engine.Error{Class: engine.Immutable, Path: changes[0].Path, Err: errors.New("it cannot be changed in place")}
	}
	if want.Marks.Owner == "" {
		want.Marks.Owner = have.Marks.Owner
	}
	path := namespacePath(have.Spec.Tenant, have.Spec.Name)
	var now namespacePolicies
	x, err := c.call(ctx, func(ctx context.Context) error { return c.rest.GetWithContext(ctx, path, &now) })
	if err != nil || !ours(x) {
		return err
	}
	_, err = c.call(ctx, func(ctx context.Context) error {
		return c.rest.PutWithContext(ctx, path+"/properties", properties(want.Marks, nil))
	})
	if err == nil && have.Marks.Creating && !want.Marks.Creating {
		_, err = c.call(ctx, func(ctx context.Context) error {
			return c.rest.DeleteWithContext(ctx, path+"/property/"+pulsarform.PropertyCreating)
		})
	}
	return err
}

// Delete implements engine.Client.
func (c *namespaces) Delete(ctx context.Context, have engine.Observed[spec.Namespace], opts engine.DeleteOptions) error {
	return c.remove(ctx, namespacePath(have.Spec.Tenant, have.Spec.Name), opts)
}

// List implements engine.Lister.
func (c *namespaces) List(ctx context.Context, in engine.Key) ([]engine.Observed[spec.Namespace], error) {
	var names []string
	_, err := c.call(ctx, func(ctx context.Context) (err error) {
		names, err = c.pulsar.Namespaces().GetNamespacesWithContext(ctx, in.Tenant)
		return err
	})
	if err != nil {
		return nil, err
	}
	keys := make([]engine.Key, 0, len(names))
	for _, full := range names {
		tenant, name, _ := strings.Cut(full, "/")
		keys = append(keys, keyOf(spec.KindNamespace, tenant, "", name))
	}
	return observeAll(ctx, c, keys)
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
