package diff

import (
	"github.com/functionmesh/terraform-provider-functionmesh/internal/engine"
	"github.com/functionmesh/terraform-provider-functionmesh/internal/spec"
)

// Options tune one comparison.
type Options struct {
	Owned []string    // paths that were ours: absent from want, they are cleared even under Server
	Holes []spec.Path // paths not known yet: nothing at, below or above them is compared
	Rules Rules
}

// Rule says what an unset field means and how a difference is applied.
type Rule int

// The rules. A field without one inherits that of what contains it; Default is the
// outermost.
const (
	Default    Rule = iota + 1 // unset means the documented default: compared and written
	Server                     // unset belongs to the platform: neither compared nor written, cleared when owned
	Replace                    // as Default, and a difference cannot be applied in place
	ClientOnly                 // never compared: it means something to the caller alone
)

// Rules maps path patterns to rules. A pattern is a spec.Path with [*] in place of
// every key: inputs[*].schema.
type Rules map[string]Rule

// Compare says what must change for have to become want, both of one struct type, in
// the order of the fields and of sorted keys.
func Compare(have, want any, opts Options) []engine.Change { return nil }
