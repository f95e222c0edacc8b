package conn

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"syscall"

	"github.com/functionmesh/terraform-provider-functionmesh/runner/broker/pulsar/conn/pulsarpb"
)

// What a caller may want to tell apart. All but ErrSetting are worth another try.
var (
	// ErrClosed: the client was closed, or its connection ended.
	ErrClosed = errors.New("connection is closed")
	// ErrSilent: the broker left a request without an answer for too long. The connection
	// goes on.
	ErrSilent = errors.New("no answer")
	// ErrFrozen: the broker answers nothing at all, and its connection ended for it.
	ErrFrozen = errors.New("no answer")
	// ErrProtocol: what came is not Pulsar's protocol.
	ErrProtocol = errors.New("not Pulsar's protocol")
	// ErrRedirects: brokers name each other as the owner of a topic.
	ErrRedirects = errors.New("brokers send each other the look-up")
	// ErrSetting: the settings of the connection cannot work as they are.
	ErrSetting = errors.New("invalid connection")
	// ErrIssuer: whoever issues the credentials does not answer, or not as it should.
	ErrIssuer = errors.New("no credentials from their issuer")
)

// ServerError is a refusal by a broker.
type ServerError struct {
	Code    pulsarpb.Code
	Message string        // the broker's words
	Command pulsarpb.Type // what was refused
	Topic   string        // "": the command names none
	Broker  string        // host:port

	// accepted: the broker took these credentials before, so that they may be renewed.
	accepted bool
}

// Error says what was refused where, what to do about it, and the broker's words.
func (e *ServerError) Error() string {
	var b strings.Builder
	fmt.Fprintf(&b, "broker %s refused %s", e.Broker, e.Command)
	if e.Topic != "" {
		fmt.Fprintf(&b, " of %s", e.Topic)
	}
	fmt.Fprintf(&b, " (%s)", e.Code)
	if advice := e.advice(); advice != "" {
		b.WriteString(": " + advice)
	}
	if e.Message != "" {
		fmt.Fprintf(&b, "; it says: %s", e.Message)
	}
	return b.String()
}

func (e *ServerError) advice() string {
	if e.Code != pulsarpb.Code_AUTHORIZATION_ERROR {
		return codes[e.Code].advice
	}
	right := "consume or produce"
	switch e.Command {
	case pulsarpb.Type_SUBSCRIBE:
		right = "consume"
	case pulsarpb.Type_PRODUCER:
		right = "produce"
	default:
	}
	return "the role of these credentials has no right to " + right + ": grant it on the namespace or the topic"
}

// Terminal says whether trying again cannot help, and gives a CamelCase reason for the
// status then. Credentials that the client was once accepted with are worth another try:
// their file may be about to be renewed.
func Terminal(err error) (reason string, terminal bool) {
	if errors.Is(err, ErrSetting) {
		return "InvalidConfig", true
	}
	var server *ServerError
	if !errors.As(err, &server) || (server.accepted && server.Code == pulsarpb.Code_AUTHENTICATION_ERROR) {
		return "", false
	}
	reason = codes[server.Code].reason
	return reason, reason != ""
}

// code is what we know of a refusal: a reason where it is terminal, and the way out.
type code struct{ reason, advice string }

//nolint:gochecknoglobals // a table
var codes = map[pulsarpb.Code]code{
	pulsarpb.Code_AUTHENTICATION_ERROR: {"AuthenticationRefused", "the credentials are missing, wrong or expired: check token, token_file or cert_file of the connection"},
	pulsarpb.Code_AUTHORIZATION_ERROR:  {"AuthorizationRefused", ""},
	pulsarpb.Code_TOPIC_NOT_FOUND:      {"TopicNotFound", "the topic does not exist and the broker does not create it: create it first"},
	pulsarpb.Code_INVALID_TOPIC_NAME:   {"InvalidTopicName", "use a full name as persistent://tenant/namespace/name"},
	pulsarpb.Code_INCOMPATIBLE_SCHEMA:  {"IncompatibleSchema", "the topic has another schema"},
	pulsarpb.Code_UNSUPPORTED_VERSION_ERROR: {
		"UnsupportedVersion", "the topic needs what this client does not announce, a schema or encryption for instance",
	},
	pulsarpb.Code_TOPIC_TERMINATED: {"TopicTerminated", "the topic was terminated and takes no more messages"},
	pulsarpb.Code_NOT_ALLOWED:      {"NotAllowed", ""},
	pulsarpb.Code_PRODUCER_FENCED:  {"ProducerFenced", "another producer has taken the topic over"},
	pulsarpb.Code_CONSUMER_BUSY:    {"", "another consumer holds the subscription, in a mode that does not allow this one beside it"},
	pulsarpb.Code_PRODUCER_BUSY:    {"", "a producer of this name is connected"},
	pulsarpb.Code_PRODUCER_BLOCKED_QUOTA_EXCEEDED_ERROR: {
		"", "the backlog quota of the topic is used up: consume, or raise the quota",
	},
	pulsarpb.Code_PRODUCER_BLOCKED_QUOTA_EXCEEDED_EXCEPTION: {
		"", "the backlog quota of the topic is used up: consume, or raise the quota",
	},
}

// setting is an error of the connection's settings; field is the attribute's name.
func setting(field, format string, args ...any) error {
	return fmt.Errorf("%w: %s: %s", ErrSetting, field, fmt.Sprintf(format, args...))
}

// explain adds to an error of a dial or a handshake what its cause most likely is.
func explain(err error, secure bool) error {
	var (
		authority x509.UnknownAuthorityError
		host      x509.HostnameError
		record    tls.RecordHeaderError
		alert     tls.AlertError
	)
	switch {
	case errors.As(err, &authority):
		return fmt.Errorf("the broker's certificate is signed by nobody that ca_file names: %w", err)
	case errors.As(err, &host):
		return fmt.Errorf("the broker's certificate is another host's; any_hostname would allow that: %w", err)
	case errors.As(err, &record):
		return fmt.Errorf("the broker speaks no TLS on this port, try pulsar://: %w", err)
	case errors.As(err, &alert):
		return fmt.Errorf("the broker does not take our side of TLS, check cert_file and key_file: %w", err)
	case !secure && errors.Is(err, ErrProtocol):
		return fmt.Errorf("perhaps the port speaks TLS (pulsar+ssl://) or is not the broker's: %w", err)
	default:
		return err
	}
}

// hungUp adds to a broker that ended a connection while it was being made what that most
// likely means: whoever hears TLS and expects none says nothing, and the reverse.
func hungUp(err error, secure bool) error {
	if !slices.ContainsFunc([]error{io.EOF, io.ErrUnexpectedEOF, syscall.ECONNRESET, syscall.EPIPE}, func(end error) bool { return errors.Is(err, end) }) {
		return err
	}
	if secure {
		return fmt.Errorf("it hung up on our TLS handshake, as a port does that speaks no TLS: try pulsar://, or the port for TLS, usually 6651: %w", err)
	}
	return fmt.Errorf("it hung up on our first words, as a port does that speaks TLS: try pulsar+ssl://, or the port without TLS, usually 6650: %w", err)
}
