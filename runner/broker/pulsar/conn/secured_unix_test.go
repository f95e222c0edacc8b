//go:build unix

package conn_test

import (
	"context"
	"errors"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/functionmesh/terraform-provider-functionmesh/internal/wire"
	"github.com/functionmesh/terraform-provider-functionmesh/runner/broker/pulsar/conn"
	"github.com/functionmesh/terraform-provider-functionmesh/runner/broker/pulsar/pulsartest"
)

func TestPulsarSecured(t *testing.T) {
	t.Parallel()
	server := pulsartest.Own(t, "--secure", "--conf", "authenticationRefreshCheckSeconds=1")
	ns := server.Namespace(t, pulsartest.Policies{})
	topic := ns.Topic(t, "t", 0)
	t.Run("Credentials", func(t *testing.T) {
		for name, tc := range map[string]struct {
			token  string
			reason string
		}{
			"SuperUser": {server.Token, ""},
			"NoToken":   {"", "AuthenticationRefused"},
			"NoRight":   {server.Sign(t, "user", time.Hour), "AuthorizationRefused"},
			"Expired":   {server.Sign(t, "user", -time.Hour), "AuthenticationRefused"},
			"NotOurs":   {server.Token[:len(server.Token)-4] + "AAAA", "AuthenticationRefused"},
		} {
			t.Run(name, func(t *testing.T) {
				b := server.Broker()
				b.Token = tc.token
				_, err := newClient(t, b, conn.Options{}).Connect(t.Context(), topic)
				if reason, _ := conn.Terminal(err); reason != tc.reason || (tc.reason == "") != (err == nil) {
					t.Errorf("%q: %v", reason, err)
				}
				if err != nil {
					t.Log(err)
				}
				if err != nil && tc.token != "" && strings.Contains(err.Error(), tc.token) {
					t.Error("the error holds the token")
				}
			})
		}
	})
	t.Run("Certificates", func(t *testing.T) {
		b := server.Broker()
		b.CAFile = ""
		_, err := newClient(t, b, conn.Options{Patience: time.Millisecond}).Connect(t.Context(), topic)
		if err == nil {
			t.Error("a certificate of nobody we know is taken")
		}
		b.Insecure = true
		link(t, newClient(t, b, conn.Options{}))
	})
	t.Run("RenewedTokenKeepsTheConnection", func(t *testing.T) { renewed(t, server, topic) })
	t.Run("ExpiredTokenIsReadAgain", func(t *testing.T) { expired(t, server, topic) })
}

// fileBroker has its token in a file.
func fileBroker(t *testing.T, s *pulsartest.Standalone, valid time.Duration) wire.Broker {
	t.Helper()
	b := s.Broker()
	b.Token, b.TokenFile = "", filepath.Join(t.TempDir(), "token")
	pulsartest.Replace(t, b.TokenFile, []byte(s.Sign(t, "admin", valid)+"\n"))
	return b
}

// short connects with a token in a file that is valid for a short while, which is longer
// on a machine that needs longer. It returns when the token expires.
func short(t *testing.T, s *pulsartest.Standalone, topic string, o conn.Options) (wire.Broker, *conn.Client, *conn.Conn, time.Time) {
	t.Helper()
	for valid := 3 * time.Second; ; valid *= 2 {
		b, begin := fileBroker(t, s, valid), time.Now()
		end := begin.Add(valid)
		c := newClient(t, b, o)
		l, err := c.Connect(t.Context(), topic)
		if time.Since(begin) > valid/2 && valid < pulsartest.Patience {
			continue
		}
		if err != nil {
			t.Fatal(err)
		}
		return b, c, l, end
	}
}

// The broker asks again when the first token has expired; by then the file holds another.
func renewed(t *testing.T, s *pulsartest.Standalone, topic string) {
	b, _, l, end := short(t, s, topic, conn.Options{})
	pulsartest.Replace(t, b.TokenFile, []byte(s.Sign(t, "admin", time.Hour)+"\n"))
	out := newProducer()
	id := produce(t, l, topic, out)
	for i := uint64(0); time.Now().Before(end.Add(4 * time.Second)); i++ {
		if err := l.Write(t.Context(), sendFrame(t, id, i, []byte("x"))); err != nil {
			t.Fatal(err)
		}
		select {
		case <-out.receipts:
		case err := <-out.lost:
			t.Fatal(err)
		}
		time.Sleep(50 * time.Millisecond)
	}
}

// Nobody renews the token: the connection ends, and no new one is made until there is
// another token in the file.
func expired(t *testing.T, s *pulsartest.Standalone, topic string) {
	b, c, l, _ := short(t, s, topic, conn.Options{Patience: time.Millisecond})
	<-l.Done()
	t.Log(l.Err())
	_, err := c.Connect(t.Context(), topic)
	var server *conn.ServerError
	if _, terminal := conn.Terminal(err); terminal || !errors.As(err, &server) {
		t.Fatalf("with an expired token: %v, terminal %t", err, terminal)
	}
	pulsartest.Replace(t, b.TokenFile, []byte(s.Sign(t, "admin", time.Hour)+"\n"))
	ctx, cancel := context.WithTimeout(t.Context(), pulsartest.Patience)
	defer cancel()
	if _, err := c.Connect(ctx, topic); err != nil {
		t.Errorf("with a new token: %v", err)
	}
}
