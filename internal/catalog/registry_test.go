package catalog_test

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"

	"github.com/functionmesh/terraform-provider-functionmesh/internal/catalog"
	"github.com/functionmesh/terraform-provider-functionmesh/internal/engine"
	"github.com/functionmesh/terraform-provider-functionmesh/internal/engine/enginetest"
	"github.com/functionmesh/terraform-provider-functionmesh/internal/spec"
)

func (p *platform) registry() *catalog.Registry {
	clients := catalog.Clients{
		Topics:     memory(catalog.Topic()),
		Components: map[spec.Kind]engine.Client[spec.Component]{},
	}
	for kind, m := range p.kinds {
		clients.Components[kind] = m
	}
	return catalog.NewRegistry(clients)
}

func (p *platform) handle(t *testing.T, kind spec.Kind) catalog.Handle {
	t.Helper()
	h, err := p.registry().Kind(kind)
	if err != nil {
		t.Fatal(err)
	}
	return h
}

func TestRegistryHasWhatThePlatformHas(t *testing.T) {
	r := newPlatform().registry()
	cases := map[string]struct {
		kind  spec.Kind
		class engine.Class
		waits bool
	}{
		"Topic":    {kind: spec.KindTopic},
		"Function": {kind: spec.KindFunction, waits: true},
		"Source":   {kind: spec.KindSource, waits: true},
		"Sink":     {kind: spec.KindSink, waits: true},
		"Mesh":     {kind: spec.KindMesh, waits: true},
		"Tenant":   {kind: spec.KindTenant, class: engine.Invalid},
		"Unheard":  {kind: "unheard", class: engine.Invalid},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			h, err := r.Kind(c.kind)
			if engine.ClassOf(err) != c.class {
				t.Fatalf("Kind: %v, want class %q", err, c.class)
			}
			if _, waits := h.(catalog.Waiter); waits != c.waits {
				t.Errorf("can be waited for: %v, want %v", waits, c.waits)
			}
		})
	}
}

const (
	sumA = "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
	sumB = "bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb"

	enrichDoc = `{"name":"enrich","runtime":{"python":{"file":"e.py","sha256":"` + sumA + `","class":"e.E"}},"inputs":{"orders":{}},"output":{"topic":"out"}}`
)

func TestHandleApply(t *testing.T) {
	ours := engine.Marks{Owner: "cli"}
	cases := map[string]struct {
		doc    string
		opts   catalog.ApplyOptions
		class  engine.Class
		path   string
		action engine.Action
	}{
		"Create":       {doc: strings.ReplaceAll(enrichDoc, "enrich", "fresh"), opts: catalog.ApplyOptions{Mode: catalog.ModeCreate, Marks: ours}, action: engine.Created},
		"Exists":       {doc: strings.Replace(enrichDoc, sumA, sumB, 1), opts: catalog.ApplyOptions{Mode: catalog.ModeCreate, Marks: ours}, class: engine.Exists},
		"Adopt":        {doc: strings.Replace(enrichDoc, sumA, sumB, 1), opts: catalog.ApplyOptions{Mode: catalog.ModeCreate, Marks: ours, Adopt: true}, action: engine.Adopted},
		"Update":       {doc: strings.Replace(enrichDoc, sumA, sumB, 1), opts: catalog.ApplyOptions{Mode: catalog.ModeUpdate}, action: engine.Updated},
		"UpdateAbsent": {doc: strings.ReplaceAll(enrichDoc, "enrich", "fresh"), opts: catalog.ApplyOptions{Mode: catalog.ModeUpdate}, class: engine.NotFound},
		"Replace":      {doc: strings.Replace(enrichDoc, "python", "go", 1), opts: catalog.ApplyOptions{Mode: catalog.ModeUpdate, Replace: true}, class: engine.Invalid, path: "runtime.go.class"},
		"NoDifference": {doc: enrichDoc, opts: catalog.ApplyOptions{Mode: catalog.ModeConverge, Marks: ours}, action: engine.None},
		"Immutable":    {doc: strings.Replace(enrichDoc, `"python":{"file":"e.py","sha256":"`+sumA+`","class":"e.E"}`, `"go":{"file":"e","sha256":"`+sumA+`"}`, 1), opts: catalog.ApplyOptions{Mode: catalog.ModeUpdate}, class: engine.Immutable, path: "runtime", action: engine.None},
		"UnknownField": {doc: `{"name":"x","inputz":{}}`, opts: catalog.ApplyOptions{Mode: catalog.ModeConverge}, class: engine.Invalid, path: "inputz"},
		"NoJSON":       {doc: `{`, opts: catalog.ApplyOptions{Mode: catalog.ModeConverge}, class: engine.Invalid},
		"Invalid":      {doc: strings.Replace(enrichDoc, `"output"`, `"parallelism":0,"output"`, 1), opts: catalog.ApplyOptions{Mode: catalog.ModeConverge}, class: engine.Invalid, path: "parallelism"},
		"NoMode":       {doc: enrichDoc, class: engine.Invalid},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			h := newPlatform().handle(t, spec.KindFunction)
			if _, err := h.Apply(t.Context(), json.RawMessage(enrichDoc), catalog.ApplyOptions{Mode: catalog.ModeCreate, Marks: ours}); err != nil {
				t.Fatal(err)
			}
			out, err := h.Apply(t.Context(), json.RawMessage(c.doc), c.opts)
			if engine.ClassOf(err) != c.class || out.Action != c.action {
				t.Fatalf("Apply: %q, %v; want %q, class %q", out.Action, err, c.action, c.class)
			}
			var classed *engine.Error
			if c.path != "" && (!errors.As(err, &classed) || classed.Path != c.path) {
				t.Errorf("the error is at %q, want %q: %v", classed.Path, c.path, err)
			}
		})
	}
}

// What a handle shows can be applied as it is, and then changes nothing: a person who
// scales by hand sends back what was read.
func TestHandleRoundTrip(t *testing.T) {
	h := newPlatform().handle(t, spec.KindFunction)
	if _, err := h.Apply(t.Context(), json.RawMessage(enrichDoc), catalog.ApplyOptions{Mode: catalog.ModeCreate, Marks: engine.Marks{Owner: "terraform"}}); err != nil {
		t.Fatal(err)
	}
	key := engine.Key{Tenant: "public", Namespace: "default", Name: "enrich"}
	d, err := h.Observe(t.Context(), key)
	if err != nil || !d.Found || d.Key != componentKey(spec.KindFunction, "enrich") || d.Marks.Digest != sumA {
		t.Fatalf("Observe: %+v, %v", d, err)
	}
	out, err := h.Apply(t.Context(), d.Spec, catalog.ApplyOptions{Mode: catalog.ModeUpdate, Marks: d.Marks})
	if err != nil || out.Action != engine.None {
		t.Errorf("Apply of what was observed: %q, %+v, %v", out.Action, out.Changes, err)
	}
	all, err := h.List(t.Context(), key)
	if err != nil || len(all) != 1 || string(all[0].Spec) != string(d.Spec) {
		t.Errorf("List: %+v, %v", all, err)
	}
	if answer, err := h.Act(t.Context(), key, "restart", nil); err != nil || answer != "restart" {
		t.Errorf("Act: %q, %v", answer, err)
	}
	waiter, ok := h.(catalog.Waiter)
	if !ok {
		t.Fatal("a function cannot be waited for")
	}
	if d, err = waiter.Wait(t.Context(), key, nil); err != nil || d.Status.Phase != engine.Ready {
		t.Errorf("Wait: %+v, %v", d.Status, err)
	}
	if err := h.Delete(t.Context(), key, engine.DeleteOptions{}); err != nil {
		t.Error(err)
	}
	if d, err = h.Observe(t.Context(), key); err != nil || d.Found || d.Platform != "memory" || d.Key.Name != "enrich" {
		t.Errorf("after Delete: %+v, %v", d, err)
	}
}

// A dangling input of a mesh is a warning of its validation, and reaches the caller.
func TestHandleWarnsOfWhatValidationSees(t *testing.T) {
	h := newPlatform().handle(t, spec.KindMesh)
	out, err := h.Apply(t.Context(), json.RawMessage(`{"name":"m","sinks":{"s":{"builtin":"file","config":{"path":"/tmp/x"},"inputs":{"nobody":{}}}}}`),
		catalog.ApplyOptions{Mode: catalog.ModeConverge, Marks: engine.Marks{Owner: "cli"}})
	if err != nil || len(out.Warnings) == 0 {
		t.Errorf("Apply: %q, %v; want a warning", out.Warnings, err)
	}
}

var _ enginetest.Faults = (*enginetest.Memory[spec.Topic])(nil)
