package pipeline

import "errors"

// ErrFenced is returned by Lane.Read and Lane.Settle when another instance has claimed
// the lane.
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

// MessageError is returned by Sink.Write for a message that the sink refuses for what
// it is: too large, or for a destination that does not exist. Waiting cannot help, so
// it counts as the failure of the function that made the message.
type MessageError struct {
	Err error
	// At says which message is refused: so many behind the durable prefix. It is not 0
	// only where the prefix must end with an entry (effectively_once).
	At int
}

// Error gives the cause.
func (e *MessageError) Error() string { return e.Err.Error() }

// Unwrap gives the cause.
func (e *MessageError) Unwrap() error { return e.Err }

// ErrForgotten is returned by Run when user code ended and began anew while messages waited
// for its acknowledgement (guarantee manual): it knows nothing of them. They are delivered
// again to the next instance.
var ErrForgotten = errors.New("user code began anew and knows nothing of messages that it had not acknowledged; the next instance gets them again")

// ErrGrace is returned by Run when draining took longer than the grace period. What
// was not settled by then is delivered again to the next instance.
var ErrGrace = errors.New("not drained within the grace period")

// ErrUnsent is wrapped by a Sink.Write error when nothing after the durable prefix was
// handed to the broker: writing the rest again cannot duplicate, whatever the guarantee.
var ErrUnsent = errors.New("not sent")

// errDrained ends a lane that waits to retry while the instance drains.
var errDrained = errors.New("drained")
