package gateway

import (
	"context"
	"maps"
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
	r.Get("/namespaces/{tenant}/{name}/properties", s.getNamespaceProperties)
	r.Put("/namespaces/{tenant}/{name}/properties", s.putNamespaceProperties)
	r.Delete("/namespaces/{tenant}/{name}/property/{key}", s.deleteNamespaceProperty)
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

// getNamespace answers the policies of a namespace: it has none but its cluster, and
// our marks.
func (s *server) getNamespace(w http.ResponseWriter, r *http.Request) {
	have, err := observe(r.Context(), s.Clients.Namespaces, keyOf(r, spec.KindNamespace))
	answerOr(w, map[string]any{
		"replication_clusters": []string{s.cluster()}, "properties": markProperties(have.Marks),
	}, err)
}

func (s *server) putNamespace(w http.ResponseWriter, r *http.Request) {
	n := spec.Namespace{Tenant: param(r, "tenant"), Name: param(r, "name")}
	want := engine.Object[spec.Namespace]{Spec: n}
	err := problems(catalog.Namespace().Validate(n))
	if err == nil {
		want.Marks, err = readPolicies(r)
	}
	if err == nil {
		_, err = s.Clients.Namespaces.Create(r.Context(), want)
	}
	done(w, err)
}

// readPolicies takes our marks out of the policies of a new namespace and refuses what
// it cannot be given here. Clients write unset policies as null, false, zero or empty.
func readPolicies(r *http.Request) (engine.Marks, error) {
	var policies map[string]any
	if err := readJSON(r, &policies); err != nil {
		return engine.Marks{}, err
	}
	marks := engine.Marks{}
	for _, name := range spec.SortedKeys(policies) {
		switch {
		case name == "bundles" || name == "replication_clusters" || isEmpty(policies[name]):
		case name == "properties":
			given := map[string]string{}
			all, _ := policies[name].(map[string]any)
			for k, v := range all {
				given[k], _ = v.(string)
			}
			var err error
			if marks, err = marksIn(given); err != nil {
				return marks, err
			}
		default:
			return marks, invalid("", "the policy %s cannot be honoured here", name)
		}
	}
	return marks, nil
}

// marksIn reads properties of a namespace, which has no others than our marks.
func marksIn(properties map[string]string) (engine.Marks, error) {
	o := topicObject(engine.Key{}, partitionsBody{Properties: properties})
	if len(o.Spec.Properties) > 0 {
		return o.Marks, invalid("", "properties of namespaces are not kept here")
	}
	return o.Marks, nil
}

func markProperties(m engine.Marks) map[string]string {
	return propertiesOf(engine.Object[spec.Topic]{Marks: m})
}

func (s *server) getNamespaceProperties(w http.ResponseWriter, r *http.Request) {
	have, err := observe(r.Context(), s.Clients.Namespaces, keyOf(r, spec.KindNamespace))
	answerOr(w, markProperties(have.Marks), err)
}

func (s *server) putNamespaceProperties(w http.ResponseWriter, r *http.Request) {
	given := map[string]string{}
	err := readJSON(r, &given)
	if err == nil {
		err = s.markNamespace(r, func(all map[string]string) {
			maps.Copy(all, given)
		})
	}
	done(w, err)
}

func (s *server) deleteNamespaceProperty(w http.ResponseWriter, r *http.Request) {
	done(w, s.markNamespace(r, func(all map[string]string) { delete(all, param(r, "key")) }))
}

func (s *server) markNamespace(r *http.Request, change func(map[string]string)) error {
	have, err := observe(r.Context(), s.Clients.Namespaces, keyOf(r, spec.KindNamespace))
	if err != nil {
		return err
	}
	all := markProperties(have.Marks)
	change(all)
	want := engine.Object[spec.Namespace]{Spec: have.Spec}
	if want.Marks, err = marksIn(all); err != nil {
		return err
	}
	return write(r.Context(), s.Clients.Namespaces, catalog.Namespace(), have, want)
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
