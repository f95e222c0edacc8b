package catalog

import (
	"github.com/functionmesh/terraform-provider-functionmesh/internal/diff"
	"github.com/functionmesh/terraform-provider-functionmesh/internal/engine"
	"github.com/functionmesh/terraform-provider-functionmesh/internal/spec"
)

// Entity is everything the engine must know of one kind. Front ends get their
// comparisons and their engines here, so that all of them see the same drift.
type Entity[S any] struct {
	Kind     spec.Kind
	Key      func(S) engine.Key
	Default  func(S) S
	Validate func(S) []spec.Problem
	Rules    diff.Rules
	Markless bool // no room for marks: see engine.Engine

	// The rest is optional: what a kind needs beyond its rules.
	known      func(engine.Object[S]) S                                                               // an observed spec with what its marks know
	holes      func(want S, holes []spec.Path) []spec.Path                                            // holes in the spelling of a defaulted spec
	refine     func(have, want S, changes []engine.Change) []engine.Change                            // rules that depend on the values
	marks      func(engine.Object[S]) engine.Marks                                                    // marks that follow from the spec
	unfinished func(have engine.Observed[S], want engine.Object[S], changes []engine.Change) bool     // see engine.Engine
	warn       func(have engine.Observed[S], want engine.Object[S], changes []engine.Change) []string // see engine.Engine
}

// Diff says what must change for have to become want. Both sides are defaulted
// first, so paths have full topic names as keys; holes are the paths of want that
// are not known yet, in either spelling.
func (e Entity[S]) Diff(have engine.Observed[S], want engine.Object[S], holes []spec.Path) []engine.Change {
	h, w := have.Spec, want.Spec
	if e.known != nil {
		h = e.known(have.Object)
	}
	h, w = e.Default(h), e.Default(w)
	if e.holes != nil && len(holes) > 0 {
		holes = e.holes(w, holes)
	}
	changes := diff.Compare(h, w, diff.Options{Owned: have.Owned, Holes: holes, Rules: e.Rules})
	if e.refine != nil {
		changes = e.refine(h, w, changes)
	}
	return changes
}

// Warnings says what performing the changes costs beyond the changes themselves: the
// text that a plan may announce and an Outcome carries.
func (e Entity[S]) Warnings(have engine.Observed[S], want engine.Object[S], changes []engine.Change) []string {
	if e.warn == nil {
		return nil
	}
	return e.warn(have, want, changes)
}

// Engine binds the kind to one platform's client.
func (e Entity[S]) Engine(client engine.Client[S]) *engine.Engine[S] {
	return &engine.Engine[S]{
		Client:   client,
		Key:      e.Key,
		Markless: e.Markless,
		Diff: func(have engine.Observed[S], want engine.Object[S]) []engine.Change {
			return e.Diff(have, want, nil)
		},
		Prepare:    e.prepare,
		Fill:       e.fill,
		Unfinished: e.unfinished,
		Warn:       e.Warnings,
	}
}

// prepare defaults the spec and completes the marks.
func (e Entity[S]) prepare(want engine.Object[S]) engine.Object[S] {
	want.Spec = e.Default(want.Spec)
	if e.marks != nil {
		want.Marks = e.marks(want)
	}
	return want
}

// fill leaves with want what belongs to the server.
func (e Entity[S]) fill(have engine.Observed[S], want engine.Object[S]) engine.Object[S] {
	want.Spec = e.Default(want.Spec) // a copy of its own
	diff.Fill(e.Default(have.Spec), &want.Spec, diff.Options{Owned: have.Owned, Rules: e.Rules})
	return want
}
