package engine

import (
	"errors"
	"fmt"
	"strings"
)

// Class is one of the few kinds of failure that callers act on.
type Class string

// The error classes. Everything that is none of them is a defect or the caller's
// context ending.
const (
	NotFound    Class = "not found"
	Exists      Class = "already exists"
	Conflict    Class = "conflict"    // somebody else changed it meanwhile: observe again
	Invalid     Class = "invalid"     // with the field's path; retrying does not help
	Immutable   Class = "immutable"   // only replacing the object can do it
	Forbidden   Class = "forbidden"   // credentials or ownership
	Unavailable Class = "unavailable" // the platform cannot be reached or is busy: retry
)

// Error is a failure with its class. Key and Path are set by the layer that knows
// them; Hint says what to do and never repeats Err.
type Error struct {
	Class Class
	Key   Key
	Path  string
	Hint  string
	Err   error
}

// Error reads "kind key: path: cause. Hint".
func (e *Error) Error() string {
	s := ""
	if e.Key.Name != "" {
		s = e.Key.Kind + " " + e.Key.String() + ": "
	}
	if e.Path != "" {
		s += e.Path + ": "
	}
	if e.Err != nil {
		s += e.Err.Error()
	} else {
		s += string(e.Class)
	}
	if e.Hint != "" {
		s = strings.TrimSuffix(s, ".") + ". " + e.Hint
	}
	return s
}

// Unwrap gives the cause.
func (e *Error) Unwrap() error { return e.Err }

// New makes an Error of a class from a cause.
func New(class Class, err error) *Error { return &Error{Class: class, Err: err} }

// NoSubscription is NotFound for a subscription of a topic that has others, or none.
func NoSubscription(topic, name string, have []string) *Error {
	hint := "It has none"
	if len(have) > 0 {
		hint = "It has " + strings.Join(have, ", ")
	}
	return &Error{Class: NotFound, Hint: hint, Err: fmt.Errorf("topic %s has no subscription %q", topic, name)}
}

// ClassOf returns the class of the outermost Error in err's chain, or "".
func ClassOf(err error) Class {
	if e, ok := errors.AsType[*Error](err); ok {
		return e.Class
	}
	return ""
}

// Is reports whether err is of the class.
func Is(err error, class Class) bool { return ClassOf(err) == class }

// All lists the Errors of a joined failure, outermost first and in order: a mesh fails
// with one for each of its components. It is empty when err holds none.
func All(err error) []*Error {
	var out []*Error
	switch e := err.(type) { //nolint:errorlint // this walks the tree itself
	case *Error:
		return []*Error{e}
	case interface{ Unwrap() []error }:
		for _, branch := range e.Unwrap() {
			out = append(out, All(branch)...)
		}
	case interface{ Unwrap() error }:
		return All(e.Unwrap())
	}
	return out
}
