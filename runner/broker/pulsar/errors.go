package pulsar

import (
	"errors"
	"fmt"
	"log/slog"

	"github.com/functionmesh/terraform-provider-functionmesh/internal/wire"
	"github.com/functionmesh/terraform-provider-functionmesh/runner/broker/pulsar/conn"
	"github.com/functionmesh/terraform-provider-functionmesh/runner/broker/pulsar/entry"
	"github.com/functionmesh/terraform-provider-functionmesh/runner/pipeline"
)

// Reasons of terminal errors, beside those of package conn.
const (
	reasonConfig      = "InvalidConfig"
	reasonPath        = "CompatiblePathNeeded"
	reasonKey         = "KeyNeeded"
	reasonNoDedup     = "DeduplicationOff"
	reasonPositions   = "PositionsWentBack"
	reasonNotNumbered = "SequenceOverflow"
	reasonOrder       = "OutOfOrder"
)

// What a caller may want to tell apart.
var (
	// ErrNoTopic: the topic does not exist and the broker makes none.
	ErrNoTopic = errors.New("topic does not exist")
	// ErrTooLarge: the message is larger than the broker takes.
	ErrTooLarge = errors.New("message is too large")
	// ErrPassedOver is reported with what was acknowledged although no function saw it.
	ErrPassedOver = errors.New("passed over")
)

var (
	errClosed = errors.New("closed")
	errGap    = errors.New("entries before it were not handed out; subscribing anew")
	errOld    = errors.New("delivered over a connection that has ended; the broker delivers it again")
)

func terminal(reason, format string, args ...any) error {
	return &pipeline.TerminalError{Reason: reason, Err: fmt.Errorf(format, args...)}
}

func invalid(format string, args ...any) error { return terminal(reasonConfig, format, args...) }

// classed makes what no retry can help a *pipeline.TerminalError.
func classed(err error) error {
	if reason, ok := conn.Terminal(err); ok {
		return &pipeline.TerminalError{Reason: reason, Err: err}
	}
	return err
}

// checkBroker refuses what the entry path does not reach. Credentials and addresses are
// looked at when the client is made.
func checkBroker(name string, b wire.Broker) error {
	switch {
	case b.Kind != "pulsar":
		return invalid("brokers[%q].kind: %q is not a Pulsar", name, b.Kind)
	case b.OAuth2 != nil:
		return needsClient("brokers[%q].oauth2", name)
	}
	return nil
}

// needsClient refuses what only Pulsar's own client can do.
func needsClient(format string, args ...any) error {
	return terminal(reasonPath, format+`: only Pulsar's own client can: set data_path = "compatible"`, args...)
}

// unreadable explains an entry that the entry path cannot open.
func unreadable(topic string, id entry.ID, err error) error {
	return fmt.Errorf("topic %s, entry %s: %w", topic, id, err)
}

func orDiscard(log *slog.Logger) *slog.Logger {
	if log == nil {
		return slog.New(slog.DiscardHandler)
	}
	return log
}
