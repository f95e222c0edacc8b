package pipeline

import "errors"

// ErrFenced is returned by Lane.Settle when another instance has claimed the lane.
var ErrFenced = errors.New("lane was taken over by another instance")

// TerminalError ends the instance: retrying cannot help (class not found, a module
// that is no module, a refused setting). Reason is one CamelCase word that reaches
// the component's status, so that a waiting apply fails fast.
type TerminalError struct {
	Reason string // ClassNotFound, InvalidCode, InvalidConfig, …
	Err    error
}

// Error includes the reason.
func (e *TerminalError) Error() string { return e.Reason + ": " + e.Err.Error() }

// Unwrap gives the cause.
func (e *TerminalError) Unwrap() error { return e.Err }
