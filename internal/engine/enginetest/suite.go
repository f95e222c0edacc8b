package enginetest

import (
	"context"
	"sync/atomic"
	"testing"
	"time"

	"github.com/functionmesh/terraform-provider-functionmesh/internal/engine"
)

// Owner is the owner mark that the suite writes.
const Owner = "conformance"

// Suite is what the conformance cases need to know of a client.
type Suite[S any] struct {
	// New returns the client of a platform on which Want and Changed do not exist.
	New func(t *testing.T) engine.Client[S]
	// Engine binds the kind, and with it the comparison, to a client.
	Engine func(engine.Client[S]) *engine.Engine[S]
	// Want and Changed are two valid specs of one key that can become each other in
	// place. Changed should set fields that Want does not, so that clearing is seen;
	// at least one difference must be of fields that Want sets or that have defaults.
	Want, Changed S
	// Orphan is a spec whose parent does not exist; nil: the kind has no parent.
	Orphan *S
	// Faults returns the knobs of the platform behind a client that New returned.
	// nil: it cannot be made to fail, and the cases that need it are not run.
	Faults func(engine.Client[S]) Faults
	// Classes are the classes that this client carries; nil: all.
	Classes []engine.Class
}

// Classes are all error classes.
func Classes() []engine.Class {
	return []engine.Class{
		engine.NotFound, engine.Exists, engine.Conflict, engine.Invalid,
		engine.Immutable, engine.Forbidden, engine.Unavailable,
	}
}

// Run runs every case against fresh clients.
func Run[S any](t *testing.T, s Suite[S]) {
	cases := map[string]func(*testing.T, Suite[S]){
		"ObserveAbsent":       observeAbsent[S],
		"CreateIsStrict":      createIsStrict[S],
		"MarksSurvive":        marksSurvive[S],
		"NoDifferenceNoWrite": noDifferenceNoWrite[S],
		"UpdateThereAndBack":  updateThereAndBack[S],
		"UpdateKeepsOwner":    updateKeepsOwner[S],
		"UpdateOfAbsent":      updateOfAbsent[S],
		"DeleteIsIdempotent":  deleteIsIdempotent[S],
		"DriftIsRepaired":     driftIsRepaired[S],
		"CancelledContext":    cancelledContext[S],
		"ConcurrentConverge":  concurrentConverge[S],
		"MissingParent":       missingParent[S],
		"ListEqualsObserve":   listEqualsObserve[S],
		"ErrorClasses":        errorClasses[S],
		"LostAnswer":          lostAnswer[S],
		"KilledCreate":        killedCreate[S],
		"LaggingReads":        laggingReads[S],
	}
	for name, run := range cases {
		t.Run(name, func(t *testing.T) { run(t, s) })
	}
}

// bench is one case's platform: a client, an engine with short pauses and what is
// counted on the way.
type bench[S any] struct {
	*engine.Engine[S]
	counted *Recorder[S]
	suite   Suite[S]
	faults  Faults
}

func start[S any](t *testing.T, s Suite[S]) bench[S] {
	t.Helper()
	client := s.New(t)
	b := bench[S]{counted: &Recorder[S]{Client: client}, suite: s}
	if s.Faults != nil {
		b.faults = s.Faults(client)
	}
	b.Engine = b.fresh()
	return b
}

// fresh is another process: an engine that shares no lock with the others.
func (b bench[S]) fresh() *engine.Engine[S] {
	e := b.suite.Engine(b.counted)
	e.Timing = engine.Timing{Poll: time.Millisecond, MaxPoll: 20 * time.Millisecond, ReadBack: 2 * time.Second}
	return e
}

// faulty ends a case for which the platform has no knobs.
func (b bench[S]) faulty(t *testing.T) Faults {
	t.Helper()
	if b.faults == nil {
		t.Skip("this client's platform cannot be made to fail: Suite.Faults is nil")
	}
	return b.faults
}

func (b bench[S]) want() engine.Object[S]    { return object(b.suite.Want) }
func (b bench[S]) changed() engine.Object[S] { return object(b.suite.Changed) }

func object[S any](s S) engine.Object[S] {
	return engine.Object[S]{Spec: s, Marks: engine.Marks{Owner: Owner}}
}

func (b bench[S]) wantKey() engine.Key { return b.keyOf(b.want()) }

// keyOf is the key of an object as the engine sends it.
func (b bench[S]) keyOf(o engine.Object[S]) engine.Key {
	if b.Prepare != nil {
		o = b.Prepare(o)
	}
	return b.Key(o.Spec)
}

// create makes the wanted object.
func (b bench[S]) create(t *testing.T) {
	t.Helper()
	out, err := b.Create(t.Context(), b.want(), engine.CreateOptions{})
	if err != nil {
		t.Fatalf("Create: %v", err)
	}
	if out.Action != engine.Created {
		t.Fatalf("Create: action %q, want %q", out.Action, engine.Created)
	}
	b.holds(t, b.want())
}

// holds checks that the platform has exactly what is wanted, finished.
func (b bench[S]) holds(t *testing.T, want engine.Object[S]) {
	t.Helper()
	have, err := b.Observe(t.Context(), b.keyOf(want))
	if err != nil {
		t.Fatalf("Observe: %v", err)
	}
	if !have.Found {
		t.Fatal("Observe: not found")
	}
	if have.Marks.Creating {
		t.Error("the object is still marked as being created")
	}
	if changes := b.Diff(have, want); len(changes) > 0 {
		t.Errorf("the platform holds something else: %+v", changes)
	}
}

// Recorder is a Client that counts the writes asked of another one.
type Recorder[S any] struct {
	engine.Client[S]
	writes atomic.Int64
}

// Writes is how many writes were asked for.
func (r *Recorder[S]) Writes() int { return int(r.writes.Load()) }

// Create implements engine.Client.
func (r *Recorder[S]) Create(ctx context.Context, want engine.Object[S]) (engine.Observed[S], error) {
	r.writes.Add(1)
	return r.Client.Create(ctx, want)
}

// Update implements engine.Client.
func (r *Recorder[S]) Update(ctx context.Context, have engine.Observed[S], want engine.Object[S], changes []engine.Change) error {
	r.writes.Add(1)
	return r.Client.Update(ctx, have, want, changes)
}

// Delete implements engine.Client.
func (r *Recorder[S]) Delete(ctx context.Context, have engine.Observed[S], opts engine.DeleteOptions) error {
	r.writes.Add(1)
	return r.Client.Delete(ctx, have, opts)
}
