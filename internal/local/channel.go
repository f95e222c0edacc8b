package local

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"

	"github.com/go-chi/chi/v5"

	"github.com/functionmesh/terraform-provider-functionmesh/internal/engine"
	"github.com/functionmesh/terraform-provider-functionmesh/internal/local/supervisor"
	"github.com/functionmesh/terraform-provider-functionmesh/internal/spec"
)

const (
	requestLimit = 8 << 20
	defaultTail  = 100
)

// handler is the unix socket's: the side channel, and Pulsar's REST API for the rest.
func (d *daemon) handler() http.Handler {
	r := chi.NewRouter()
	r.Route(sidePath, func(r chi.Router) {
		r.Get("/handshake", d.answer(d.getHandshake))
		r.Get("/broker", d.answer(d.getBroker))
		r.Post("/drain", d.answer(d.postDrain))
		r.Put("/settings", d.answer(d.putSettings))
		r.Get("/secrets", d.answer(d.getSecrets))
		r.Put("/secrets/{name}/{key}", d.answer(d.putSecret))
		r.Delete("/secrets/{name}", d.answer(d.deleteSecret))
		r.Delete("/secrets/{name}/{key}", d.answer(d.deleteSecret))
		r.Get("/connections", d.answer(d.getConnections))
		r.Put("/connections", d.answer(d.putConnections))
		r.Delete("/connections/{key}", d.answer(d.deleteConnection))
		r.Post("/wire", d.answer(d.postWire))
		r.Get("/subscriptions", d.answer(d.getSubscriptions))
		r.Delete("/subscriptions", d.answer(d.deleteSubscription))
		r.Get("/logs/{kind}/{tenant}/{namespace}/{name}", d.getLogs)
	})
	pulsar := d.gateway(false, spec.Secret{})
	return http.HandlerFunc(func(w http.ResponseWriter, q *http.Request) {
		if strings.HasPrefix(q.URL.Path, sidePath+"/") {
			r.ServeHTTP(w, q)
			return
		}
		pulsar.ServeHTTP(w, q) // not as a part of our router, which would match the escaped path
	})
}

// answer turns a function of a request into a handler: a result as JSON, an error as
// a fault, nil as no content.
func (d *daemon) answer(f func(*http.Request) (any, error)) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		r.Body = http.MaxBytesReader(w, r.Body, requestLimit)
		result, err := f(r)
		switch {
		case err != nil:
			d.refuse(w, err)
		case result == nil:
			w.WriteHeader(http.StatusNoContent)
		default:
			d.write(w, http.StatusOK, result)
		}
	}
}

func (d *daemon) write(w http.ResponseWriter, status int, body any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	if err := json.NewEncoder(w).Encode(body); err != nil {
		d.log.Debug("answer", "error", err)
	}
}

func (d *daemon) refuse(w http.ResponseWriter, err error) {
	f := fault{Message: err.Error()}
	status := http.StatusInternalServerError
	if e, ok := errors.AsType[*engine.Error](err); ok {
		f.Class, f.Path, f.Hint = e.Class, e.Path, e.Hint
		if e.Err != nil && err == error(e) { //nolint:errorlint // only when nothing wraps it are its parts the whole
			f.Message = e.Err.Error()
		} else {
			// The message says both. It begins with the path where it joins several.
			rest, first := strings.CutPrefix(f.Message, e.Path+": ")
			f.Hint = ""
			if first && e.Path != "" && e.Key.Name == "" {
				f.Message = rest
			} else {
				f.Path = ""
			}
		}
		status = statusOf(e.Class)
	}
	d.write(w, status, f)
}

func statusOf(c engine.Class) int {
	switch c {
	case engine.NotFound:
		return http.StatusNotFound
	case engine.Exists, engine.Conflict:
		return http.StatusConflict
	case engine.Invalid, engine.Immutable:
		return http.StatusBadRequest
	case engine.Forbidden:
		return http.StatusForbidden
	case engine.Unavailable:
		return http.StatusServiceUnavailable
	}
	return http.StatusInternalServerError
}

func decode(r *http.Request, into any) error {
	dec := json.NewDecoder(r.Body)
	dec.DisallowUnknownFields()
	if err := dec.Decode(into); err != nil {
		return engine.New(engine.Invalid, fmt.Errorf("request: %w", err))
	}
	return nil
}

func (d *daemon) getHandshake(*http.Request) (any, error) {
	h := d.hello
	h.Settings = d.current()
	var err error
	h.Declared, err = d.platform.Declared()
	h.Instances = d.platform.Supervisor.Running()
	return h, err
}

func (d *daemon) getBroker(*http.Request) (any, error) { return d.broker.Address(), nil }

func (d *daemon) postDrain(r *http.Request) (any, error) {
	var q drainRequest
	if err := decode(r, &q); err != nil {
		return nil, err
	}
	if err := d.platform.Drain(r.Context()); err != nil {
		return nil, err
	}
	if q.Exit {
		d.quit()
	}
	return nil, nil //nolint:nilnil // an answer without content
}

func (d *daemon) getSecrets(*http.Request) (any, error) { return d.store.Secrets() }

func (d *daemon) putSecret(r *http.Request) (any, error) {
	var q secretRequest
	if err := decode(r, &q); err != nil {
		return nil, err
	}
	return nil, d.platform.PutSecret(r.Context(), chi.URLParam(r, "name"), chi.URLParam(r, "key"), spec.NewSecret(q.Value))
}

func (d *daemon) deleteSecret(r *http.Request) (any, error) {
	return nil, d.platform.DeleteSecret(chi.URLParam(r, "name"), chi.URLParam(r, "key"))
}

func (d *daemon) postWire(r *http.Request) (any, error) {
	var q wireRequest
	if err := decode(r, &q); err != nil {
		return nil, err
	}
	q.Component.Kind = q.Kind
	return d.platform.Wire(r.Context(), q.Component)
}

func (d *daemon) getLogs(w http.ResponseWriter, r *http.Request) {
	q, err := logQuery(r)
	if err != nil {
		d.refuse(w, err)
		return
	}
	key := engine.Key{
		Kind: chi.URLParam(r, "kind"), Tenant: chi.URLParam(r, "tenant"), Namespace: chi.URLParam(r, "namespace"), Name: chi.URLParam(r, "name"),
	}
	switch spec.Kind(key.Kind) {
	case spec.KindFunction, spec.KindSource, spec.KindSink:
	default:
		d.refuse(w, engine.New(engine.Invalid, fmt.Errorf("a %s has no log", key.Kind)))
		return
	}
	for _, part := range []string{key.Tenant, key.Namespace, key.Name} {
		if part == "" || part == "." || part == ".." || strings.ContainsAny(part, `/\`) {
			d.refuse(w, engine.New(engine.Invalid, fmt.Errorf("%q is no name", part)))
			return
		}
	}
	out := &stream{w: w, flush: http.NewResponseController(w).Flush}
	if err := d.platform.Supervisor.Logs(r.Context(), key, q, out); err != nil && !out.begun {
		d.refuse(w, err)
	}
}

func logQuery(r *http.Request) (supervisor.LogQuery, error) {
	q := supervisor.LogQuery{Instance: -1, Tail: defaultTail, Follow: r.URL.Query().Get("follow") == "true"}
	for name, into := range map[string]*int{"instance": &q.Instance, "tail": &q.Tail} {
		text := r.URL.Query().Get(name)
		if text == "" {
			continue
		}
		n, err := strconv.Atoi(text)
		if err != nil {
			return q, engine.New(engine.Invalid, fmt.Errorf("%s: %w", name, err))
		}
		*into = n
	}
	return q, nil
}

// stream sends every line at once.
type stream struct {
	w     http.ResponseWriter
	flush func() error
	begun bool
}

func (s *stream) Write(p []byte) (int, error) {
	if !s.begun {
		s.begun = true
		s.w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	}
	n, err := s.w.Write(p)
	if err == nil {
		err = s.flush()
	}
	return n, err
}
