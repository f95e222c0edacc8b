package engine

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"strings"
)

// changeOptions are UpdateOptions and what only the engine asks for.
type changeOptions struct {
	UpdateOptions
	claim bool // write our owner mark on an object that has none
}

// Update makes an existing object what is wanted and keeps its owner mark; an absent
// one is NotFound. Without a difference nothing is written.
func (e *Engine[S]) Update(ctx context.Context, want Object[S], opts UpdateOptions) (Outcome[S], error) {
	want, key := e.prepare(want)
	unlock, err := e.locks.lock(ctx, key)
	if err != nil {
		return Outcome[S]{}, err
	}
	defer unlock()
	out, err := raced(ctx, e.Timing, func() (Outcome[S], error) {
		have, err := e.Client.Observe(ctx, key)
		if err != nil {
			return Outcome[S]{}, err
		}
		if !have.Found {
			return Outcome[S]{Observed: have}, New(NotFound, errors.New("it does not exist"))
		}
		return e.change(ctx, have, want, changeOptions{UpdateOptions: opts})
	})
	if err == nil {
		out, err = e.readBack(ctx, key, want, out)
	}
	return out, named(err, key)
}

// Converge creates or updates, whichever it takes; without a difference it performs
// no write. It is what controllers call.
func (e *Engine[S]) Converge(ctx context.Context, want Object[S]) (Outcome[S], error) {
	want, key := e.prepare(want)
	unlock, err := e.locks.lock(ctx, key)
	if err != nil {
		return Outcome[S]{}, err
	}
	defer unlock()
	out, err := raced(ctx, e.Timing, func() (Outcome[S], error) { return e.converge(ctx, key, want) })
	if err == nil {
		out, err = e.readBack(ctx, key, want, out)
	}
	return out, named(err, key)
}

// converge is one attempt of Converge.
func (e *Engine[S]) converge(ctx context.Context, key Key, want Object[S]) (Outcome[S], error) {
	have, err := e.Client.Observe(ctx, key)
	if err != nil {
		return Outcome[S]{}, err
	}
	if have.Found {
		return e.change(ctx, have, want, changeOptions{})
	}
	made, err := e.Client.Create(ctx, want)
	switch {
	case err == nil:
		return Outcome[S]{Observed: made, Action: Created, Warnings: e.warnings(have, want, nil)}, nil
	case inTheWay(err, key):
		return Outcome[S]{}, New(Conflict, err) // somebody was faster: look again
	default:
		return e.salvage(ctx, key, want, err)
	}
}

// change turns have into want, once.
func (e *Engine[S]) change(ctx context.Context, have Observed[S], want Object[S], opts changeOptions) (Outcome[S], error) {
	if claims(want.Marks) && have.Marks.Mesh != want.Marks.Mesh {
		return Outcome[S]{}, foreign(have.Marks, want.Marks)
	}
	if opts.Owned != nil {
		have.Owned = opts.Owned
	}
	want.Marks = kept(have.Marks, want.Marks)
	out := Outcome[S]{Observed: have, Action: None, Changes: e.Diff(have, want)}
	claiming := opts.claim && !e.Markless && have.Marks.Owner != want.Marks.Owner
	if len(out.Changes) == 0 && !have.Marks.Creating && !claiming {
		return out, nil
	}
	return e.perform(ctx, want, out, opts.Replace)
}

// perform writes the changes of an outcome, by replacing the object where that is
// asked for and nothing else can do it.
func (e *Engine[S]) perform(ctx context.Context, want Object[S], out Outcome[S], replace bool) (Outcome[S], error) {
	err := inPlace(out.Changes)
	if err != nil && !replace {
		return out, err
	}
	have := out.Observed
	out.Warnings = e.warnings(have, want, out.Changes)
	if e.Fill != nil {
		want = e.Fill(have, want)
	}
	if err == nil {
		err = e.Client.Update(ctx, have, want, out.Changes)
	}
	switch {
	case err == nil:
		out.Action = Updated
		return out, nil
	case Is(err, Immutable) && replace: // in general, or on this platform
		return e.replace(ctx, have, want, out)
	default:
		out.Action = Updated
		return e.afterFailure(ctx, want, out), err
	}
}

// replace deletes have and creates want in its place.
func (e *Engine[S]) replace(ctx context.Context, have Observed[S], want Object[S], out Outcome[S]) (Outcome[S], error) {
	out.Action = Replaced
	key := e.Key(want.Spec)
	if err := e.remove(ctx, key, have, DeleteOptions{}); err != nil {
		return out, err
	}
	made, err := raced(ctx, e.Timing, func() (Observed[S], error) { return e.Client.Create(ctx, want) })
	if Is(err, Conflict) {
		err = New(Unavailable, err) // racing on from the start would find nothing to update
	}
	if err != nil {
		return e.afterFailure(ctx, want, out), fmt.Errorf("it was deleted to be replaced, but creating it again failed: %w", err)
	}
	out.Observed = made
	return out, nil
}

// afterFailure puts what a failed write left into the outcome, as far as it can be
// known: parts of it may have been done.
func (e *Engine[S]) afterFailure(ctx context.Context, want Object[S], out Outcome[S]) Outcome[S] {
	if have, err := e.look(ctx, e.Key(want.Spec)); err == nil {
		out.Observed = have
	}
	return out
}

// claims says whether a caller says whose an object is. One that does not changes
// values and no mark.
func claims(m Marks) bool { return m.Owner != "" || m.Mesh != "" }

// kept merges marks: an update never takes an object from its owner, and a caller
// that claims nothing changes no mark.
func kept(have, want Marks) Marks {
	m := want
	m.Creating = false
	if have.Owner != "" {
		m.Owner = have.Owner
	}
	if m.BaseDir == "" {
		m.BaseDir = have.BaseDir
	}
	if m.Connections == "" {
		m.Connections = have.Connections
	}
	if !claims(want) {
		m.Mesh = have.Mesh
		if m.Digest == "" {
			m.Digest = have.Digest
		}
	}
	return m
}

// inPlace returns an Immutable error when a change needs a replacement.
func inPlace(changes []Change) error {
	var paths []string
	for _, c := range changes {
		if c.Op == Replace {
			paths = append(paths, c.Path)
		}
	}
	if len(paths) == 0 {
		return nil
	}
	what := "this"
	if more := paths[1:]; len(more) > 0 {
		what = "this, and " + strings.Join(more, ", ") + ","
	}
	return &Error{
		Class: Immutable, Path: paths[0],
		Err:  fmt.Errorf("%s cannot be changed in place", what),
		Hint: "Replace the object: delete it and create it again",
	}
}

// readBack observes until what was written can be read, because some servers answer
// a write before their reads show it. What shows another value in the end is a warning
// with its paths: the write was accepted, and the next comparison tells the same.
func (e *Engine[S]) readBack(ctx context.Context, key Key, want Object[S], out Outcome[S]) (Outcome[S], error) {
	if out.Action == None {
		return out, nil
	}
	owned := out.Observed.Owned
	var others []string
	have, err := e.poll(ctx, key, e.Timing.withDefaults().ReadBack, func(have Observed[S]) (bool, error) {
		have.Owned = owned
		var lagging bool
		lagging, others = e.unread(have, want, out)
		return have.Found && !have.Marks.Creating && !lagging, nil
	})
	if have.Found {
		out.Observed = have
	}
	switch {
	case err != nil && !errors.Is(err, errPending):
		return out, fmt.Errorf("it was written, but reading it back failed: %w", err)
	case !have.Found || have.Marks.Creating:
		return out, New(Unavailable, errors.New("it was written, but the platform does not show it"))
	case len(others) > 0:
		out.Warnings = append(out.Warnings, fmt.Sprintf(
			"%s: the platform accepted the change but shows another value of %s", key, strings.Join(others, ", ")))
	}
	return out, nil
}

// unread lists the written paths that read differently. A read lags while one of them
// still has the value from before; a third value is the platform's or another
// writer's, and waiting does not help. A create wrote every path.
func (e *Engine[S]) unread(have Observed[S], want Object[S], out Outcome[S]) (lagging bool, others []string) {
	if !have.Found {
		return true, nil
	}
	written := map[string]Change{}
	for _, c := range out.Changes {
		written[c.Path] = c
	}
	made := out.Action == Created || out.Action == Replaced
	for _, now := range e.Diff(have, want) {
		before, ok := written[now.Path]
		if !ok && !made {
			continue
		}
		others = append(others, now.Path)
		lagging = lagging || made || reflect.DeepEqual(before.Old, now.Old)
	}
	return lagging, others
}
