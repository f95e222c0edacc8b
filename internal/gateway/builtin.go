package gateway

import (
	"net/http"
	"slices"

	"github.com/go-chi/chi/v5"

	"github.com/functionmesh/terraform-provider-functionmesh/internal/engine"
	"github.com/functionmesh/terraform-provider-functionmesh/internal/spec"
)

// connectorDefinition is Pulsar's model of a built-in connector. Ours have no Java
// class; their name stands for it, because clients ask by class which way it goes.
type connectorDefinition struct {
	Name        string `json:"name"`
	Description string `json:"description"`
	SourceClass string `json:"sourceClass,omitempty"`
	SinkClass   string `json:"sinkClass,omitempty"`
}

type configField struct {
	FieldName  string         `json:"fieldName"`
	TypeName   string         `json:"typeName"`
	Attributes map[string]any `json:"attributes"`
}

// builtinRoutes serve the catalogue of connectors.
func (a componentAPI) builtinRoutes(r chi.Router) {
	reload := func(w http.ResponseWriter, _ *http.Request) { done(w, nil) } // they are part of the program
	switch a.kind {
	case spec.KindFunction:
		r.Get("/connectors", func(w http.ResponseWriter, _ *http.Request) { answer(w, definitions("")) })
		r.Get("/builtins", func(w http.ResponseWriter, _ *http.Request) { answer(w, []any{}) })
		r.Post("/builtins/reload", reload)
		r.Get("/download", a.downloadPath)
		r.Post("/upload", func(w http.ResponseWriter, _ *http.Request) {
			refused := &engine.Error{Class: engine.Invalid, Err: errNoUpload}
			failAs(w, refused, http.StatusMethodNotAllowed)
		})
	case spec.KindSource:
		a.catalogueRoutes(r, "/builtinsources")
		r.Post("/reloadBuiltInSources", reload)
	default:
		a.catalogueRoutes(r, "/builtinsinks")
		r.Post("/reloadBuiltInSinks", reload)
	}
}

func (a componentAPI) catalogueRoutes(r chi.Router, path string) {
	r.Get(path, func(w http.ResponseWriter, _ *http.Request) { answer(w, definitions(a.kind)) })
	r.Get(path+"/{name}/configdefinition", func(w http.ResponseWriter, r *http.Request) {
		c, ok := spec.LookupConnector(param(r, "name"))
		if !ok || !slices.Contains(c.Kinds, a.kind) {
			fail(w, absent(engine.Key{Kind: "built-in " + string(a.kind), Name: param(r, "name")}))
			return
		}
		fields := []configField{}
		for _, f := range c.FieldsFor(a.kind) {
			attributes := map[string]any{"help": f.Doc, "required": f.Required}
			if f.Default != nil {
				attributes["defaultValue"] = f.Default
			}
			fields = append(fields, configField{FieldName: f.Name, TypeName: f.Type, Attributes: attributes})
		}
		answer(w, fields)
	})
}

// definitions are the connectors of a kind, "" for all.
func definitions(kind spec.Kind) []connectorDefinition {
	out := []connectorDefinition{}
	for _, c := range spec.Connectors() {
		if kind != "" && !slices.Contains(c.Kinds, kind) {
			continue
		}
		d := connectorDefinition{Name: c.Name, Description: c.Doc}
		if slices.Contains(c.Kinds, spec.KindSource) {
			d.SourceClass = c.Name
		}
		if slices.Contains(c.Kinds, spec.KindSink) {
			d.SinkClass = c.Name
		}
		out = append(out, d)
	}
	return out
}

// downloadPath answers a package by its URL; other paths belong to Pulsar's own store.
func (a componentAPI) downloadPath(w http.ResponseWriter, r *http.Request) {
	body, err := a.openPackage(r.Context(), r.URL.Query().Get("path"))
	stream(w, body, err)
}
