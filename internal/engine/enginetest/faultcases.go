package enginetest

import (
	"testing"

	"github.com/functionmesh/terraform-provider-functionmesh/internal/engine"
)

// many is more often than any transport tries again.
const many = 100

func errorClasses[S any](t *testing.T, s Suite[S]) {
	b := start(t, s)
	faults := b.faulty(t)
	want, changed := b.want(), b.changed()
	if b.Prepare != nil {
		want, changed = b.Prepare(want), b.Prepare(changed)
	}
	b.fails(t, faults, Create, func() error { _, err := b.Client.Create(t.Context(), want); return err })
	b.create(t)
	have, err := b.Observe(t.Context(), b.wantKey())
	if err != nil {
		t.Fatal(err)
	}
	b.fails(t, faults, Observe, func() error { _, err := b.Client.Observe(t.Context(), b.wantKey()); return err })
	b.fails(t, faults, Update, func() error { return b.Client.Update(t.Context(), have, changed, b.Diff(have, changed)) })
	b.fails(t, faults, Delete, func() error { return b.Client.Delete(t.Context(), have, engine.DeleteOptions{}) })
}

// fails checks that a verb carries every class.
func (b bench[S]) fails(t *testing.T, faults Faults, verb Verb, call func() error) {
	t.Helper()
	classes := b.suite.Classes
	if classes == nil {
		classes = Classes()
	}
	for _, class := range classes {
		if expected(verb, class) {
			continue
		}
		faults.FailNext(verb, many, class)
		if err := call(); !engine.Is(err, class) {
			t.Errorf("%s failing with %q: %v has class %q", verb, class, err, engine.ClassOf(err))
		}
		faults.FailNext(verb, 0, "")
	}
}

// expected says whether a class is no failure of a verb: what is absent reads as
// absent and is deleted already, and reading is never in the way of anything.
func expected(verb Verb, class engine.Class) bool {
	switch verb {
	case Observe:
		return class != engine.Forbidden && class != engine.Unavailable
	case Delete:
		return class == engine.NotFound || class == engine.Exists
	case Create, Update, List:
	}
	return verb == Update && class == engine.Exists
}

func lostAnswer[S any](t *testing.T, s Suite[S]) {
	b := start(t, s)
	faults := b.faulty(t)

	faults.FailAfter(Create, 1, engine.Unavailable)
	out, err := b.Create(t.Context(), b.want(), engine.CreateOptions{})
	if err != nil {
		t.Fatalf("Create with a lost answer: %v", err)
	}
	if !out.Observed.Found {
		t.Error("Create with a lost answer did not return what it made")
	}
	b.holds(t, b.want())

	faults.FailAfter(Update, 1, engine.Conflict)
	if _, err := b.Update(t.Context(), b.changed(), engine.UpdateOptions{}); err != nil {
		t.Errorf("Update with a lost race: %v", err)
	}
	b.holds(t, b.changed())

	faults.FailAfter(Delete, 1, engine.Unavailable)
	if err := b.Delete(t.Context(), b.wantKey(), engine.DeleteOptions{}); err != nil {
		t.Errorf("Delete with a lost answer: %v", err)
	}
}

func killedCreate[S any](t *testing.T, s Suite[S]) {
	for k := 1; ; k++ {
		b := start(t, s)
		if !b.faulty(t).KillCreate(k) {
			if k == 1 {
				t.Fatal("a create has no request to be killed after")
			}
			return
		}
		prepared := b.want()
		if b.Prepare != nil {
			prepared = b.Prepare(prepared)
		}
		// A client that is made of others may survive this; then nothing is left to do.
		_, _ = b.Client.Create(t.Context(), prepared)
		out, err := b.fresh().Create(t.Context(), b.want(), engine.CreateOptions{})
		if err != nil {
			t.Fatalf("Create after one that was killed after request %d: %v", k, err)
		}
		if out.Action == engine.TakenOver && len(out.Warnings) == 0 {
			t.Errorf("killed after request %d: taken over without a warning", k)
		}
		b.holds(t, b.want())
	}
}

func laggingReads[S any](t *testing.T, s Suite[S]) {
	b := start(t, s)
	faults := b.faulty(t)
	faults.Lag(3)
	out, err := b.Create(t.Context(), b.want(), engine.CreateOptions{})
	if err != nil || !out.Observed.Found {
		t.Fatalf("Create with lagging reads: found %v, %v", out.Observed.Found, err)
	}
	b.holds(t, b.want())
	if out, err = b.Update(t.Context(), b.changed(), engine.UpdateOptions{}); err != nil {
		t.Fatalf("Update with lagging reads: %v", err)
	}
	if changes := b.Diff(out.Observed, b.changed()); len(changes) > 0 {
		t.Errorf("Update returned what was there before: %+v", changes)
	}
	if err := b.Delete(t.Context(), b.wantKey(), engine.DeleteOptions{}); err != nil {
		t.Fatalf("Delete with lagging reads: %v", err)
	}
	if have, err := b.Observe(t.Context(), b.wantKey()); err != nil || have.Found {
		t.Errorf("after Delete: found %v, %v", have.Found, err)
	}
}
