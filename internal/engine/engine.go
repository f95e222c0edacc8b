package engine

import (
	"context"
	"time"
)

// Engine drives one kind on one platform through its Client. The zero values of the
// optional fields work. An Engine is safe for concurrent use and must not be copied
// once used: it owns the lock that serialises its writes per key.
type Engine[S any] struct {
	Client Client[S]
	Key    func(S) Key
	// Diff is the kind's only comparator: what must change for have to become want.
	// It reads have.Owned for the paths that were ours.
	Diff func(have Observed[S], want Object[S]) []Change

	// Prepare fills in what an unset field means, and marks that follow from the
	// spec, before anything is compared or sent. nil: objects are taken as they are.
	Prepare func(Object[S]) Object[S]
	// Fill puts into want what it leaves to the server and have knows, before an
	// update: clients that write whole objects would drop it. nil: nothing.
	Fill func(have Observed[S], want Object[S]) Object[S]
	// Unfinished says of an object that carries our mark that it is the rest of an
	// interrupted create, for kinds that cannot store Marks.Creating. nil: the mark
	// alone decides.
	Unfinished func(have Observed[S], want Object[S], changes []Change) bool
	// Warn says what performing changes costs beyond the change itself. It is pure,
	// so that a plan can announce what an apply will answer. nil: nothing.
	Warn func(have Observed[S], want Object[S], changes []Change) []string
	// Markless kinds have no room for marks: an existing object is taken over only
	// when it equals what is wanted.
	Markless bool
	// Timing bounds every repetition; zero fields mean the documented defaults.
	Timing Timing

	locks keyedLock
}

// Timing bounds how long and how often the engine repeats itself.
type Timing struct {
	Poll     time.Duration // first pause between two observations; default 50ms
	MaxPoll  time.Duration // longest pause, reached by growing; default 500ms
	ReadBack time.Duration // how long a write may take to be readable; default 10s
	Conflict uint          // how often a lost race is run again; default 10
	Outage   time.Duration // how long Wait and Delete bear an unreachable platform; default 30s
	Recover  time.Duration // how long a failed write is looked after; default 5s
}

// CreateOptions tune Create.
type CreateOptions struct {
	// Adopt takes an object over that exists already, whoever made it, and makes it
	// what is wanted. A component of another mesh is never adopted.
	Adopt bool
	// ImportHint is the sentence an Exists error ends with: how to import instead.
	ImportHint string
}

// UpdateOptions tune Update.
type UpdateOptions struct {
	// Owned are the field paths that the caller wrote before. One that is absent
	// from want is cleared even where the server owns unset fields. nil: what the
	// client observed.
	Owned []string
	// Replace performs changes that are impossible in place by deleting the object
	// and creating it again. Without it they are an Immutable error.
	Replace bool
}

// Action says what a verb did.
type Action string

// The actions of an Outcome.
const (
	None      Action = "none" // nothing differed, nothing was written
	Created   Action = "created"
	Updated   Action = "updated"
	TakenOver Action = "taken over" // ours already: an interrupted create or a lost answer
	Adopted   Action = "adopted"    // somebody else's, as CreateOptions.Adopt asked
	Replaced  Action = "replaced"   // deleted and created again, as UpdateOptions.Replace asked
)

// Outcome is what a verb did and what was there afterwards. It is filled as far as
// known beside an error too, so that a front end can save what exists.
type Outcome[S any] struct {
	Observed Observed[S]
	Action   Action
	Changes  []Change
	Warnings []string
}

// Observe reads the object once. An absent object is Found=false without an error.
func (e *Engine[S]) Observe(ctx context.Context, key Key) (Observed[S], error) {
	have, err := e.Client.Observe(ctx, key)
	return have, named(err, key)
}

// prepare defaults what is wanted and clears what only the engine decides.
func (e *Engine[S]) prepare(want Object[S]) (Object[S], Key) {
	if e.Prepare != nil {
		want = e.Prepare(want)
	}
	want.Marks.Creating = false
	return want, e.Key(want.Spec)
}

// warnings are what performing the changes costs.
func (e *Engine[S]) warnings(have Observed[S], want Object[S], changes []Change) []string {
	if e.Warn == nil {
		return nil
	}
	return e.Warn(have, want, changes)
}

// named adds the key to an Error that has none: the client knows the class, the
// engine knows the object. What is wrapped stays as it is, with the text around it.
func named(err error, key Key) error {
	classed, outermost := err.(*Error) //nolint:errorlint // only the outermost error is completed
	if !outermost || classed.Key.Name != "" {
		return err
	}
	copied := *classed
	copied.Key = key
	return &copied
}
