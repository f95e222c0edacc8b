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
	Markless bool

	diff       func(have engine.Observed[S], want engine.Object[S], holes []spec.Path) []engine.Change
	unfinished func(have engine.Observed[S], want engine.Object[S], changes []engine.Change) bool
	warn       func(have engine.Observed[S], want engine.Object[S], changes []engine.Change) []string
}

// Diff says what must change for have to become want. Both sides are defaulted
// first; holes are the paths of want that are not known yet.
func (e Entity[S]) Diff(have engine.Observed[S], want engine.Object[S], holes []spec.Path) []engine.Change {
	return e.diff(have, want, holes)
}

// Warnings says what performing the changes costs beyond the changes themselves: the
// text a plan may announce and an Outcome carries.
func (e Entity[S]) Warnings(have engine.Observed[S], want engine.Object[S], changes []engine.Change) []string {
	if e.warn == nil {
		return nil
	}
	return e.warn(have, want, changes)
}

// Engine binds the kind to one platform's client.
func (e Entity[S]) Engine(client engine.Client[S]) *engine.Engine[S] {
	return &engine.Engine[S]{
		Client: client, Key: e.Key, Default: e.Default, Markless: e.Markless,
		Diff: func(have engine.Observed[S], want engine.Object[S]) []engine.Change {
			return e.Diff(have, want, nil)
		},
		Unfinished: e.unfinished, Warn: e.warn,
	}
}

// Tenant binds tenants.
func Tenant() Entity[spec.Tenant] { return Entity[spec.Tenant]{Kind: spec.KindTenant} }

// Namespace binds namespaces.
func Namespace() Entity[spec.Namespace] { return Entity[spec.Namespace]{Kind: spec.KindNamespace} }

// Topic binds topics.
func Topic() Entity[spec.Topic] { return Entity[spec.Topic]{Kind: spec.KindTopic} }

// Component binds one of the component kinds.
func Component(kind spec.Kind) Entity[spec.Component] { return Entity[spec.Component]{Kind: kind} }

// Mesh binds meshes.
func Mesh() Entity[spec.Mesh] { return Entity[spec.Mesh]{Kind: spec.KindMesh} }
