package catalog

import (
	"strings"

	"github.com/functionmesh/terraform-provider-functionmesh/internal/diff"
	"github.com/functionmesh/terraform-provider-functionmesh/internal/engine"
)

// Known is an object's spec with what its marks know beside it: the digest of code.
func (e Entity[S]) Known(o engine.Object[S]) S {
	if e.known == nil {
		return o.Spec
	}
	return e.known(o)
}

// ServerOwned reports whether a field that is left unset belongs to the platform. The
// pattern is a path with [*] in place of every key, as in Rules.
func (e Entity[S]) ServerOwned(pattern string) bool { return e.ruleOf(pattern) == diff.Server }

// ClientOnly reports whether a field means something to the caller alone.
func (e Entity[S]) ClientOnly(pattern string) bool { return e.ruleOf(pattern) == diff.ClientOnly }

// ruleOf is the field's own rule, or that of what contains it.
func (e Entity[S]) ruleOf(pattern string) diff.Rule {
	for pattern != "" {
		if r, ok := e.Rules[pattern]; ok {
			return r
		}
		pattern = pattern[:max(strings.LastIndexAny(pattern, ".["), 0)]
	}
	return diff.Default
}
