package gateway

import (
	"context"
	"net/http"
	"slices"

	"github.com/go-chi/chi/v5"

	"github.com/functionmesh/terraform-provider-functionmesh/internal/catalog"
	"github.com/functionmesh/terraform-provider-functionmesh/internal/engine"
	"github.com/functionmesh/terraform-provider-functionmesh/internal/spec"
)

// tenantInfo is Pulsar's model of a tenant.
type tenantInfo struct {
	AdminRoles      []string `json:"adminRoles"`
	AllowedClusters []string `json:"allowedClusters"`
}

func (s *server) tenantRoutes(r chi.Router) {
	r.Get("/tenants", s.listTenants)
	r.Get("/tenants/{name}", s.getTenant)
	r.Put("/tenants/{name}", s.putTenant)
	r.Post("/tenants/{name}", s.updateTenant)
	r.Delete("/tenants/{name}", func(w http.ResponseWriter, r *http.Request) {
		done(w, remove(r, s.Clients.Tenants, keyOf(r, spec.KindTenant)))
	})
}

func (s *server) listTenants(w http.ResponseWriter, r *http.Request) {
	all, err := list(r.Context(), s.Clients.Tenants, engine.Key{Kind: string(spec.KindTenant)})
	names := make([]string, 0, len(all))
	for _, t := range all {
		names = append(names, t.Spec.Name)
	}
	slices.Sort(names)
	answerOr(w, names, err)
}

func (s *server) getTenant(w http.ResponseWriter, r *http.Request) {
	have, err := observe(r.Context(), s.Clients.Tenants, keyOf(r, spec.KindTenant))
	answerOr(w, tenantInfo{AdminRoles: orEmpty(have.Spec.AdminRoles), AllowedClusters: orEmpty(have.Spec.AllowedClusters)}, err)
}

func (s *server) tenantOf(r *http.Request) (spec.Tenant, error) {
	var info tenantInfo
	if err := readJSON(r, &info); err != nil {
		return spec.Tenant{}, err
	}
	t := spec.Tenant{Name: param(r, "name"), AdminRoles: info.AdminRoles, AllowedClusters: info.AllowedClusters}
	return t, problems(catalog.Tenant().Validate(t))
}

func (s *server) putTenant(w http.ResponseWriter, r *http.Request) {
	t, err := s.tenantOf(r)
	if err == nil {
		_, err = s.Clients.Tenants.Create(r.Context(), engine.Object[spec.Tenant]{Spec: t})
	}
	done(w, err)
}

func (s *server) updateTenant(w http.ResponseWriter, r *http.Request) {
	t, err := s.tenantOf(r)
	if err != nil {
		fail(w, err)
		return
	}
	have, err := observe(r.Context(), s.Clients.Tenants, keyOf(r, spec.KindTenant))
	if err != nil {
		fail(w, err)
		return
	}
	// The request is the whole tenant: what it leaves out is cleared.
	have.Owned = []string{"admin_roles", "allowed_clusters"}
	done(w, write(r.Context(), s.Clients.Tenants, catalog.Tenant(), have, engine.Object[spec.Tenant]{Spec: t}))
}

func (s *server) namespaceRoutes(r chi.Router) {
	r.Get("/namespaces/{tenant}", s.listNamespaces)
	r.Get("/namespaces/{tenant}/{name}", s.getNamespace)
	r.Put("/namespaces/{tenant}/{name}", s.putNamespace)
	r.Get("/namespaces/{tenant}/{namespace}/topics", s.listTopics)
	r.Delete("/namespaces/{tenant}/{name}", func(w http.ResponseWriter, r *http.Request) {
		done(w, remove(r, s.Clients.Namespaces, keyOf(r, spec.KindNamespace)))
	})
}

func (s *server) listNamespaces(w http.ResponseWriter, r *http.Request) {
	tenant := param(r, "tenant")
	if _, err := observe(r.Context(), s.Clients.Tenants, engine.Key{Kind: string(spec.KindTenant), Name: tenant}); err != nil {
		fail(w, err)
		return
	}
	all, err := list(r.Context(), s.Clients.Namespaces, engine.Key{Kind: string(spec.KindNamespace), Tenant: tenant})
	names := make([]string, 0, len(all))
	for _, n := range all {
		names = append(names, n.Spec.Tenant+"/"+n.Spec.Name)
	}
	slices.Sort(names)
	answerOr(w, names, err)
}

// getNamespace answers the policies of a namespace: it has none but its cluster.
func (s *server) getNamespace(w http.ResponseWriter, r *http.Request) {
	_, err := observe(r.Context(), s.Clients.Namespaces, keyOf(r, spec.KindNamespace))
	answerOr(w, map[string]any{"replication_clusters": []string{s.cluster()}}, err)
}

func (s *server) putNamespace(w http.ResponseWriter, r *http.Request) {
	n := spec.Namespace{Tenant: param(r, "tenant"), Name: param(r, "name")}
	err := problems(catalog.Namespace().Validate(n))
	if err == nil {
		err = checkPolicies(r)
	}
	if err == nil {
		_, err = s.Clients.Namespaces.Create(r.Context(), engine.Object[spec.Namespace]{Spec: n})
	}
	done(w, err)
}

// checkPolicies refuses what a new namespace cannot be given here. Clients write
// unset policies as null, false, zero or empty.
func checkPolicies(r *http.Request) error {
	var policies map[string]any
	if err := readJSON(r, &policies); err != nil {
		return err
	}
	for _, name := range spec.SortedKeys(policies) {
		if name == "bundles" || name == "replication_clusters" || isEmpty(policies[name]) {
			continue
		}
		return invalid("", "the policy %s cannot be honoured here", name)
	}
	return nil
}

// isEmpty reports whether a JSON value says nothing.
func isEmpty(v any) bool {
	switch v := v.(type) {
	case nil:
		return true
	case bool:
		return !v
	case string:
		return v == ""
	case float64:
		return v == 0
	case []any:
		return len(v) == 0
	case map[string]any:
		for _, inner := range v {
			if !isEmpty(inner) {
				return false
			}
		}
		return true
	}
	return false
}

func orEmpty(s []string) []string {
	if s == nil {
		return []string{}
	}
	return s
}

// observe reads an object that must be there.
func observe[S any](ctx context.Context, c engine.Client[S], key engine.Key) (engine.Observed[S], error) {
	have, err := c.Observe(ctx, key)
	if err == nil && !have.Found {
		err = absent(key)
	}
	return have, err
}

func list[S any](ctx context.Context, c engine.Client[S], in engine.Key) ([]engine.Observed[S], error) {
	lister, ok := c.(engine.Lister[S])
	if !ok {
		return nil, invalid("", "a %s cannot be listed here", in.Kind)
	}
	return lister.List(ctx, in)
}

func remove[S any](r *http.Request, c engine.Client[S], key engine.Key) error {
	have, err := observe(r.Context(), c, key)
	if err != nil {
		return err
	}
	return c.Delete(r.Context(), have, engine.DeleteOptions{Force: r.URL.Query().Get("force") == "true"})
}

// write turns what is there into what is wanted. Nothing is written when nothing
// differs.
func write[S any](ctx context.Context, c engine.Client[S], e catalog.Entity[S], have engine.Observed[S], want engine.Object[S]) error {
	want.Spec = e.Default(want.Spec)
	if want.Marks.Owner == "" {
		want.Marks.Owner = have.Marks.Owner
	}
	changes := e.Diff(have, want, nil)
	for _, change := range changes {
		if change.Op == engine.Replace {
			return &engine.Error{
				Class: engine.Immutable, Path: change.Path,
				Err: errImmutable, Hint: "Delete and create it again, or choose another name",
			}
		}
	}
	if len(changes) == 0 && want.Marks == have.Marks {
		return nil
	}
	return c.Update(ctx, have, want, changes)
}
