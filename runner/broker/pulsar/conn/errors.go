package conn

import (
	"errors"
	"fmt"

	"github.com/functionmesh/terraform-provider-functionmesh/runner/broker/pulsar/conn/pulsarpb"
)

// ErrClosed is what everything returns after Close of the client or its connection.
var ErrClosed = errors.New("connection is closed")

// ServerError is a refusal by a broker.
type ServerError struct {
	Code    pulsarpb.Code
	Message string // the broker's words
}

// Error includes what to do where that is known.
func (e *ServerError) Error() string {
	return fmt.Sprintf("%s: %s", e.Code, e.Message)
}

// Terminal says whether trying again cannot help, and gives a CamelCase reason for the
// status then: AuthenticationRefused, AuthorizationRefused, TopicNotFound, …
func Terminal(err error) (reason string, terminal bool) {
	var server *ServerError
	if !errors.As(err, &server) {
		return "", false
	}
	reason, terminal = terminalCodes[server.Code]
	return reason, terminal
}

//nolint:gochecknoglobals // a constant
var terminalCodes = map[pulsarpb.Code]string{
	pulsarpb.Code_AUTHENTICATION_ERROR: "AuthenticationRefused",
}
