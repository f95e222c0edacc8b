package engine

import (
	"context"
	"errors"
)

var errUnbuilt = errors.New("not built yet")

// Create makes the object.
func (e *Engine[S]) Create(ctx context.Context, want Object[S], opts CreateOptions) (Outcome[S], error) {
	return Outcome[S]{}, errUnbuilt
}

// Update changes the object.
func (e *Engine[S]) Update(ctx context.Context, want Object[S], opts UpdateOptions) (Outcome[S], error) {
	return Outcome[S]{}, errUnbuilt
}

// Converge creates or updates the object.
func (e *Engine[S]) Converge(ctx context.Context, want Object[S]) (Outcome[S], error) {
	return Outcome[S]{}, errUnbuilt
}

// Delete removes the object and waits until it is gone.
func (e *Engine[S]) Delete(ctx context.Context, key Key, opts DeleteOptions) error {
	return errUnbuilt
}

// Wait waits for readiness.
func (e *Engine[S]) Wait(ctx context.Context, key Key, progress func(Status)) (Observed[S], error) {
	return Observed[S]{}, errUnbuilt
}

// NotReadyError says that an object exists and does not run, with the status that
// was last seen. Terminal: waiting longer would not have helped.
type NotReadyError struct {
	Key      Key
	Status   Status
	Terminal bool
	Err      error // why waiting ended when it was not Terminal: the context's error
}

// Error has the reason, the message and the last log lines.
func (e *NotReadyError) Error() string { return e.Key.Kind + " " + e.Key.String() + " is not ready" }

// Unwrap gives why waiting ended.
func (e *NotReadyError) Unwrap() error { return e.Err }
