package engine_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/functionmesh/terraform-provider-functionmesh/internal/engine"
	"github.com/functionmesh/terraform-provider-functionmesh/internal/engine/enginetest"
)

// scripted is a platform whose object goes through statuses, one per observation.
type scripted struct {
	*enginetest.Memory[thing]
	statuses []engine.Status
	seen     int
}

func (s *scripted) Observe(ctx context.Context, k engine.Key) (engine.Observed[thing], error) {
	have, err := s.Memory.Observe(ctx, k)
	have.Status = s.statuses[min(s.seen, len(s.statuses)-1)]
	s.seen++
	return have, err
}

func TestWait(t *testing.T) {
	failed := engine.Status{
		Phase: engine.Failed, Reason: "ClassNotFound", Message: "no class a.A", Wanted: 1,
		Instances: []engine.Instance{{ID: 0, LogTail: []string{"Traceback", "ModuleNotFoundError: a"}}},
	}
	cases := map[string]struct {
		statuses []engine.Status
		told     int
		failed   bool
		words    []string
	}{
		"ReadyAtOnce":   {statuses: []engine.Status{{Phase: engine.Ready}}, told: 1},
		"StoppedCounts": {statuses: []engine.Status{{Phase: engine.Stopped}}, told: 1},
		"ReadyLater":    {statuses: []engine.Status{{Phase: engine.Progressing}, {Phase: engine.Progressing}, {Phase: engine.Progressing, Ready: 1}, {Phase: engine.Ready}}, told: 3},
		"UnsetWaits":    {statuses: []engine.Status{{}, {Phase: engine.Ready}}, told: 2},
		"FailsFast": {
			statuses: []engine.Status{{Phase: engine.Progressing}, failed}, told: 2, failed: true,
			words: []string{"public/default/a", "ClassNotFound", "no class a.A", "ModuleNotFoundError: a"},
		},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			m := enginetest.NewMemory(keyOf)
			m.Put(ours(thing{Name: "a"}))
			told := 0
			_, err := bind(&scripted{Memory: m, statuses: c.statuses}).Wait(t.Context(), key, func(engine.Status) { told++ })
			var late *engine.NotReadyError
			if errors.As(err, &late) != c.failed || err != nil && !late.Terminal {
				t.Fatalf("Wait: %v", err)
			}
			if told != c.told {
				t.Errorf("told %d statuses, want %d", told, c.told)
			}
			for _, w := range c.words {
				if !strings.Contains(err.Error(), w) {
					t.Errorf("the error lacks %q: %v", w, err)
				}
			}
		})
	}
}

func TestWaitEndsWithTheContext(t *testing.T) {
	m := enginetest.NewMemory(keyOf)
	m.Put(ours(thing{Name: "a"}))
	m.SetStatus(key, engine.Status{Phase: engine.Progressing, Reason: "Starting", Wanted: 2, Ready: 1})
	ctx, cancel := context.WithCancel(t.Context())
	_, err := bind(m).Wait(ctx, key, func(engine.Status) { cancel() })
	var late *engine.NotReadyError
	if !errors.As(err, &late) || late.Terminal || late.Status.Reason != "Starting" || !errors.Is(err, context.Canceled) {
		t.Errorf("Wait: %#v", err)
	}
}

func TestWaitSaysThatThePlatformFellSilent(t *testing.T) {
	cases := map[string]struct {
		outage time.Duration
		end    bool // the caller's time ends first
	}{
		"TooLong":    {outage: time.Millisecond},
		"CallerEnds": {outage: time.Hour, end: true},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			m := enginetest.NewMemory(keyOf)
			m.Put(ours(thing{Name: "a"}))
			m.SetStatus(key, engine.Status{Phase: engine.Progressing, Reason: "Starting", Wanted: 1})
			e := bind(m)
			e.Timing.Outage = c.outage
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			_, err := e.Wait(ctx, key, func(engine.Status) {
				m.FailNext(enginetest.Observe, 1<<30, engine.Unavailable)
				if c.end {
					go func() {
						for m.Calls(enginetest.Observe) < 4 {
							time.Sleep(time.Millisecond)
						}
						cancel()
					}()
				}
			})
			var late *engine.NotReadyError
			if !errors.As(err, &late) || late.Terminal || late.Status.Reason != "Starting" || !engine.Is(err, engine.Unavailable) {
				t.Fatalf("Wait: %v", err)
			}
			if text := err.Error(); strings.Index(text, late.Err.Error()) != 0 || !strings.Contains(text, "When it last answered") {
				t.Errorf("the silence is not what the error begins with: %s", text)
			}
		})
	}
}

func TestWaitForWhatVanished(t *testing.T) {
	if _, err := bind(enginetest.NewMemory(keyOf)).Wait(t.Context(), key, nil); !engine.Is(err, engine.NotFound) {
		t.Errorf("Wait: %v, want class %q", err, engine.NotFound)
	}
}

func TestWaitBearsAnOutage(t *testing.T) {
	m := enginetest.NewMemory(keyOf)
	m.Put(ours(thing{Name: "a"}))
	m.FailNext(enginetest.Observe, 3, engine.Unavailable)
	e := bind(m)
	e.Timing.Outage = time.Minute
	if _, err := e.Wait(t.Context(), key, nil); err != nil {
		t.Errorf("Wait: %v", err)
	}
	m.FailNext(enginetest.Observe, 1<<30, engine.Unavailable)
	e.Timing.Outage = time.Millisecond
	if _, err := e.Wait(t.Context(), key, nil); !engine.Is(err, engine.Unavailable) {
		t.Errorf("Wait without a platform: %v", err)
	}
	m.FailNext(enginetest.Observe, 1, engine.Forbidden)
	if _, err := e.Wait(t.Context(), key, nil); !engine.Is(err, engine.Forbidden) {
		t.Errorf("Wait without permission: %v", err)
	}
}

// telling is a platform that says when something changed.
type telling struct {
	*scripted
	changed chan struct{}
}

func (w telling) Watch(context.Context, engine.Key) (<-chan struct{}, error) { return w.changed, nil }

func TestWaitIsWoken(t *testing.T) {
	m := enginetest.NewMemory(keyOf)
	m.Put(ours(thing{Name: "a"}))
	s := &scripted{Memory: m, statuses: []engine.Status{{Phase: engine.Progressing}, {Phase: engine.Progressing}, {Phase: engine.Ready}}}
	changed := make(chan struct{}, 1)
	changed <- struct{}{}
	close(changed) // it stops telling after one change: the rest is polled
	if _, err := bind(telling{s, changed}).Wait(t.Context(), key, nil); err != nil {
		t.Error(err)
	}
	if s.seen != 3 {
		t.Errorf("%d observations, want 3", s.seen)
	}
}

func TestDelete(t *testing.T) {
	cases := map[string]struct {
		fault func(*enginetest.Memory[thing])
		class engine.Class
		found bool
	}{
		"There":       {fault: func(*enginetest.Memory[thing]) {}},
		"Lagging":     {fault: func(m *enginetest.Memory[thing]) { m.Lag(4) }},
		"LostAnswer":  {fault: func(m *enginetest.Memory[thing]) { m.FailAfter(enginetest.Delete, 1, engine.Unavailable) }},
		"LostRace":    {fault: func(m *enginetest.Memory[thing]) { m.FailNext(enginetest.Delete, 2, engine.Conflict) }},
		"NoParent":    {fault: func(m *enginetest.Memory[thing]) { m.Parent = func(engine.Key) bool { return false } }, found: true},
		"Forbidden":   {fault: func(m *enginetest.Memory[thing]) { m.FailNext(enginetest.Delete, 1, engine.Forbidden) }, class: engine.Forbidden, found: true},
		"Unreachable": {fault: func(m *enginetest.Memory[thing]) { m.FailNext(enginetest.Delete, 1, engine.Unavailable) }, class: engine.Unavailable, found: true},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			m := enginetest.NewMemory(keyOf)
			m.Put(ours(thing{Name: "a"}))
			c.fault(m)
			if err := bind(m).Delete(t.Context(), key, engine.DeleteOptions{}); engine.ClassOf(err) != c.class {
				t.Errorf("Delete: %v, want class %q", err, c.class)
			}
			m.Parent = nil
			if have, err := m.Observe(t.Context(), key); err != nil || have.Found != c.found {
				t.Errorf("afterwards: found %v, %v", have.Found, err)
			}
		})
	}
}

func TestDeleteWaitsOnlyAsLongAsItsContext(t *testing.T) {
	m := enginetest.NewMemory(keyOf)
	m.Put(ours(thing{Name: "a"}))
	m.Lag(1 << 30)
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	if err := bind(m).Delete(ctx, key, engine.DeleteOptions{}); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("Delete: %v, want %v", err, context.DeadlineExceeded)
	}
}

func TestWaitingForALockEndsWithTheContext(t *testing.T) {
	m := enginetest.NewMemory(keyOf)
	m.Put(ours(thing{Name: "a"}))
	m.Lag(1 << 30) // the deletion is never seen, so its lock is held
	e := bind(m)
	holding, release := context.WithCancel(t.Context())
	ended := make(chan error)
	go func() { ended <- e.Delete(holding, key, engine.DeleteOptions{}) }()
	for m.Calls(enginetest.Delete) == 0 {
		time.Sleep(time.Millisecond)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := e.Converge(ctx, ours(thing{Name: "a"})); !errors.Is(err, context.Canceled) {
		t.Errorf("Converge behind a held lock: %v, want %v", err, context.Canceled)
	}
	if _, err := e.Converge(t.Context(), ours(thing{Name: "b"})); err == nil {
		t.Error("lagging reads were read back")
	}
	release()
	if err := <-ended; !errors.Is(err, context.Canceled) {
		t.Errorf("Delete: %v", err)
	}
}

func TestAll(t *testing.T) {
	a, b := engine.New(engine.Invalid, errors.New("a")), engine.New(engine.Forbidden, errors.New("b"))
	inner := engine.New(engine.Unavailable, b)
	cases := map[string]struct {
		err  error
		want []*engine.Error
	}{
		"Nil":       {},
		"Other":     {err: context.Canceled},
		"One":       {err: a, want: []*engine.Error{a}},
		"Wrapped":   {err: fmt.Errorf("around: %w", a), want: []*engine.Error{a}},
		"Outermost": {err: inner, want: []*engine.Error{inner}},
		"Joined":    {err: errors.Join(a, nil, errors.Join(context.Canceled, fmt.Errorf("around: %w", b))), want: []*engine.Error{a, b}},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			if got := engine.All(c.err); !slices.Equal(got, c.want) {
				t.Errorf("All: %v, want %v", got, c.want)
			}
		})
	}
}

func TestReasonIsToldOnce(t *testing.T) {
	err := &engine.NotReadyError{Terminal: true, Status: engine.Status{Reason: "InvalidCode", Message: `function "a": InvalidCode: no b`}}
	if n := strings.Count(err.Error(), "InvalidCode"); n != 1 {
		t.Errorf("the reason is told %d times in %q", n, err)
	}
}
