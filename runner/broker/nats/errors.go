package nats

import (
	"errors"
	"fmt"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/functionmesh/terraform-provider-functionmesh/runner/pipeline"
)

// What a caller may want to tell apart.
var (
	// ErrNoTopic: the topic's stream does not exist. Only the platform makes it.
	ErrNoTopic = errors.New("topic does not exist")
	// ErrNoSubscription: the subscription has no cursor. The platform places it when it
	// makes the component: one placed here, later, would miss or repeat messages.
	ErrNoSubscription = errors.New("subscription does not exist")
	// ErrTooLarge: the message is larger than the server takes.
	ErrTooLarge = errors.New("message is too large")
)

var (
	errDisconnected = errors.New("not connected")
	errLost         = errors.New("messages were lost on the way; reading again")
	errLate         = errors.New("acknowledged later than the acknowledgement timeout")
)

// JetStream's error codes of a compare-and-set that another one won and of a message
// larger than its stream takes.
const (
	conflictCode = 10071
	tooLargeCode = 10054
)

func conflict(err error) bool { return hasCode(err, conflictCode) }
func tooLarge(err error) bool { return hasCode(err, tooLargeCode) }

func hasCode(err error, code jetstream.ErrorCode) bool {
	var e *jetstream.APIError
	return errors.As(err, &e) && e.ErrorCode == code
}

// noTopic says what is missing and who makes it.
func noTopic(topic string) error {
	return fmt.Errorf("topic %s: %w on this broker: declare a functionmesh_topic, or name it as an input or output of a component, so that the platform makes it", topic, ErrNoTopic)
}

func invalid(format string, args ...any) error {
	return &pipeline.TerminalError{Reason: "InvalidConfig", Err: fmt.Errorf(format, args...)}
}
