package admin

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"maps"
	"net"
	"net/http"
	"net/url"
	"os"
	"strings"
	"time"

	"github.com/functionmesh/terraform-provider-functionmesh/internal/engine"
	"github.com/functionmesh/terraform-provider-functionmesh/internal/spec"
)

// network is pulsaradmin's authentication provider over our own transport: it adds
// the token, dials a unix socket where the URL names one, and hands the answer's
// headers, which pulsaradmin drops, to whoever asked.
type network struct {
	base      http.RoundTripper
	token     spec.Secret
	tokenFile string
}

// exchange is what one request sends beside, and learns beyond, what pulsaradmin's
// client can say. It travels in the context.
type exchange struct {
	send   http.Header
	answer http.Header
	status int
}

type exchangeKey struct{}

func withExchange(ctx context.Context) (context.Context, *exchange) {
	x := &exchange{send: http.Header{}, answer: http.Header{}}
	return context.WithValue(ctx, exchangeKey{}, x), x
}

// RoundTrip implements http.RoundTripper.
func (n *network) RoundTrip(req *http.Request) (*http.Response, error) {
	token, err := n.bearer()
	if err != nil {
		return nil, err
	}
	req = req.Clone(req.Context())
	if token != "" {
		req.Header.Set("Authorization", "Bearer "+token)
	}
	x, _ := req.Context().Value(exchangeKey{}).(*exchange)
	if x != nil {
		maps.Copy(req.Header, x.send)
	}
	resp, err := n.base.RoundTrip(req)
	if err == nil && x != nil {
		x.answer, x.status = resp.Header, resp.StatusCode
	}
	return resp, err
}

// bearer reads a token file anew each time: tokens are rotated under running programs.
func (n *network) bearer() (string, error) {
	if n.tokenFile == "" {
		return n.token.Reveal(), nil
	}
	b, err := os.ReadFile(n.tokenFile)
	if err != nil {
		return "", &engine.Error{
			Class: engine.Invalid, Hint: "Write the token there, or name another file", Err: fmt.Errorf("token_file: %w", err),
		}
	}
	return strings.TrimSpace(string(b)), nil
}

// Transport implements auth.Provider.
func (n *network) Transport() http.RoundTripper { return n.base }

// WithTransport implements auth.Provider.
func (n *network) WithTransport(t http.RoundTripper) { n.base = t }

// errURL is wrapped by every refusal of Options.URL.
var errURL = errors.New("the admin URL must be http://host:port, https://host:port or unix:///path/of/socket")

// connect makes the transport of a URL and the URL that requests use.
func connect(o Options) (http.RoundTripper, string, error) {
	u, err := url.Parse(o.URL)
	if err != nil {
		return nil, "", errURL // the cause quotes the URL, with whatever secret is in it
	}
	dialer := &net.Dialer{Timeout: 10 * time.Second}
	transport := &http.Transport{
		DialContext: dialer.DialContext, Proxy: http.ProxyFromEnvironment, MaxIdleConnsPerHost: 16,
		IdleConnTimeout: 30 * time.Second, TLSHandshakeTimeout: 10 * time.Second, ExpectContinueTimeout: time.Second,
	}
	base := strings.TrimSuffix(o.URL, "/")
	if err := checkURL(u, o.URL); err != nil {
		return nil, "", err
	}
	switch u.Scheme {
	case "unix":
		transport.Proxy = nil
		transport.DialContext = func(ctx context.Context, _, _ string) (net.Conn, error) {
			return dialer.DialContext(ctx, "unix", u.Path)
		}
		base = "http://localhost"
	case "https":
		if transport.TLSClientConfig, err = o.TLS.config(); err != nil {
			return nil, "", err
		}
		transport.ForceAttemptHTTP2 = true
	}
	if o.Transport != nil {
		return o.Transport, base, nil
	}
	return transport, base, nil
}

// checkURL refuses what is no URL of an admin API. Only one without a user, so without
// a password, is quoted.
func checkURL(u *url.URL, text string) error {
	socket := u.Scheme == "unix" && u.Host == "" && u.Path != ""
	server := (u.Scheme == "http" || u.Scheme == "https") && u.Host != ""
	switch {
	case u.User != nil:
		return fmt.Errorf("%w, without a user", errURL)
	case !socket && !server:
		return fmt.Errorf("%w, not %q", errURL, text)
	}
	return nil
}

// config reads the certificate of the client at each handshake, because it is
// rotated under running programs.
func (t TLS) config() (*tls.Config, error) {
	out := &tls.Config{
		MinVersion:         tls.VersionTLS12,
		InsecureSkipVerify: t.Insecure, //nolint:gosec // only where a user asks for it by name
	}
	if t.CAFile != "" {
		pem, err := os.ReadFile(t.CAFile)
		if err != nil {
			return nil, fmt.Errorf("read the certificate authority: %w", err)
		}
		out.RootCAs = x509.NewCertPool()
		if !out.RootCAs.AppendCertsFromPEM(pem) {
			return nil, fmt.Errorf("%s holds no certificate", t.CAFile)
		}
	}
	if t.AnyHostname && !t.Insecure {
		out.InsecureSkipVerify = true
		out.VerifyConnection = signed(out.RootCAs)
	}
	if (t.CertFile == "") != (t.KeyFile == "") {
		return nil, errors.New("a client certificate needs both its file and its key's")
	}
	if t.CertFile != "" {
		out.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) {
			pair, err := tls.LoadX509KeyPair(t.CertFile, t.KeyFile)
			return &pair, err
		}
	}
	return out, nil
}

// signed checks all of a certificate but the host's name.
func signed(roots *x509.CertPool) func(tls.ConnectionState) error {
	return func(s tls.ConnectionState) error {
		if len(s.PeerCertificates) == 0 {
			return errors.New("the server shows no certificate")
		}
		o := x509.VerifyOptions{Roots: roots, Intermediates: x509.NewCertPool()}
		for _, c := range s.PeerCertificates[1:] {
			o.Intermediates.AddCert(c)
		}
		_, err := s.PeerCertificates[0].Verify(o)
		return err
	}
}
