package enginetest

import (
	"context"
	"errors"
	"sync"
	"testing"

	"github.com/functionmesh/terraform-provider-functionmesh/internal/engine"
)

func observeAbsent[S any](t *testing.T, s Suite[S]) {
	b := start(t, s)
	before, err := b.Observe(t.Context(), b.wantKey())
	if err != nil || before.Found {
		t.Fatalf("Observe of nothing: found %v, %v", before.Found, err)
	}
	b.create(t)
	after, err := b.Observe(t.Context(), b.wantKey())
	if err != nil {
		t.Fatal(err)
	}
	if before.Platform == "" || before.Platform != after.Platform {
		t.Errorf("the platform is %q without the object and %q with it", before.Platform, after.Platform)
	}
}

func createIsStrict[S any](t *testing.T, s Suite[S]) {
	b := start(t, s)
	b.create(t)
	prepared := b.want()
	if b.Prepare != nil {
		prepared = b.Prepare(prepared)
	}
	if _, err := b.Client.Create(t.Context(), prepared); !engine.Is(err, engine.Exists) {
		t.Errorf("the client's second Create: %v, want class %q", err, engine.Exists)
	}
	other := b.changed()
	other.Marks.Owner = "somebody else"
	out, err := b.fresh().Create(t.Context(), other, engine.CreateOptions{})
	if !engine.Is(err, engine.Exists) {
		t.Errorf("Create over another one's object: %v, want class %q", err, engine.Exists)
	}
	if out.Observed.Found {
		t.Error("a foreign object was returned, as if it belonged into the caller's state")
	}
	b.holds(t, b.want())
	if _, err := b.fresh().Create(t.Context(), other, engine.CreateOptions{Adopt: true}); err != nil {
		t.Errorf("Create with Adopt: %v", err)
	}
	b.holds(t, b.changed())
}

func marksSurvive[S any](t *testing.T, s Suite[S]) {
	b := start(t, s)
	b.create(t)
	have, err := b.Observe(t.Context(), b.wantKey())
	if err != nil {
		t.Fatal(err)
	}
	want := Owner
	if b.Markless {
		want = ""
	}
	if have.Marks.Owner != want || have.Marks.Mesh != "" {
		t.Errorf("marks are %+v, want owner %q and no mesh", have.Marks, want)
	}
}

func noDifferenceNoWrite[S any](t *testing.T, s Suite[S]) {
	b := start(t, s)
	if out, err := b.Converge(t.Context(), b.want()); err != nil || out.Action != engine.Created {
		t.Fatalf("Converge of nothing: %q, %v", out.Action, err)
	}
	before := b.counted.Writes()
	for range 3 {
		out, err := b.Converge(t.Context(), b.want())
		if err != nil || out.Action != engine.None || len(out.Changes) > 0 {
			t.Fatalf("Converge of no difference: %q, %+v, %v", out.Action, out.Changes, err)
		}
	}
	if out, err := b.Update(t.Context(), b.want(), engine.UpdateOptions{}); err != nil || out.Action != engine.None {
		t.Fatalf("Update without a difference: %q, %v", out.Action, err)
	}
	if n := b.counted.Writes() - before; n != 0 {
		t.Errorf("%d writes without a difference", n)
	}
}

func updateThereAndBack[S any](t *testing.T, s Suite[S]) {
	b := start(t, s)
	b.create(t)
	for _, want := range []engine.Object[S]{b.changed(), b.want(), b.changed()} {
		have, err := b.Observe(t.Context(), b.wantKey())
		if err != nil {
			t.Fatal(err)
		}
		have.Owned = paths(b.Diff(engine.Observed[S]{}, have.Object))
		out, err := b.Update(t.Context(), want, engine.UpdateOptions{Owned: have.Owned})
		if err != nil {
			t.Fatalf("Update: %v", err)
		}
		if out.Action != engine.Updated || len(out.Changes) == 0 {
			t.Errorf("Update: %q, %+v", out.Action, out.Changes)
		}
		b.holds(t, want)
	}
}

func paths(changes []engine.Change) []string {
	out := make([]string, 0, len(changes))
	for _, c := range changes {
		out = append(out, c.Path)
	}
	return out
}

func updateKeepsOwner[S any](t *testing.T, s Suite[S]) {
	b := start(t, s)
	if b.Markless {
		t.Skip("the kind has no marks")
	}
	b.create(t)
	want := b.changed()
	want.Marks.Owner = "somebody else"
	if _, err := b.Update(t.Context(), want, engine.UpdateOptions{}); err != nil {
		t.Fatal(err)
	}
	have, err := b.Observe(t.Context(), b.wantKey())
	if err != nil {
		t.Fatal(err)
	}
	if have.Marks.Owner != Owner {
		t.Errorf("owner is %q after an update by somebody else, want %q", have.Marks.Owner, Owner)
	}
}

func updateOfAbsent[S any](t *testing.T, s Suite[S]) {
	b := start(t, s)
	if _, err := b.Update(t.Context(), b.want(), engine.UpdateOptions{}); !engine.Is(err, engine.NotFound) {
		t.Errorf("Update of nothing: %v, want class %q", err, engine.NotFound)
	}
}

func deleteIsIdempotent[S any](t *testing.T, s Suite[S]) {
	b := start(t, s)
	if err := b.Delete(t.Context(), b.wantKey(), engine.DeleteOptions{}); err != nil {
		t.Errorf("Delete of nothing: %v", err)
	}
	b.create(t)
	stale, err := b.Observe(t.Context(), b.wantKey())
	if err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if err := b.Delete(t.Context(), b.wantKey(), engine.DeleteOptions{}); err != nil {
			t.Fatalf("Delete: %v", err)
		}
		if have, err := b.Observe(t.Context(), b.wantKey()); err != nil || have.Found {
			t.Fatalf("after Delete: found %v, %v", have.Found, err)
		}
		if err := b.Client.Delete(t.Context(), stale, engine.DeleteOptions{}); err != nil {
			t.Errorf("the client's Delete of what is gone: %v", err)
		}
	}
	b.create(t) // the name is free again
}

func driftIsRepaired[S any](t *testing.T, s Suite[S]) {
	b := start(t, s)
	b.create(t)
	if _, err := b.fresh().Update(t.Context(), b.changed(), engine.UpdateOptions{}); err != nil {
		t.Fatal(err)
	}
	out, err := b.Converge(t.Context(), b.want())
	if err != nil || out.Action != engine.Updated {
		t.Fatalf("Converge of a drifted object: %q, %v", out.Action, err)
	}
	b.holds(t, b.want())
	if err := b.fresh().Delete(t.Context(), b.wantKey(), engine.DeleteOptions{}); err != nil {
		t.Fatal(err)
	}
	if out, err = b.Converge(t.Context(), b.want()); err != nil || out.Action != engine.Created {
		t.Fatalf("Converge of a vanished object: %q, %v", out.Action, err)
	}
	b.holds(t, b.want())
}

func cancelledContext[S any](t *testing.T, s Suite[S]) {
	b := start(t, s)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	verbs := map[string]func() error{
		"Observe":  func() error { _, err := b.Observe(ctx, b.wantKey()); return err },
		"Create":   func() error { _, err := b.Create(ctx, b.want(), engine.CreateOptions{}); return err },
		"Update":   func() error { _, err := b.Update(ctx, b.want(), engine.UpdateOptions{}); return err },
		"Converge": func() error { _, err := b.Converge(ctx, b.want()); return err },
		"Delete":   func() error { return b.Delete(ctx, b.wantKey(), engine.DeleteOptions{}) },
		"Wait":     func() error { _, err := b.Wait(ctx, b.wantKey(), nil); return err },
	}
	for name, call := range verbs {
		if err := call(); !errors.Is(err, context.Canceled) {
			t.Errorf("%s with a cancelled context: %v, want %v", name, err, context.Canceled)
		}
	}
	if have, err := b.Observe(t.Context(), b.wantKey()); err != nil || have.Found {
		t.Errorf("a cancelled create left something: %v, %v", have.Found, err)
	}
}

func concurrentConverge[S any](t *testing.T, s Suite[S]) {
	b := start(t, s)
	engines := []*engine.Engine[S]{b.Engine, b.fresh()} // two processes
	var wg sync.WaitGroup
	for i := range 8 {
		wg.Go(func() {
			want := b.want()
			if i%4 == 3 {
				want = b.changed()
			}
			if _, err := engines[i%2].Converge(t.Context(), want); err != nil {
				t.Errorf("concurrent Converge: %v", err)
			}
		})
	}
	wg.Wait()
	if _, err := b.Converge(t.Context(), b.want()); err != nil {
		t.Fatal(err)
	}
	b.holds(t, b.want())
	if lister, ok := b.counted.Client.(engine.Lister[S]); ok {
		all, err := lister.List(t.Context(), parent(b.wantKey()))
		if err != nil {
			t.Fatal(err)
		}
		n := 0
		for _, o := range all {
			if b.keyOf(o.Object) == b.wantKey() {
				n++
			}
		}
		if n != 1 {
			t.Errorf("%d objects of one key", n)
		}
	}
}

// parent is the key that lists what lies beside an object.
func parent(key engine.Key) engine.Key {
	key.Name = ""
	return key
}

func missingParent[S any](t *testing.T, s Suite[S]) {
	b := start(t, s)
	if s.Orphan == nil {
		t.Skip("the kind has no parent: Suite.Orphan is nil")
	}
	orphan := object(*s.Orphan)
	if _, err := b.Observe(t.Context(), b.keyOf(orphan)); !engine.Is(err, engine.NotFound) {
		t.Errorf("Observe below a missing parent: %v, want class %q", err, engine.NotFound)
	}
	if _, err := b.Create(t.Context(), orphan, engine.CreateOptions{}); !engine.Is(err, engine.NotFound) {
		t.Errorf("Create below a missing parent: %v, want class %q", err, engine.NotFound)
	}
	if err := b.Delete(t.Context(), b.keyOf(orphan), engine.DeleteOptions{}); err != nil {
		t.Errorf("Delete below a missing parent: %v", err)
	}
}

func listEqualsObserve[S any](t *testing.T, s Suite[S]) {
	b := start(t, s)
	lister, ok := b.counted.Client.(engine.Lister[S])
	if !ok {
		t.Skip("the client is no Lister")
	}
	b.create(t)
	all, err := lister.List(t.Context(), parent(b.wantKey()))
	if err != nil {
		t.Fatalf("List: %v", err)
	}
	seen := false
	for _, listed := range all {
		key := b.keyOf(listed.Object)
		seen = seen || key == b.wantKey()
		have, err := b.Observe(t.Context(), key)
		if err != nil || !have.Found {
			t.Fatalf("%s is listed; Observe: found %v, %v", key, have.Found, err)
		}
		if changes := b.Diff(have, listed.Object); len(changes) > 0 || have.Marks != listed.Marks || have.Platform != listed.Platform {
			t.Errorf("%s is listed as something else: %+v, marks %+v and %+v", key, changes, listed.Marks, have.Marks)
		}
	}
	if !seen {
		t.Errorf("%s is not listed", b.wantKey())
	}
}
