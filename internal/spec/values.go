package spec

import (
	"encoding/json"
	"slices"
	"strconv"
	"strings"
	"unicode"
)

// JSON is a normalised JSON document: the text that encoding/json writes for it
// (sorted keys, no spaces), so that equal documents are equal texts. "" is unset.
type JSON string

// Secret is a value that no printing, logging or encoding shows. Only Reveal gives
// it away, and its callers are few: the wire file, a start frame, a request body.
type Secret struct{ value string }

// NewSecret hides v.
func NewSecret(v string) Secret { return Secret{value: v} }

// Reveal returns the hidden value.
func (s Secret) Reveal() string { return s.value }

// IsZero reports whether there is nothing to hide.
func (s Secret) IsZero() bool { return s.value == "" }

// String never shows the value.
func (s Secret) String() string { return "(sensitive)" }

// GoString never shows the value.
func (s Secret) GoString() string { return "(sensitive)" }

// MarshalText never shows the value, whatever encoder asks.
func (s Secret) MarshalText() ([]byte, error) { return []byte("(sensitive)"), nil }

// Path is the place of a field: JSON names joined by dots, map keys and list
// indexes in brackets: functions["enrich"].inputs["orders"].schema. It reads like the
// HCL that a user wrote. "" is the whole object.
type Path string

// Field returns the path of the attribute name below p.
func (p Path) Field(name string) Path {
	if p == "" {
		return Path(name)
	}
	return p + "." + Path(name)
}

// Key returns the path of the map entry k below p.
func (p Path) Key(k string) Path {
	b, _ := json.Marshal(k) // a string always marshals
	return p + "[" + Path(b) + "]"
}

// Index returns the path of the list element i below p.
func (p Path) Index(i int) Path {
	return p + Path("["+strconv.Itoa(i)+"]")
}

// entry returns the path of a name below p that comes from outside: a field where it
// reads as one, else a key.
func (p Path) entry(name string) Path {
	if name == "" || strings.ContainsFunc(name, func(r rune) bool { return r > unicode.MaxASCII || !isNameRune(r) || strings.ContainsRune(".:=", r) }) {
		return p.Key(name)
	}
	return p.Field(name)
}

// Contains reports whether q is p or lies below it.
func (p Path) Contains(q Path) bool {
	if p == "" || p == q {
		return true
	}
	rest, ok := strings.CutPrefix(string(q), string(p))
	return ok && (rest[0] == '.' || rest[0] == '[')
}

// Severity of a Problem.
type Severity string

// An Error stops a plan or an admission; a Warning is shown and does not.
const (
	SeverityError   Severity = "error"
	SeverityWarning Severity = "warning"
)

// Problem is one thing wrong with a spec: where, what, and the way out.
type Problem struct {
	Path     Path
	Severity Severity
	Message  string // what is wrong, a sentence without the path
	Hint     string // what to do, a sentence; may be empty
}

// String reads "path: message hint".
func (p Problem) String() string {
	s := p.Message
	if p.Path != "" {
		s = string(p.Path) + ": " + s
	}
	if p.Hint != "" {
		s += " " + p.Hint
	}
	return s
}

// HasErrors reports whether a problem among them stops a plan.
func HasErrors(problems []Problem) bool {
	return slices.ContainsFunc(problems, func(p Problem) bool { return p.Severity == SeverityError })
}

// Quantity is an amount as Kubernetes writes it: 500m, 256Mi, 1Gi, 1.5. Two
// spellings of one amount are equal: compare Canonical.
type Quantity string
