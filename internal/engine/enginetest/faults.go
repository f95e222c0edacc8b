package enginetest

import (
	"context"
	"errors"
	"slices"

	"github.com/functionmesh/terraform-provider-functionmesh/internal/engine"
)

// Verb names a call of engine.Client.
type Verb string

// The verbs.
const (
	Observe Verb = "observe"
	Create  Verb = "create"
	Update  Verb = "update"
	Delete  Verb = "delete"
	List    Verb = "list"
)

// Faults make a platform fail. Memory has them; a client that reaches a Memory over a
// network hands that one's to the suite.
type Faults interface {
	// FailNext lets the next n calls of a verb fail with a class before they do
	// anything; 0 ends it.
	FailNext(verb Verb, n int, class engine.Class)
	// FailAfter lets the next n calls of a verb do their work and then fail.
	FailAfter(verb Verb, n int, class engine.Class)
	// Lag lets the next n observations after each write show what was before.
	Lag(n int)
	// KillCreate ends the next create after its k-th request, and says whether a
	// create has that many.
	KillCreate(k int) bool
	// Writes counts the requests that changed something.
	Writes() int
}

// fault is what a verb still has to fail.
type fault struct {
	n     int
	class engine.Class
	after bool
}

var errInjected = errors.New("injected failure")

// FailNext implements Faults.
func (m *Memory[S]) FailNext(verb Verb, n int, class engine.Class) {
	m.setFault(verb, &fault{n: n, class: class})
}

// FailAfter implements Faults.
func (m *Memory[S]) FailAfter(verb Verb, n int, class engine.Class) {
	m.setFault(verb, &fault{n: n, class: class, after: true})
}

func (m *Memory[S]) setFault(verb Verb, f *fault) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.faults[verb] = f
}

// Lag implements Faults.
func (m *Memory[S]) Lag(n int) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.lag = n
}

// KillCreate implements Faults.
func (m *Memory[S]) KillCreate(k int) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	if k > m.Requests {
		return false
	}
	m.killAt = k
	return true
}

// Writes implements Faults.
func (m *Memory[S]) Writes() int {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.writes
}

// Calls says how often a verb was called.
func (m *Memory[S]) Calls(verb Verb) int {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.calls[verb]
}

// Acts lists the one-off verbs that were asked for, each as "verb key".
func (m *Memory[S]) Acts() []string {
	m.mu.Lock()
	defer m.mu.Unlock()
	return slices.Clone(m.acts)
}

// SetStatus lets an object report a status until it is changed.
func (m *Memory[S]) SetStatus(key engine.Key, status engine.Status) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if o := m.objects[key]; o != nil {
		o.status = &status
	}
}

// Edit changes an object behind everybody's back.
func (m *Memory[S]) Edit(key engine.Key, change func(*engine.Object[S])) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if o := m.objects[key]; o != nil && o.found {
		change(&o.object)
	}
}

// Put stores an object as it is, without counting a write.
func (m *Memory[S]) Put(object engine.Object[S]) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.objects[m.key(object.Spec)] = &stored[S]{found: true, object: clone(object)}
}

// Drop removes an object behind everybody's back.
func (m *Memory[S]) Drop(key engine.Key) {
	m.mu.Lock()
	defer m.mu.Unlock()
	delete(m.objects, key)
}

// enter counts a call and fails it where it cannot go on.
func (m *Memory[S]) enter(ctx context.Context, verb Verb, key engine.Key) error {
	m.calls[verb]++
	if err := context.Cause(ctx); err != nil {
		return err
	}
	if f := m.faults[verb]; f != nil && !f.after {
		if err := f.take(key); err != nil {
			return err
		}
	}
	if m.Parent != nil && !m.Parent(key) {
		return failure(engine.NotFound, engine.Key{Kind: "parent", Tenant: key.Tenant, Name: key.Namespace})
	}
	return nil
}

// leave fails a call that did its work.
func (m *Memory[S]) leave(verb Verb, key engine.Key) error {
	if f := m.faults[verb]; f != nil && f.after {
		return f.take(key)
	}
	return nil
}

func (f *fault) take(key engine.Key) error {
	if f.n <= 0 {
		return nil
	}
	f.n--
	return &engine.Error{Class: f.class, Key: key, Err: errInjected}
}
