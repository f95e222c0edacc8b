package runnertest

import (
	"testing"
	"time"

	"github.com/functionmesh/terraform-provider-functionmesh/runner/pipeline"
)

// SourceHarness adapts an implementation to SourceSuite.
type SourceHarness struct {
	// New returns a source, not opened, over a place that holds messages with these
	// values in this order. Called once per case.
	New func(t *testing.T, values [][]byte) pipeline.Source
	// Again returns another source over the place of the latest New, as a restarted
	// instance would open it. Nil: the source keeps no position.
	Again func(t *testing.T) pipeline.Source
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
}

// SourceSuite checks the contract of pipeline.Source.
func SourceSuite(t *testing.T, h SourceHarness) { t.Helper() }

// FunctionSuite checks the contract of pipeline.Function.
func FunctionSuite(t *testing.T, h FunctionHarness) { t.Helper() }

// SinkSuite checks the contract of pipeline.Sink.
func SinkSuite(t *testing.T, h SinkHarness) { t.Helper() }
