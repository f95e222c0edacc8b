package pipeline

import (
	"log/slog"

	"github.com/functionmesh/terraform-provider-functionmesh/internal/wire"
)

// Config is one instance's pipeline. Run opens Source and closes what it was given:
// Source, Sink, DeadLetter and the functions it made.
type Config struct {
	Source       Source
	Functions    Functions // nil: messages pass unchanged
	Sink         Sink      // nil: results are dropped
	DeadLetter   Sink      // nil: a message is dropped and counted after its last retry
	Delivery     wire.Delivery
	Limits       wire.Limits
	Subscription string          // named in dead letters
	Budget       *Budget         // nil: made from Limits; hand one in to read its use
	Observer     Observer        // nil: nobody is told
	Logger       *slog.Logger    // nil: discarded
	Drain        <-chan struct{} // closed: stop reading, finish, settle, return nil (R7)
}
