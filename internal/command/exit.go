package command

import (
	"errors"
)

// The exit codes. An error may carry its own, as those of `run` do.
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

// ExitCode makes it the caller's mistake.
func (e *UsageError) ExitCode() int { return ExitUsage }

// codedError is a failure whose exit code says more than ExitFailure.
type codedError struct {
	error
	code int
}

func (e *codedError) Unwrap() error { return e.error }

func (e *codedError) ExitCode() int { return e.code }

// ExitCode is the process exit code for what a command returned.
func ExitCode(err error) int {
	var coded interface{ ExitCode() int }
	switch {
	case err == nil:
		return ExitOK
	case errors.As(err, &coded):
		return coded.ExitCode()
	default:
		return ExitFailure
	}
}
