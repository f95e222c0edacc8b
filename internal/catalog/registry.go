package catalog

import (
	"context"
	"encoding/json"
	"fmt"

	"github.com/functionmesh/terraform-provider-functionmesh/internal/engine"
	"github.com/functionmesh/terraform-provider-functionmesh/internal/spec"
)

// Handle drives one kind with specs as JSON, in the words of spec. Unknown fields
// are refused by path.
type Handle interface {
	Observe(ctx context.Context, key engine.Key) (Document, error)
	// Apply creates, updates or converges, as opts say. It validates first; the
	// Invalid error names every problem.
	Apply(ctx context.Context, doc json.RawMessage, opts ApplyOptions) (Result, error)
	// List reads a namespace (tenants: everything), sorted by key.
	List(ctx context.Context, in engine.Key) ([]Document, error)
	Delete(ctx context.Context, key engine.Key, opts engine.DeleteOptions) error
	// Act runs a one-off verb of engine.Actor.
	Act(ctx context.Context, key engine.Key, verb string, args map[string]string) (string, error)
}

// Waiter is implemented by the Handles of kinds that run instances.
type Waiter interface {
	Wait(ctx context.Context, key engine.Key, progress func(engine.Status)) (Document, error)
}

// Document is an observed object with its spec as JSON.
type Document struct {
	Key      engine.Key
	Found    bool
	Spec     json.RawMessage
	Marks    engine.Marks
	Platform string
	Status   engine.Status
}

// Mode is which verb Apply runs.
type Mode string

// The modes.
const (
	ModeCreate   Mode = "create"   // strict: Exists when it is there
	ModeUpdate   Mode = "update"   // NotFound when it is absent
	ModeConverge Mode = "converge" // whichever it takes
)

// ApplyOptions tune Handle.Apply.
type ApplyOptions struct {
	Mode    Mode
	Marks   engine.Marks
	Adopt   bool // with ModeCreate
	Replace bool // with ModeUpdate: delete and create what cannot change in place
}

// Result is an engine.Outcome with its spec as JSON.
type Result struct {
	Document Document
	Action   engine.Action
	Changes  []engine.Change
	Warnings []string // of validation, then of the engine
}

// Registry finds the Handle of a kind.
type Registry struct {
	handles map[spec.Kind]Handle
}

// NewRegistry makes handles for every kind that the clients have. Meshes need at
// least one kind of component.
func NewRegistry(clients Clients) *Registry {
	r := &Registry{handles: map[spec.Kind]Handle{}}
	register(r, Tenant(), clients.Tenants, spec.DecodeTenant)
	register(r, Namespace(), clients.Namespaces, spec.DecodeNamespace)
	register(r, Topic(), clients.Topics, spec.DecodeTopic)
	for _, kind := range spec.ComponentKinds() {
		decode := func(doc []byte) (spec.Component, []spec.Problem) { return spec.DecodeComponent(kind, doc) }
		register(r, Component(kind), clients.Components[kind], decode)
	}
	if len(clients.Components) > 0 {
		register(r, Mesh(), NewMeshClient(clients.Components), spec.DecodeMesh)
	}
	return r
}

func register[S any](r *Registry, e Entity[S], client engine.Client[S], decode func([]byte) (S, []spec.Problem)) {
	if client == nil {
		return
	}
	h := handle[S]{entity: e, engine: e.Engine(client), decode: decode}
	switch e.Kind {
	case spec.KindFunction, spec.KindSource, spec.KindSink, spec.KindMesh:
		r.handles[e.Kind] = runningHandle[S]{h}
	case spec.KindTenant, spec.KindNamespace, spec.KindTopic:
		r.handles[e.Kind] = h
	}
}

// Kind returns the handle of a kind, or an Invalid error when the platform has none.
func (r *Registry) Kind(kind spec.Kind) (Handle, error) {
	h, ok := r.handles[kind]
	if !ok {
		return nil, &engine.Error{
			Class: engine.Invalid,
			Err:   fmt.Errorf("this platform has no objects of kind %q", kind),
			Hint:  "Choose a platform that has them",
		}
	}
	return h, nil
}
