package engine

import (
	"context"
	"errors"
	"fmt"
)

// Create makes an object that does not exist. One that does is an Exists error with
// opts.ImportHint, unless it is the rest of an interrupted create or the result of a
// lost answer (then it is converged, with a warning) or opts.Adopt is set. After a
// failure that may have left something behind, what was found is in the Outcome.
func (e *Engine[S]) Create(ctx context.Context, want Object[S], opts CreateOptions) (Outcome[S], error) {
	want, key := e.prepare(want)
	unlock, err := e.locks.lock(ctx, key)
	if err != nil {
		return Outcome[S]{}, err
	}
	defer unlock()
	out, err := raced(ctx, e.Timing, func() (Outcome[S], error) { return e.create(ctx, key, want, opts) })
	if err == nil {
		out, err = e.readBack(ctx, key, want, out)
	}
	return out, named(err, key)
}

// create is one attempt of Create.
func (e *Engine[S]) create(ctx context.Context, key Key, want Object[S], opts CreateOptions) (Outcome[S], error) {
	if err := context.Cause(ctx); err != nil {
		return Outcome[S]{}, err
	}
	made, err := e.Client.Create(ctx, want)
	switch {
	case err == nil:
		return Outcome[S]{Observed: made, Action: Created, Warnings: e.warnings(Observed[S]{}, want, nil)}, nil
	case inTheWay(err, key):
		return e.takeOver(ctx, key, want, opts)
	default:
		return e.salvage(ctx, key, want, err)
	}
}

// inTheWay says whether the object itself exists already, rather than something else
// that it would be made of.
func inTheWay(err error, key Key) bool {
	var classed *Error
	return errors.As(err, &classed) && classed.Class == Exists && (classed.Key.Name == "" || classed.Key == key)
}

// takeOver decides about an object that is in the way of a create.
func (e *Engine[S]) takeOver(ctx context.Context, key Key, want Object[S], opts CreateOptions) (Outcome[S], error) {
	have, err := e.Client.Observe(ctx, key)
	if err != nil {
		return Outcome[S]{}, err
	}
	if !have.Found {
		return Outcome[S]{}, New(Conflict, errors.New("it existed a moment ago and is gone"))
	}
	if e.ours(have, want) {
		return e.finish(ctx, have, want)
	}
	if opts.Adopt && have.Marks.Mesh == want.Marks.Mesh {
		out, err := e.change(ctx, have, want, changeOptions{claim: true})
		if err != nil && out.Action == None {
			return Outcome[S]{}, err // untouched, so it stays somebody else's
		}
		out.Action = Adopted
		return out, err
	}
	return Outcome[S]{}, exists(have, want.Marks, opts.ImportHint)
}

// ours says whether an existing object is the rest of an interrupted create of want,
// or want itself after a lost answer.
func (e *Engine[S]) ours(have Observed[S], want Object[S]) bool {
	changes := e.Diff(have, want)
	if e.Markless {
		return len(changes) == 0
	}
	m := have.Marks
	if m.Owner == "" || m.Owner != want.Marks.Owner || m.Mesh != want.Marks.Mesh {
		return false
	}
	return m.Creating || len(changes) == 0 || e.Unfinished != nil && e.Unfinished(have, want, changes)
}

// finish converges the rest of an interrupted create. Nobody relies on it yet, so
// what cannot be changed in place is made again.
func (e *Engine[S]) finish(ctx context.Context, have Observed[S], want Object[S]) (Outcome[S], error) {
	out, err := e.change(ctx, have, want, changeOptions{UpdateOptions: UpdateOptions{Replace: true}})
	out.Action = TakenOver
	out.Warnings = append(out.Warnings, fmt.Sprintf(
		"%s existed already with our mark %q, as an interrupted create leaves it; it was taken over and completed",
		e.Key(want.Spec), want.Marks.Owner))
	return out, err
}

// salvage looks at what a failed create left. What is ours is returned, so that it
// reaches the caller's state; where the failure may pass, it is completed.
func (e *Engine[S]) salvage(ctx context.Context, key Key, want Object[S], cause error) (Outcome[S], error) {
	have, err := e.look(ctx, key)
	if err != nil || !have.Found || !e.ours(have, want) {
		return Outcome[S]{}, cause // what the failed look said adds nothing to it
	}
	if !ambiguous(cause) || ctx.Err() != nil {
		return Outcome[S]{Observed: have, Action: Created}, cause
	}
	return e.finish(ctx, have, want)
}

// ambiguous failures leave open whether the write happened.
func ambiguous(err error) bool {
	switch ClassOf(err) {
	case Invalid, Immutable, Forbidden, NotFound, Exists:
		return false
	case Conflict, Unavailable:
	}
	return true
}

// exists explains whose object is in the way.
func exists[S any](have Observed[S], want Marks, hint string) error {
	if have.Marks.Mesh != want.Mesh {
		return foreign(have.Marks, want)
	}
	whose := ""
	if have.Marks.Owner != "" {
		whose = fmt.Sprintf(" (owner %q)", have.Marks.Owner)
	}
	if hint == "" {
		hint = "Import it, ask for it to be adopted, or choose another name"
	}
	return &Error{Class: Exists, Err: errors.New("it exists already" + whose), Hint: hint}
}

// foreign says that an object belongs to another mesh, to a mesh, or to none.
func foreign(have, want Marks) error {
	switch {
	case want.Mesh == "":
		return &Error{
			Class: Exists,
			Err:   fmt.Errorf("it is a component of mesh %q", have.Mesh),
			Hint:  "Change it there, or choose another name",
		}
	case have.Mesh == "":
		return &Error{
			Class: Exists,
			Err:   fmt.Errorf("it exists already on its own, outside of mesh %q", want.Mesh),
			Hint:  "Delete it first, or choose another name for the component or the mesh",
		}
	default:
		return &Error{
			Class: Exists,
			Err:   fmt.Errorf("it is a component of mesh %q, not of mesh %q", have.Mesh, want.Mesh),
			Hint:  "Choose another name for the component or the mesh",
		}
	}
}
