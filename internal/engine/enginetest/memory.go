package enginetest

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"sync"

	"github.com/functionmesh/terraform-provider-functionmesh/internal/engine"
)

// Memory is a platform in memory: a real Client of one kind, with knobs that make it
// fail as platforms do. Set its exported fields before the first call.
type Memory[S any] struct {
	// Platform is the id it reports; default "memory".
	Platform string
	// Markless makes it forget marks, as kinds do that have no room for them.
	Markless bool
	// Requests is how many a create takes; default 2. The first writes the object
	// with Creating, the last clears it.
	Requests int
	// Parent says whether the parent of a key exists; nil: it does.
	Parent func(engine.Key) bool
	// Status makes the status of an object; nil: one ready instance.
	Status func(S) engine.Status

	key func(S) engine.Key

	mu      sync.Mutex
	objects map[engine.Key]*stored[S]
	faults  map[Verb]*fault
	lag     int
	killAt  int
	calls   map[Verb]int
	writes  int
	acts    []string
}

// stored is an object and what lagging reads still show of it.
type stored[S any] struct {
	found  bool // false: deleted, but perhaps still read
	object engine.Object[S]
	status *engine.Status
	stale  int
	before engine.Observed[S]
}

// NewMemory makes an empty platform. Key is the kind's.
func NewMemory[S any](key func(S) engine.Key) *Memory[S] {
	return &Memory[S]{
		Platform: "memory", Requests: 2, key: key,
		objects: map[engine.Key]*stored[S]{}, faults: map[Verb]*fault{}, calls: map[Verb]int{},
	}
}

// Observe implements engine.Client.
func (m *Memory[S]) Observe(ctx context.Context, key engine.Key) (engine.Observed[S], error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if err := m.enter(ctx, Observe, key); err != nil {
		return engine.Observed[S]{}, err
	}
	if o := m.objects[key]; o != nil && o.stale > 0 {
		o.stale--
		return clone(o.before), m.leave(Observe, key)
	}
	return m.read(key), m.leave(Observe, key)
}

// read is what the platform holds now.
func (m *Memory[S]) read(key engine.Key) engine.Observed[S] {
	out := engine.Observed[S]{Platform: m.Platform}
	o := m.objects[key]
	if o == nil || !o.found {
		return out
	}
	out.Found, out.Object = true, clone(o.object)
	switch {
	case o.status != nil:
		out.Status = clone(*o.status)
	case m.Status != nil:
		out.Status = m.Status(clone(o.object.Spec))
	default:
		out.Status = engine.Status{
			Phase: engine.Ready, Wanted: 1, Ready: 1,
			Instances: []engine.Instance{{Running: true, Ready: true}},
		}
	}
	return out
}

// Create implements engine.Client.
func (m *Memory[S]) Create(ctx context.Context, want engine.Object[S]) (engine.Observed[S], error) {
	key := m.key(want.Spec)
	m.mu.Lock()
	defer m.mu.Unlock()
	if err := m.enter(ctx, Create, key); err != nil {
		return engine.Observed[S]{}, err
	}
	if o := m.objects[key]; o != nil && o.found {
		return engine.Observed[S]{}, failure(engine.Exists, key)
	}
	for request := 1; request <= m.Requests; request++ {
		object := clone(want)
		object.Marks.Creating = m.Requests > 1 && request < m.Requests
		m.write(key, object)
		if request == m.killAt {
			m.killAt = 0
			return engine.Observed[S]{}, engine.New(engine.Unavailable, errKilled)
		}
	}
	if err := m.leave(Create, key); err != nil {
		return engine.Observed[S]{}, err
	}
	return m.read(key), nil
}

// Update implements engine.Client: it performs the changes one by one, so that what a
// diff forgot stays as it was.
func (m *Memory[S]) Update(ctx context.Context, have engine.Observed[S], want engine.Object[S], changes []engine.Change) error {
	key := m.key(have.Spec)
	m.mu.Lock()
	defer m.mu.Unlock()
	if err := m.enter(ctx, Update, key); err != nil {
		return err
	}
	o := m.objects[key]
	if o == nil || !o.found {
		return failure(engine.NotFound, key)
	}
	changed, err := patch(o.object.Spec, want.Spec, changes)
	if err != nil {
		return engine.New(engine.Invalid, err)
	}
	marks := want.Marks
	marks.Creating = false
	m.write(key, engine.Object[S]{Spec: changed, Marks: marks})
	m.objects[key].status = nil // what it said was of the object before
	return m.leave(Update, key)
}

// Delete implements engine.Client.
func (m *Memory[S]) Delete(ctx context.Context, have engine.Observed[S], _ engine.DeleteOptions) error {
	key := m.key(have.Spec)
	m.mu.Lock()
	defer m.mu.Unlock()
	if err := m.enter(ctx, Delete, key); err != nil {
		return err
	}
	if o := m.objects[key]; o != nil && o.found {
		m.writes++
		m.lagged(key, &stored[S]{})
	}
	return m.leave(Delete, key)
}

// List implements engine.Lister, sorted by key.
func (m *Memory[S]) List(ctx context.Context, in engine.Key) ([]engine.Observed[S], error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if err := m.enter(ctx, List, in); err != nil {
		return nil, err
	}
	var out []engine.Observed[S]
	for key, o := range m.objects {
		if o.found && key.Kind == in.Kind && key.Tenant == in.Tenant && key.Namespace == in.Namespace {
			out = append(out, m.read(key))
		}
	}
	slices.SortFunc(out, func(a, b engine.Observed[S]) int {
		return cmp.Compare(m.key(a.Spec).String(), m.key(b.Spec).String())
	})
	return out, m.leave(List, in)
}

// Act implements engine.Actor: it remembers the verb and answers with it.
func (m *Memory[S]) Act(ctx context.Context, key engine.Key, verb string, _ map[string]string) (string, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if err := ctx.Err(); err != nil {
		return "", err
	}
	if o := m.objects[key]; o == nil || !o.found {
		return "", failure(engine.NotFound, key)
	}
	m.acts = append(m.acts, verb+" "+key.String())
	return verb, nil
}

// write stores an object as one request.
func (m *Memory[S]) write(key engine.Key, object engine.Object[S]) {
	m.writes++
	if m.Markless {
		object.Marks = engine.Marks{}
	}
	m.lagged(key, &stored[S]{found: true, object: object})
}

// lagged replaces what is stored and lets reads show the old for a while.
func (m *Memory[S]) lagged(key engine.Key, now *stored[S]) {
	now.before, now.stale = m.read(key), m.lag
	m.objects[key] = now
}

var errKilled = errors.New("killed between two requests")

func failure(class engine.Class, key engine.Key) error {
	return &engine.Error{Class: class, Key: key}
}
