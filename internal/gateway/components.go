package gateway

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"

	"github.com/go-chi/chi/v5"

	"github.com/functionmesh/terraform-provider-functionmesh/internal/catalog"
	"github.com/functionmesh/terraform-provider-functionmesh/internal/engine"
	"github.com/functionmesh/terraform-provider-functionmesh/internal/pulsarform"
	"github.com/functionmesh/terraform-provider-functionmesh/internal/spec"
)

// face is what differs between functions, sources and sinks.
type face struct {
	path   string // of the API
	config string // name of the part that holds the configuration
	word   string // as Pulsar's messages write it
}

var faces = map[spec.Kind]face{
	spec.KindFunction: {"functions", "functionConfig", "Function"},
	spec.KindSource:   {"sources", "sourceConfig", "Source"},
	spec.KindSink:     {"sinks", "sinkConfig", "Sink"},
}

// componentAPI serves one kind of component.
type componentAPI struct {
	*server
	kind spec.Kind
	face
	client engine.Client[spec.Component]
	entity catalog.Entity[spec.Component]
}

func (s *server) componentRoutes(r chi.Router, kind spec.Kind, f face) {
	a := componentAPI{server: s, kind: kind, face: f, client: s.Clients.Components[kind], entity: catalog.Component(kind)}
	a.builtinRoutes(r)
	r.Get("/{tenant}/{namespace}", a.list)
	r.Route("/{tenant}/{namespace}/{name}", func(r chi.Router) {
		r.Post("/", a.register)
		r.Put("/", a.update)
		r.Get("/", a.get)
		r.Delete("/", func(w http.ResponseWriter, r *http.Request) { done(w, remove(r, a.client, a.key(r))) })
		a.statusRoutes(r)
		a.verbRoutes(r)
	})
}

func (a componentAPI) key(r *http.Request) engine.Key { return keyOf(r, a.kind) }

// list answers the names in a namespace, or everything about them when our own client
// asks.
func (a componentAPI) list(w http.ResponseWriter, r *http.Request) {
	all, err := list(r.Context(), a.client, engine.Key{
		Kind: string(a.kind), Tenant: param(r, "tenant"), Namespace: param(r, "namespace"),
	})
	if err != nil {
		fail(w, err)
		return
	}
	slices.SortFunc(all, func(x, y engine.Observed[spec.Component]) int {
		if x.Spec.Name < y.Spec.Name {
			return -1
		}
		return 1
	})
	if !r.URL.Query().Has(pulsarform.ExpandQuery) {
		names := make([]string, 0, len(all))
		for _, c := range all {
			names = append(names, c.Spec.Name)
		}
		answer(w, names)
		return
	}
	expanded := make([]pulsarform.Expanded, 0, len(all))
	for _, c := range all {
		e, err := a.expand(c)
		if err != nil {
			fail(w, err)
			return
		}
		expanded = append(expanded, e)
	}
	answer(w, expanded)
}

func (a componentAPI) expand(have engine.Observed[spec.Component]) (pulsarform.Expanded, error) {
	config, err := a.configOf(have.Object)
	if err != nil {
		return pulsarform.Expanded{}, err
	}
	status, err := json.Marshal(have.Status)
	if err != nil {
		return pulsarform.Expanded{}, fmt.Errorf("encode the status: %w", err)
	}
	return pulsarform.Expanded{Config: config, Status: status}, nil
}

// configOf is the configuration that a caller sees. Where the code lies on this side
// is no business of theirs.
func (a componentAPI) configOf(o engine.Object[spec.Component]) (json.RawMessage, error) {
	c := o.Spec.Clone()
	c.Kind = a.kind
	if _, code := c.Runtime.Chosen(); code != nil {
		code.File = ""
	}
	return pulsarform.Encode(pulsarform.Decoded{Component: c, Envelope: pulsarform.Envelope{
		Owner: o.Marks.Owner, Mesh: o.Marks.Mesh, Creating: o.Marks.Creating, Digest: o.Marks.Digest,
		BaseDir: o.Marks.BaseDir,
		Rest:    pulsarform.WithConnections(nil, o.Marks.Connections),
	}})
}

func (a componentAPI) get(w http.ResponseWriter, r *http.Request) {
	have, err := observe(r.Context(), a.client, a.key(r))
	if err != nil {
		fail(w, err)
		return
	}
	if r.URL.Query().Has(pulsarform.ExpandQuery) {
		e, err := a.expand(have)
		answerOr(w, e, err)
		return
	}
	config, err := a.configOf(have.Object)
	answerOr(w, config, err)
}

// register creates. What exists already is answered as Pulsar does, with 400; the
// class in the header tells our own client.
func (a componentAPI) register(w http.ResponseWriter, r *http.Request) {
	err := a.create(r)
	if engine.Is(err, engine.Exists) {
		failAs(w, err, http.StatusBadRequest)
		return
	}
	done(w, err)
}

func (a componentAPI) create(r *http.Request) error {
	key := a.key(r)
	// Whatever is in the way is found before anything is uploaded. A namespace that is
	// not here may be where the component has its streams: creating tells.
	have, err := a.client.Observe(r.Context(), key)
	if err != nil && !engine.Is(err, engine.NotFound) {
		return err
	}
	if have.Found {
		return &engine.Error{Class: engine.Exists, Err: fmt.Errorf("%s %s already exists", a.word, key.Name)}
	}
	form, err := a.readForm(r)
	if err != nil {
		return err
	}
	want, err := a.object(form.config, key)
	if err != nil {
		return err
	}
	if err := a.place(&want, form, engine.Object[spec.Component]{}); err != nil {
		return err
	}
	if err := a.check(want.Spec); err != nil {
		return err
	}
	want.Spec = a.entity.Default(want.Spec)
	_, err = a.client.Create(r.Context(), want)
	return err
}

// object is what a configuration asks for. The names in the path win, as with Pulsar,
// and must not differ.
func (a componentAPI) object(config []byte, key engine.Key) (engine.Object[spec.Component], error) {
	d, err := pulsarform.Decode(a.kind, config)
	if err != nil {
		return engine.Object[spec.Component]{}, err
	}
	c := d.Component
	for _, part := range []struct {
		field string
		have  *string
		want  string
	}{{"tenant", &c.Tenant, key.Tenant}, {"namespace", &c.Namespace, key.Namespace}, {"name", &c.Name, key.Name}} {
		if *part.have != "" && *part.have != part.want {
			return engine.Object[spec.Component]{}, invalid(spec.Path(part.field), "is %q in the configuration and %q in the path", *part.have, part.want)
		}
		*part.have = part.want
	}
	return engine.Object[spec.Component]{Spec: c, Marks: engine.Marks{
		Owner: d.Envelope.Owner, Mesh: d.Envelope.Mesh, Creating: d.Envelope.Creating, Digest: d.Envelope.Digest,
		BaseDir: d.Envelope.BaseDir, Connections: d.Envelope.Connections(),
	}}, nil
}

// check refuses what is wrong with a component, and what this platform would have to
// ignore.
func (a componentAPI) check(c spec.Component) error {
	found := a.entity.Validate(c)
	if a.Platform != "" {
		found = append(found, spec.Honour(a.Platform, c)...)
	}
	return problems(found)
}

func (a componentAPI) update(w http.ResponseWriter, r *http.Request) { done(w, a.change(r)) }

// change replaces the whole configuration when our own client says so, else only what
// the request sets.
func (a componentAPI) change(r *http.Request) error {
	key := a.key(r)
	have, err := observe(r.Context(), a.client, key)
	if err != nil {
		return err
	}
	form, err := a.readForm(r)
	if err != nil {
		return err
	}
	if form.partial = r.Header.Get(pulsarform.HeaderReplace) == ""; form.partial {
		old, err := a.configOf(have.Object)
		if err != nil {
			return err
		}
		if form.config, err = pulsarform.Merge(old, form.config); err != nil {
			return err
		}
	}
	want, err := a.object(form.config, key)
	if err != nil {
		return err
	}
	if err := a.place(&want, form, have.Object); err != nil {
		return err
	}
	if err := a.check(want.Spec); err != nil {
		return err
	}
	return a.write(r.Context(), have, want)
}

// write updates in place, another runtime kind included: the platform keeps the
// subscription either way, and whoever wants a replacement deletes first.
func (a componentAPI) write(ctx context.Context, have engine.Observed[spec.Component], want engine.Object[spec.Component]) error {
	want.Spec = a.entity.Default(want.Spec)
	if want.Marks.Owner == "" {
		want.Marks.Owner = have.Marks.Owner
	}
	if want.Spec.State == "" {
		want.Spec.State = have.Spec.State
	}
	changes := a.entity.Diff(have, want, nil)
	for i, change := range changes {
		if change.Op == engine.Replace {
			changes[i].Op = engine.Set
		}
	}
	if len(changes) == 0 && want.Marks == have.Marks {
		return nil
	}
	return a.client.Update(ctx, have, want, changes)
}
