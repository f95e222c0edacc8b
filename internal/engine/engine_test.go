package engine_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/functionmesh/terraform-provider-functionmesh/internal/engine"
	"github.com/functionmesh/terraform-provider-functionmesh/internal/engine/enginetest"
)

// thing is a kind with a setting that can change, one that cannot and one that is the
// server's.
type thing struct {
	Name   string `json:"name,omitempty"`
	Size   string `json:"size,omitempty"`
	Fixed  string `json:"fixed,omitempty"`
	Server string `json:"server,omitempty"`
}

func keyOf(t thing) engine.Key {
	return engine.Key{Kind: "thing", Tenant: "public", Namespace: "default", Name: t.Name}
}

func diffThings(have engine.Observed[thing], want engine.Object[thing]) []engine.Change {
	var out []engine.Change
	if have.Spec.Size != want.Spec.Size {
		out = append(out, engine.Change{Path: "size", Op: engine.Set, Old: have.Spec.Size, New: want.Spec.Size})
	}
	if have.Spec.Fixed != want.Spec.Fixed {
		out = append(out, engine.Change{Path: "fixed", Op: engine.Replace, Old: have.Spec.Fixed, New: want.Spec.Fixed})
	}
	if want.Spec.Server == "" && have.Spec.Server != "" && slices.Contains(have.Owned, "server") {
		out = append(out, engine.Change{Path: "server", Op: engine.Clear, Old: have.Spec.Server})
	}
	return out
}

func bind(client engine.Client[thing]) *engine.Engine[thing] {
	return &engine.Engine[thing]{
		Client: client, Key: keyOf, Diff: diffThings,
		Timing: engine.Timing{Poll: time.Millisecond, MaxPoll: 5 * time.Millisecond, ReadBack: 100 * time.Millisecond, Outage: 50 * time.Millisecond},
	}
}

func ours(t thing) engine.Object[thing] {
	return engine.Object[thing]{Spec: t, Marks: engine.Marks{Owner: "us"}}
}

var key = keyOf(thing{Name: "a"})

func TestMemoryConforms(t *testing.T) {
	enginetest.Run(t, enginetest.Suite[thing]{
		New: func(*testing.T) engine.Client[thing] {
			m := enginetest.NewMemory(keyOf)
			m.Parent = func(k engine.Key) bool { return k.Tenant == "public" }
			m.Requests = 4
			return m
		},
		Engine:  bind,
		Want:    thing{Name: "a", Size: "s"},
		Changed: thing{Name: "a", Size: "m"},
		Faults: func(c engine.Client[thing]) enginetest.Faults {
			m, _ := c.(*enginetest.Memory[thing])
			return m
		},
	})
}

func TestCreateOverWhatExists(t *testing.T) {
	cases := map[string]struct {
		there  engine.Object[thing]
		want   engine.Object[thing]
		opts   engine.CreateOptions
		class  engine.Class
		action engine.Action
		writes int
	}{
		"OursAndUnfinished": {
			there: engine.Object[thing]{Spec: thing{Name: "a"}, Marks: engine.Marks{Owner: "us", Creating: true}},
			want:  ours(thing{Name: "a", Size: "s"}), action: engine.TakenOver, writes: 1,
		},
		"OursUnfinishedAndUnchangeable": {
			there: engine.Object[thing]{Spec: thing{Name: "a", Fixed: "x"}, Marks: engine.Marks{Owner: "us", Creating: true}},
			want:  ours(thing{Name: "a", Fixed: "y"}), action: engine.TakenOver, writes: 3,
		},
		"OursAndEqual": {
			there: ours(thing{Name: "a", Size: "s"}), want: ours(thing{Name: "a", Size: "s"}), action: engine.TakenOver,
		},
		"OursAndDifferent": {
			there: ours(thing{Name: "a", Size: "s"}), want: ours(thing{Name: "a", Size: "m"}), class: engine.Exists,
		},
		"OfAnother": {
			there: engine.Object[thing]{Spec: thing{Name: "a"}, Marks: engine.Marks{Owner: "them", Creating: true}},
			want:  ours(thing{Name: "a"}), class: engine.Exists,
		},
		"OfNobody": {
			there: engine.Object[thing]{Spec: thing{Name: "a"}}, want: ours(thing{Name: "a"}), class: engine.Exists,
		},
		"OfNobodyAdopted": {
			there: engine.Object[thing]{Spec: thing{Name: "a"}}, want: ours(thing{Name: "a"}),
			opts: engine.CreateOptions{Adopt: true}, action: engine.Adopted, writes: 1,
		},
		"OfAnotherAdopted": {
			there: engine.Object[thing]{Spec: thing{Name: "a"}, Marks: engine.Marks{Owner: "them"}}, want: ours(thing{Name: "a", Size: "m"}),
			opts: engine.CreateOptions{Adopt: true}, action: engine.Adopted, writes: 1,
		},
		"UnchangeableAdopted": {
			there: engine.Object[thing]{Spec: thing{Name: "a", Fixed: "x"}}, want: ours(thing{Name: "a", Fixed: "y"}),
			opts: engine.CreateOptions{Adopt: true}, class: engine.Immutable,
		},
		"OfAMeshAdopted": {
			there: engine.Object[thing]{Spec: thing{Name: "a"}, Marks: engine.Marks{Owner: "us", Mesh: "m"}}, want: ours(thing{Name: "a"}),
			opts: engine.CreateOptions{Adopt: true}, class: engine.Exists,
		},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			m := enginetest.NewMemory(keyOf)
			m.Requests = 1
			m.Put(c.there)
			if name == "OursUnfinishedAndUnchangeable" {
				m.Requests = 2 // the delete and both requests of the create
			}
			out, err := bind(m).Create(t.Context(), c.want, c.opts)
			if engine.ClassOf(err) != c.class || out.Action != c.action {
				t.Fatalf("Create: %q, %v; want %q, class %q", out.Action, err, c.action, c.class)
			}
			if m.Writes() != c.writes {
				t.Errorf("%d writes, want %d", m.Writes(), c.writes)
			}
			if err != nil && out.Observed.Found {
				t.Error("what is not ours was returned")
			}
			if c.action == engine.TakenOver && len(out.Warnings) != 1 {
				t.Errorf("warnings are %q, want one", out.Warnings)
			}
			if err == nil && (out.Observed.Marks.Creating || out.Observed.Marks.Owner == "" || len(diffThings(out.Observed, c.want)) > 0) {
				t.Errorf("observed %+v", out.Observed)
			}
		})
	}
}

func TestMarklessIsTakenOverWhenEqual(t *testing.T) {
	cases := map[string]struct {
		want  thing
		class engine.Class
	}{
		"Equal":     {want: thing{Name: "a", Size: "s"}},
		"Different": {want: thing{Name: "a", Size: "m"}, class: engine.Exists},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			m := enginetest.NewMemory(keyOf)
			m.Markless = true
			m.Put(engine.Object[thing]{Spec: thing{Name: "a", Size: "s"}})
			e := bind(m)
			e.Markless = true
			if _, err := e.Create(t.Context(), ours(c.want), engine.CreateOptions{}); engine.ClassOf(err) != c.class {
				t.Errorf("Create: %v, want class %q", err, c.class)
			}
			if m.Writes() != 0 {
				t.Errorf("%d writes", m.Writes())
			}
		})
	}
}

func TestExistsEndsWithTheHint(t *testing.T) {
	m := enginetest.NewMemory(keyOf)
	m.Put(engine.Object[thing]{Spec: thing{Name: "a"}, Marks: engine.Marks{Owner: "them"}})
	_, err := bind(m).Create(t.Context(), ours(thing{Name: "a"}), engine.CreateOptions{ImportHint: "import it so"})
	var classed *engine.Error
	if !errors.As(err, &classed) || classed.Hint != "import it so" || classed.Key != key {
		t.Errorf("Create: %#v", err)
	}
}

// A failure that may have left something behind ends with what it left in the
// outcome; one that passes is completed.
func TestFailedCreateLooksAtWhatItLeft(t *testing.T) {
	cases := map[string]struct {
		fault  func(*enginetest.Memory[thing])
		class  engine.Class
		found  bool
		writes int
	}{
		"LostAnswer":      {fault: func(m *enginetest.Memory[thing]) { m.FailAfter(enginetest.Create, 1, engine.Unavailable) }, found: true, writes: 2},
		"KilledBetween":   {fault: func(m *enginetest.Memory[thing]) { m.KillCreate(1) }, found: true, writes: 2},
		"RefusedAfter":    {fault: func(m *enginetest.Memory[thing]) { m.FailAfter(enginetest.Create, 1, engine.Invalid) }, class: engine.Invalid, found: true, writes: 2},
		"RefusedBefore":   {fault: func(m *enginetest.Memory[thing]) { m.FailNext(enginetest.Create, 1, engine.Forbidden) }, class: engine.Forbidden},
		"Unreachable":     {fault: func(m *enginetest.Memory[thing]) { m.FailNext(enginetest.Create, 1, engine.Unavailable) }, class: engine.Unavailable},
		"LostRace":        {fault: func(m *enginetest.Memory[thing]) { m.FailNext(enginetest.Create, 3, engine.Conflict) }, found: true, writes: 2},
		"RacesWithoutEnd": {fault: func(m *enginetest.Memory[thing]) { m.FailNext(enginetest.Create, 1000, engine.Conflict) }, class: engine.Conflict},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			m := enginetest.NewMemory(keyOf)
			c.fault(m)
			out, err := bind(m).Create(t.Context(), ours(thing{Name: "a", Size: "s"}), engine.CreateOptions{})
			if engine.ClassOf(err) != c.class || out.Observed.Found != c.found || m.Writes() != c.writes {
				t.Errorf("Create: found %v, %d writes, %v; want %v, %d, class %q", out.Observed.Found, m.Writes(), err, c.found, c.writes, c.class)
			}
		})
	}
}

// cancelling is a platform that ends the caller's context while it works.
type cancelling struct {
	*enginetest.Memory[thing]
	cancel context.CancelFunc
}

func (c cancelling) Create(ctx context.Context, want engine.Object[thing]) (engine.Observed[thing], error) {
	_, _ = c.Memory.Create(ctx, want)
	c.cancel()
	return engine.Observed[thing]{}, ctx.Err()
}

func TestCreateCancelledOnTheWay(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	out, err := bind(cancelling{enginetest.NewMemory(keyOf), cancel}).Create(ctx, ours(thing{Name: "a"}), engine.CreateOptions{})
	if !errors.Is(err, context.Canceled) || !out.Observed.Found {
		t.Errorf("Create: found %v, %v; want what exists and %v", out.Observed.Found, err, context.Canceled)
	}
}

func TestUpdate(t *testing.T) {
	there := engine.Object[thing]{Spec: thing{Name: "a", Size: "s", Fixed: "x", Server: "1"}, Marks: engine.Marks{Owner: "them", Mesh: "m", Digest: "d"}}
	in := func(s thing, mesh string) engine.Object[thing] {
		return engine.Object[thing]{Spec: s, Marks: engine.Marks{Owner: "us", Mesh: mesh, Digest: "e"}}
	}
	cases := map[string]struct {
		want   engine.Object[thing]
		opts   engine.UpdateOptions
		class  engine.Class
		action engine.Action
		marks  engine.Marks
		spec   thing
	}{
		"KeepsOwner": {
			want: in(thing{Name: "a", Size: "m", Fixed: "x"}, "m"), action: engine.Updated,
			marks: engine.Marks{Owner: "them", Mesh: "m", Digest: "e"}, spec: thing{Name: "a", Size: "m", Fixed: "x", Server: "1"},
		},
		"ClaimsNothing": {
			want: engine.Object[thing]{Spec: thing{Name: "a", Size: "m", Fixed: "x"}}, action: engine.Updated,
			marks: there.Marks, spec: thing{Name: "a", Size: "m", Fixed: "x", Server: "1"},
		},
		"Owned": {
			want: in(thing{Name: "a", Size: "s", Fixed: "x"}, "m"), opts: engine.UpdateOptions{Owned: []string{"server"}}, action: engine.Updated,
			marks: engine.Marks{Owner: "them", Mesh: "m", Digest: "e"}, spec: thing{Name: "a", Size: "s", Fixed: "x"},
		},
		"Unchangeable": {want: in(thing{Name: "a", Size: "s", Fixed: "y"}, "m"), class: engine.Immutable, action: engine.None, marks: there.Marks, spec: there.Spec},
		"Replaced": {
			want: in(thing{Name: "a", Size: "s", Fixed: "y"}, "m"), opts: engine.UpdateOptions{Replace: true}, action: engine.Replaced,
			marks: engine.Marks{Owner: "them", Mesh: "m", Digest: "e"}, spec: thing{Name: "a", Size: "s", Fixed: "y"},
		},
		"OfAMesh": {want: in(thing{Name: "a", Size: "m"}, ""), class: engine.Exists, marks: there.Marks, spec: there.Spec},
		"Nothing": {want: in(thing{Name: "a", Size: "s", Fixed: "x"}, "m"), action: engine.None, marks: there.Marks, spec: there.Spec},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			m := enginetest.NewMemory(keyOf)
			m.Put(there)
			out, err := bind(m).Update(t.Context(), c.want, c.opts)
			if engine.ClassOf(err) != c.class || out.Action != c.action {
				t.Errorf("Update: %q, %v; want %q, class %q", out.Action, err, c.action, c.class)
			}
			have, err := m.Observe(t.Context(), key)
			if err != nil || have.Marks != c.marks || have.Spec != c.spec {
				t.Errorf("there is %+v with %+v, want %+v with %+v", have.Spec, have.Marks, c.spec, c.marks)
			}
		})
	}
}

// rigid is a platform that cannot change anything in place.
type rigid struct{ *enginetest.Memory[thing] }

func (rigid) Update(context.Context, engine.Observed[thing], engine.Object[thing], []engine.Change) error {
	return engine.New(engine.Immutable, errors.New("carved in stone"))
}

func TestUpdateReplacesWhereThePlatformRefuses(t *testing.T) {
	m := enginetest.NewMemory(keyOf)
	m.Put(ours(thing{Name: "a", Size: "s"}))
	e := bind(rigid{m})
	if _, err := e.Update(t.Context(), ours(thing{Name: "a", Size: "m"}), engine.UpdateOptions{}); !engine.Is(err, engine.Immutable) {
		t.Errorf("Update: %v", err)
	}
	out, err := e.Update(t.Context(), ours(thing{Name: "a", Size: "m"}), engine.UpdateOptions{Replace: true})
	if err != nil || out.Action != engine.Replaced || out.Observed.Spec.Size != "m" {
		t.Errorf("Update with Replace: %+v, %v", out, err)
	}
}

// deaf is a platform that accepts changes and ignores them.
type deaf struct{ *enginetest.Memory[thing] }

func (deaf) Update(context.Context, engine.Observed[thing], engine.Object[thing], []engine.Change) error {
	return nil
}

func TestWhatNeverReadsBackIsAWarning(t *testing.T) {
	m := enginetest.NewMemory(keyOf)
	m.Put(ours(thing{Name: "a", Size: "s"}))
	out, err := bind(deaf{m}).Update(t.Context(), ours(thing{Name: "a", Size: "m"}), engine.UpdateOptions{})
	if err != nil || len(out.Warnings) != 1 || !strings.Contains(out.Warnings[0], "size") {
		t.Errorf("Update: %q, %v", out.Warnings, err)
	}
	if out.Observed.Spec.Size != "s" {
		t.Errorf("the outcome claims size %q", out.Observed.Spec.Size)
	}
}

// rounding is a platform that makes something else of what it is told.
type rounding struct{ *enginetest.Memory[thing] }

func (r rounding) Update(ctx context.Context, have engine.Observed[thing], want engine.Object[thing], changes []engine.Change) error {
	want.Spec.Size = "rounded"
	return r.Memory.Update(ctx, have, want, changes)
}

func TestAThirdValueIsNotWaitedFor(t *testing.T) {
	m := enginetest.NewMemory(keyOf)
	m.Put(ours(thing{Name: "a", Size: "s"}))
	e := bind(rounding{m})
	e.Timing.ReadBack = time.Hour
	out, err := e.Update(t.Context(), ours(thing{Name: "a", Size: "m"}), engine.UpdateOptions{})
	if err != nil || len(out.Warnings) != 1 || out.Observed.Spec.Size != "rounded" {
		t.Errorf("Update: %+v, %q, %v", out.Observed.Spec, out.Warnings, err)
	}
}

func TestConvergeFinishesAnInterruptedCreate(t *testing.T) {
	m := enginetest.NewMemory(keyOf)
	m.Put(engine.Object[thing]{Spec: thing{Name: "a"}, Marks: engine.Marks{Owner: "us", Creating: true}})
	out, err := bind(m).Converge(t.Context(), ours(thing{Name: "a"}))
	if err != nil || out.Observed.Marks.Creating || m.Writes() != 1 {
		t.Errorf("Converge: %+v, %d writes, %v", out.Observed.Marks, m.Writes(), err)
	}
}

func TestWritesOfOneKeyAreSerialised(t *testing.T) {
	m := enginetest.NewMemory(keyOf)
	e := bind(m)
	var wg sync.WaitGroup
	for range 16 {
		wg.Go(func() {
			if _, err := e.Converge(t.Context(), ours(thing{Name: "a", Size: "s"})); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if m.Calls(enginetest.Create) != 1 || m.Calls(enginetest.Update) != 0 {
		t.Errorf("%d creates and %d updates, want 1 and 0", m.Calls(enginetest.Create), m.Calls(enginetest.Update))
	}
}
