package compatible

import (
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"strings"
	"time"

	"github.com/apache/pulsar-client-go/oauth2"
	pulsario "github.com/apache/pulsar-client-go/pulsar"
	"github.com/apache/pulsar-client-go/pulsar/auth"
	"github.com/apache/pulsar-client-go/pulsar/backoff"
	"github.com/apache/pulsar-client-go/pulsar/crypto"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/functionmesh/terraform-provider-functionmesh/internal/wire"
	"github.com/functionmesh/terraform-provider-functionmesh/runner/broker/pulsar"
	"github.com/functionmesh/terraform-provider-functionmesh/runner/broker/pulsar/conn"
	"github.com/functionmesh/terraform-provider-functionmesh/runner/pipeline"
)

const (
	dialTimeout = 10 * time.Second
	// requestTimeout bounds one request, and a look-up with all that is tried for it: the
	// client pauses longer and longer within one, also while a broker has taken over.
	requestTimeout = 10 * time.Second
	// keepAlive is after how long a PING is sent. A connection over which nothing came for
	// twice as long ends when that is looked at next, after 10 to 15 s: those of the entry
	// path do after 15 s. It bounds a connection's first words, too.
	keepAlive = 5 * time.Second
	// longestPause is between two attempts to connect anew.
	longestPause = time.Second
	// memoryLimit bounds what receiver queues, or pending messages, of one client hold.
	memoryLimit = 64 << 20
)

var (
	errClosed     = errors.New("closed")
	errPassedOver = pulsar.ErrPassedOver
)

// Delivery.Guarantee's words.
const (
	atMostOnce      = "atmost_once"
	effectivelyOnce = "effectively_once"
)

// client is Pulsar's own, and beside it our connections: they answer what that one does
// not offer (topics of a namespace) or answers poorly (why a broker refuses us).
type client struct {
	pulsario.Client
	ask *conn.Client
}

func newClient(b wire.Broker, logger *slog.Logger, report func(error)) (*client, error) {
	credentials, err := authentication(b)
	if err != nil {
		return nil, err
	}
	options := conn.Options{Logger: logger, Trouble: report}
	if b.OAuth2 != nil {
		options.Credentials = asked(credentials)
	}
	c := &client{}
	if c.ask, err = conn.New(b, options); err != nil {
		return nil, classed(err)
	}
	o := pulsario.ClientOptions{
		URL: b.URL, ConnectionTimeout: dialTimeout, OperationTimeout: requestTimeout, KeepAliveInterval: keepAlive,
		Authentication: credentials, ListenerName: b.ListenerName, MemoryLimitBytes: memoryLimit,
		TLSTrustCertsFilePath: b.CAFile, TLSCertificateFile: b.CertFile, TLSKeyFilePath: b.KeyFile,
		TLSAllowInsecureConnection: b.Insecure, TLSValidateHostname: !b.Insecure,
		Logger: newLogger(logger, report), MetricsRegisterer: prometheus.NewRegistry(),
	}
	if b.AnyHostname && !b.Insecure {
		o.TLSConfig = conn.AnyHostTLS(b)
	}
	if c.Client, err = pulsario.NewClient(o); err != nil {
		return nil, errors.Join(classed(err), c.ask.Close())
	}
	return c, nil
}

func (c *client) close() error {
	c.Close()
	return c.ask.Close()
}

// authentication is nil for a broker that asks for none. Files are read at every use.
func authentication(b wire.Broker) (auth.Provider, error) {
	switch {
	case b.OAuth2 != nil:
		p, err := auth.NewAuthenticationOAuth2WithParams(map[string]string{
			auth.ConfigParamType: auth.ConfigParamTypeClientCredentials, auth.ConfigParamIssuerURL: b.OAuth2.IssuerURL,
			auth.ConfigParamAudience: b.OAuth2.Audience, auth.ConfigParamScope: b.OAuth2.Scope,
			auth.ConfigParamKeyFile: keyFile(b.OAuth2.KeyFile),
		})
		if err != nil {
			return nil, fmt.Errorf("oauth2: %w", err)
		}
		if err := p.Init(); err != nil {
			return nil, fmt.Errorf("oauth2: %w", err)
		}
		return p, nil
	case b.Token != "":
		return auth.NewAuthenticationToken(b.Token), nil
	case b.TokenFile != "":
		return auth.NewAuthenticationTokenFromSupplier(func() (string, error) {
			content, err := os.ReadFile(b.TokenFile)
			return strings.TrimSpace(string(content)), err
		}), nil
	case b.CertFile != "":
		return auth.NewAuthenticationTLS(b.CertFile, b.KeyFile), nil
	default:
		return auth.NewAuthDisabled(), nil
	}
}

func keyFile(path string) string {
	if strings.Contains(path, "://") || strings.HasPrefix(path, "data:") {
		return path
	}
	return "file://" + path
}

// asked lets our own connections use what the client's way of authentication gives.
func asked(p auth.Provider) conn.Credentials {
	return func() (string, []byte, error) {
		data, err := p.GetData()
		return p.Name(), data, issued(err)
	}
}

// issued tells an issuer that is away from one that refuses us, and from a file that
// cannot be read.
func issued(err error) error {
	if err == nil {
		return nil
	}
	if _, refused := errors.AsType[*oauth2.TokenError](err); refused {
		return fmt.Errorf("oauth2: the issuer refuses client_id or client_secret of key_file, or the scope: %w", err)
	}
	if _, file := errors.AsType[*fs.PathError](err); file {
		return fmt.Errorf("oauth2.key_file: %w", err)
	}
	return fmt.Errorf("%w: oauth2: %w", conn.ErrIssuer, err)
}

// Credentials are what a broker is shown that asks for OAuth 2.0.
func Credentials(b wire.Broker) (conn.Credentials, error) {
	p, err := authentication(b)
	if err != nil {
		return nil, err
	}
	return asked(p), nil
}

// classed makes what no retry can help a *pipeline.TerminalError.
func classed(err error) error {
	if reason, ok := conn.Terminal(err); ok {
		return &pipeline.TerminalError{Reason: reason, Err: err}
	}
	return err
}

func invalid(format string, args ...any) error {
	return &pipeline.TerminalError{Reason: "InvalidConfig", Err: fmt.Errorf(format, args...)}
}

func decryption(c *wire.Crypto) (*pulsario.MessageDecryptionInfo, error) {
	if c == nil {
		return nil, nil //nolint:nilnil // nil is the client's word for none
	}
	action, ok := map[string]int{
		"": crypto.ConsumerCryptoFailureActionFail, "fail": crypto.ConsumerCryptoFailureActionFail,
		"discard": crypto.ConsumerCryptoFailureActionDiscard, "consume": crypto.ConsumerCryptoFailureActionConsume,
	}[strings.ToLower(c.Failure)]
	if !ok {
		return nil, invalid("crypto.failure: %q is not fail, discard or consume", c.Failure)
	}
	return &pulsario.MessageDecryptionInfo{
		KeyReader: crypto.NewFileKeyReader(c.PublicKeyFile, c.PrivateKeyFile), ConsumerCryptoFailureAction: action,
	}, nil
}

func encryption(c *wire.Crypto) (*pulsario.ProducerEncryptionInfo, error) {
	if c == nil {
		return nil, nil //nolint:nilnil // nil is the client's word for none
	}
	action, ok := map[string]int{
		"": crypto.ProducerCryptoFailureActionFail, "fail": crypto.ProducerCryptoFailureActionFail,
		"send": crypto.ProducerCryptoFailureActionSend,
	}[strings.ToLower(c.Failure)]
	switch {
	case !ok:
		return nil, invalid("crypto.failure: %q is neither fail nor send", c.Failure)
	case len(c.Keys) == 0:
		return nil, invalid("crypto.keys: missing: name the keys to encrypt with")
	}
	return &pulsario.ProducerEncryptionInfo{
		KeyReader: crypto.NewFileKeyReader(c.PublicKeyFile, c.PrivateKeyFile), Keys: c.Keys, ProducerCryptoFailureAction: action,
	}, nil
}

// pauses are those between attempts to connect anew, which the client would let grow to a
// minute.
type pauses struct{ backoff.Policy }

func newPauses() backoff.Policy { return pauses{backoff.NewDefaultBackoff()} }

// Next implements the client's policy.
func (p pauses) Next() time.Duration { return min(p.Policy.Next(), longestPause) }

func orDiscard(logger *slog.Logger) *slog.Logger {
	if logger == nil {
		return slog.New(slog.DiscardHandler)
	}
	return logger
}
