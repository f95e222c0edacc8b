package pulsartest

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	pulsario "github.com/apache/pulsar-client-go/pulsar"
	"github.com/apache/pulsar-client-go/pulsar/log"

	"github.com/functionmesh/terraform-provider-functionmesh/internal/wire"
)

// Environment that tests against a Pulsar read.
const (
	envURL     = "PULSAR_URL"       // pulsar://host:port
	envAdmin   = "PULSAR_ADMIN_URL" // http://host:port
	envMust    = "FUNCTIONMESH_TEST_PULSAR"
	envAll     = "FUNCTIONMESH_REQUIRE_ALL"
	envScripts = "TESTPULSAR" // the folder of pulsar.sh and cluster.sh
)

// Patience is how long anything may take that is not measured.
const Patience = 4 * time.Minute

// Server is a Pulsar that runs.
type Server struct {
	URL      string // of the brokers, with commas
	AdminURL string
	Token    string // of a super user; "": it asks for none
	CAFile   string // "": not TLS

	http *http.Client
}

// Need is the Pulsar of the environment. Without one the test is skipped; it fails when
// nothing may be skipped.
func Need(t testing.TB) *Server {
	t.Helper()
	url, admin := os.Getenv(envURL), os.Getenv(envAdmin)
	if url == "" || admin == "" {
		missing(t, envURL+" and "+envAdmin+" name no Pulsar")
	}
	return &Server{URL: url, AdminURL: strings.TrimSuffix(admin, "/"), http: http.DefaultClient}
}

// missing skips, or fails where every test has to run.
func missing(t testing.TB, why string) {
	t.Helper()
	if os.Getenv(envMust) != "" && os.Getenv(envAll) == "1" {
		t.Fatal(why)
	}
	t.Skip(why)
}

// Broker is how an instance reaches the server.
func (s *Server) Broker() wire.Broker {
	return wire.Broker{Kind: "pulsar", URL: s.URL, AdminURL: s.AdminURL, Token: s.Token, CAFile: s.CAFile}
}

// Client is a connection of Pulsar's own client; it ends with the test.
func (s *Server) Client(t testing.TB) pulsario.Client {
	t.Helper()
	o := pulsario.ClientOptions{URL: s.URL, Logger: log.NewLoggerWithSlog(slog.New(slog.DiscardHandler)), TLSTrustCertsFilePath: s.CAFile}
	if s.Token != "" {
		o.Authentication = pulsario.NewAuthenticationToken(s.Token)
	}
	c, err := pulsario.NewClient(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return c
}

// statusError is an answer that is no success.
type statusError struct {
	code int
	text string
}

func (e *statusError) Error() string { return fmt.Sprintf("%d: %s", e.code, e.text) }

// Admin calls the REST API; path begins behind /admin/v2/. in, unless nil, is sent as
// JSON, and the answer is decoded into out unless that is nil.
func (s *Server) Admin(ctx context.Context, method, path string, in, out any) error {
	var body io.Reader
	if in != nil {
		data, err := json.Marshal(in)
		if err != nil {
			return err
		}
		body = bytes.NewReader(data)
	}
	r, err := http.NewRequestWithContext(ctx, method, s.AdminURL+path, body)
	if err != nil {
		return err
	}
	r.Header.Set("Content-Type", "application/json")
	if s.Token != "" {
		r.Header.Set("Authorization", "Bearer "+s.Token)
	}
	answer, err := s.http.Do(r)
	if err != nil {
		return err
	}
	defer answer.Body.Close()
	data, err := io.ReadAll(answer.Body)
	if err != nil {
		return err
	}
	if answer.StatusCode >= http.StatusMultipleChoices {
		return fmt.Errorf("%s %s: %w", method, path, &statusError{answer.StatusCode, strings.TrimSpace(string(data))})
	}
	if out == nil || len(data) == 0 {
		return nil
	}
	if text, ok := out.(*string); ok {
		*text = string(data)
		return nil
	}
	return json.Unmarshal(data, out)
}

// retryable are answers of a broker that is not ready for the question yet, and of a
// connection to one that goes down.
func retryable(err error) bool {
	var status *statusError
	if !errors.As(err, &status) {
		return true
	}
	return status.code >= http.StatusInternalServerError || status.code == http.StatusPreconditionFailed
}

// request is one call of the REST API.
type request struct {
	method, path string
	in, out      any // nil: nothing is sent, the answer is dropped
}

// must is Admin, tried again while the server is not ready. Codes in fine are no failure.
func (s *Server) must(t testing.TB, r request, fine ...int) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.WithoutCancel(t.Context()), Patience)
	defer cancel()
	for {
		err := s.Admin(ctx, r.method, r.path, r.in, r.out)
		if status, ok := errors.AsType[*statusError](err); ok {
			if slices.Contains(fine, status.code) {
				return
			}
		}
		if err == nil {
			return
		}
		if ctx.Err() != nil || !retryable(err) {
			t.Fatal(err)
		}
		pause(ctx, 50*time.Millisecond)
	}
}

func pause(ctx context.Context, d time.Duration) {
	select {
	case <-ctx.Done():
	case <-time.After(d):
	}
}

// Eventually polls until it is true, for at most Patience.
func Eventually(t testing.TB, what string, is func() bool) {
	t.Helper()
	for end := time.Now().Add(Patience); !is(); time.Sleep(20 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("%s: not within %s", what, Patience)
		}
	}
}

// secured is an HTTP client that trusts the authority of a file.
func secured(t testing.TB, caFile string) *http.Client {
	t.Helper()
	pem, err := os.ReadFile(caFile)
	if err != nil {
		t.Fatal(err)
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(pem) {
		t.Fatalf("%s holds no certificate", caFile)
	}
	return &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: pool, MinVersion: tls.VersionTLS12}}}
}
