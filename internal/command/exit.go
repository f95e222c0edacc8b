package command

import (
	"errors"
	"strings"
)

// The exit codes. `run` adds wire.ExitTerminal for an instance that no restart can help.
const (
	ExitOK      = 0
	ExitFailure = 1 // the command was understood and failed
	ExitUsage   = 2 // the command line itself is wrong
)

// UsageError is a command line that cannot be understood.
type UsageError struct{ Err error }

// Error is the cause's text.
func (e *UsageError) Error() string { return e.Err.Error() }

// Unwrap gives the cause.
func (e *UsageError) Unwrap() error { return e.Err }

// ExitCode is the process exit code for what a command returned.
func ExitCode(err error) int {
	var usage *UsageError
	switch {
	case err == nil:
		return ExitOK
	case errors.As(err, &usage), isCobraUsage(err):
		return ExitUsage
	default:
		return ExitFailure
	}
}

// isCobraUsage recognises the two usage mistakes that cobra reports as plain text
// before any of our code runs.
func isCobraUsage(err error) bool {
	return strings.HasPrefix(err.Error(), "unknown command ") || strings.HasPrefix(err.Error(), "required flag(s) ")
}
