package runnertest

import (
	"testing"
	"time"

	"github.com/functionmesh/terraform-provider-functionmesh/runner/pipeline"
)

// patience bounds what a suite waits for; nothing is measured against it.
const patience = 3 * time.Minute

// SourceHarness adapts an implementation to SourceSuite.
type SourceHarness struct {
	// New returns a source, not opened, over a place that holds messages with these
	// values in this order. Called once per case.
	New func(t *testing.T, values [][]byte) pipeline.Source
	// Again returns another source over the place of the latest New, as a restarted
	// instance would open it. Nil: the source keeps no position.
	Again func(t *testing.T) pipeline.Source
	// Once says that it is for at-most-once: what is settled together is read together,
	// past any bound, and user code acknowledges nothing.
	Once bool
	// NacksSoon says that a negative acknowledgement by hand brings a message again at once.
	NacksSoon bool
	// Finite sources end with io.EOF after the last message; others block.
	Finite bool
}

// FunctionHarness adapts an implementation to FunctionSuite. Each function behaves by
// value: "fail" is the user's failure, "none" has no output, "two" has the outputs
// "two-1" and "two-2", "loop" does not return by itself, anything else is echoed.
type FunctionHarness struct {
	New func(t *testing.T) pipeline.Functions
	// CallTimeout is the limit of one call that New configured; 0: "loop" is not tried.
	CallTimeout time.Duration
	// Properties says that an echo keeps key, properties and a nil value.
	Properties bool
}

// SinkHarness adapts an implementation to SinkSuite.
type SinkHarness struct {
	// New returns a sink over a new, empty place.
	New func(t *testing.T) pipeline.Sink
	// Written returns what the place of the latest New holds, per lane in order.
	Written func(t *testing.T) []pipeline.Message
	// Properties says that key, properties and event time are kept.
	Properties bool
	// Refused is a message that the sink can never write. Nil: none is tried.
	Refused func() pipeline.Message
}
