package conn_test

import (
	"crypto/tls"
	"net"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/functionmesh/terraform-provider-functionmesh/internal/wire"
	"github.com/functionmesh/terraform-provider-functionmesh/runner/broker/pulsar/conn"
	"github.com/functionmesh/terraform-provider-functionmesh/runner/broker/pulsar/conn/pulsarpb"
	"github.com/functionmesh/terraform-provider-functionmesh/runner/broker/pulsar/pulsartest"
)

// secured is a broker that owns every topic, behind TLS.
func secured(t *testing.T, config *tls.Config) *fake {
	t.Helper()
	var f *fake
	f = serve(t, config, polite(func(cmd *pulsarpb.BaseCommand) []*pulsarpb.BaseCommand {
		return found(cmd, &pulsarpb.LookupResponse{BrokerUrlTls: "pulsar+ssl://" + f.address, Outcome: pulsarpb.LookupResponse_CONNECT})
	}))
	return f
}

func TestTLS(t *testing.T) {
	ours, other := pulsartest.NewAuthority(t), pulsartest.NewAuthority(t)
	right := secured(t, &tls.Config{Certificates: []tls.Certificate{ours.Pair(t, pulsartest.Leaf{})}})
	named := secured(t, &tls.Config{Certificates: []tls.Certificate{ours.Pair(t, pulsartest.Leaf{Host: "broker.example.com"})}})
	foreign := secured(t, &tls.Config{Certificates: []tls.Certificate{other.Pair(t, pulsartest.Leaf{})}})
	insecure := self(t)
	for name, tc := range map[string]struct {
		broker *fake
		set    wire.Broker
		fails  bool
	}{
		"Verified":              {right, wire.Broker{CAFile: ours.File}, false},
		"OtherHost":             {named, wire.Broker{CAFile: ours.File}, true},
		"OtherHostAllowed":      {named, wire.Broker{CAFile: ours.File, AnyHostname: true}, false},
		"OtherAuthority":        {foreign, wire.Broker{CAFile: ours.File}, true},
		"OtherAuthorityAnyHost": {foreign, wire.Broker{CAFile: ours.File, AnyHostname: true}, true},
		"SystemAuthorities":     {right, wire.Broker{}, true},
		"Insecure":              {foreign, wire.Broker{Insecure: true}, false},
		"NoTLSThere":            {insecure, wire.Broker{Insecure: true}, true},
		"NoSuchFile":            {right, wire.Broker{CAFile: ours.File + ".absent"}, true},
	} {
		t.Run(name, func(t *testing.T) {
			tc.set.URL = "pulsar+ssl://" + tc.broker.address
			_, err := newClient(t, tc.set, conn.Options{Patience: time.Millisecond}).Connect(t.Context(), topic)
			if (err != nil) != tc.fails {
				t.Errorf("connect: %v", err)
			}
		})
	}
	t.Run("PlainToTLS", func(t *testing.T) {
		if _, err := newClient(t, plain(right.url()), conn.Options{Patience: time.Millisecond}).Connect(t.Context(), topic); err == nil {
			t.Error("connected")
		}
	})
}

// A broker that meets TLS and expects none hangs up without a word, and the reverse: the
// error says what that looks like.
func TestHungUpOnTheFirstWords(t *testing.T) {
	listener, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		for {
			c, err := listener.Accept()
			if err != nil {
				return
			}
			_, _ = c.Read(make([]byte, 1<<10))
			_ = c.Close()
		}
	}()
	t.Cleanup(func() {
		_ = listener.Close()
		<-ended
	})
	for scheme, hint := range map[string]string{"pulsar+ssl": "try pulsar://", "pulsar": "try pulsar+ssl://"} {
		t.Run(scheme, func(t *testing.T) {
			_, err := newClient(t, wire.Broker{URL: scheme + "://" + listener.Addr().String(), Insecure: scheme != "pulsar"}, conn.Options{Patience: time.Millisecond}).Connect(t.Context(), topic)
			if err == nil || !strings.Contains(err.Error(), hint) {
				t.Errorf("connect: %v, want %q", err, hint)
			}
		})
	}
}

// The certificate is read for every handshake: what replaced it serves the next one.
func TestClientCertificateRotates(t *testing.T) {
	ours := pulsartest.NewAuthority(t)
	shown := make(chan string, 10)
	broker := secured(t, &tls.Config{
		Certificates: []tls.Certificate{ours.Pair(t, pulsartest.Leaf{})}, ClientAuth: tls.RequireAndVerifyClientCert, ClientCAs: ours.Pool(),
		VerifyConnection: func(s tls.ConnectionState) error {
			shown <- s.PeerCertificates[0].Subject.CommonName
			return nil
		},
	})
	dir := t.TempDir()
	set := wire.Broker{URL: "pulsar+ssl://" + broker.address, CAFile: ours.File, CertFile: filepath.Join(dir, "cert"), KeyFile: filepath.Join(dir, "key")}
	ours.Sign(t, pulsartest.Leaf{Name: "leaf one"}, set.CertFile, set.KeyFile)
	c := newClient(t, set, conn.Options{})
	l := link(t, c)
	ours.Sign(t, pulsartest.Leaf{Name: "leaf two"}, set.CertFile, set.KeyFile)
	broker.hangUp()
	<-l.Done()
	link(t, c)
	for _, want := range []string{"leaf one", "leaf two"} {
		if got := <-shown; got != want {
			t.Errorf("certificate of %s, want %s", got, want)
		}
	}
	if got := broker.commands(pulsarpb.Type_CONNECT)[0].Connect.AuthMethodName; got != "tls" {
		t.Errorf("method %q", got)
	}
	set.CertFile, set.KeyFile = "", ""
	if _, err := newClient(t, set, conn.Options{Patience: time.Millisecond}).Connect(t.Context(), topic); err == nil {
		t.Error("connected without a certificate")
	}
}

// A configuration for all handshakes verifies the chain, and nothing else.
func TestAnyHostTLS(t *testing.T) {
	ours, other := pulsartest.NewAuthority(t), pulsartest.NewAuthority(t)
	for name, tc := range map[string]struct {
		shown tls.Certificate
		fails bool
	}{
		"ItsHost":        {ours.Pair(t, pulsartest.Leaf{}), false},
		"OtherHost":      {ours.Pair(t, pulsartest.Leaf{Host: "broker.example.com"}), false},
		"OtherAuthority": {other.Pair(t, pulsartest.Leaf{}), true},
	} {
		t.Run(name, func(t *testing.T) {
			broker := secured(t, &tls.Config{Certificates: []tls.Certificate{tc.shown}})
			c, err := tls.Dial("tcp", broker.address, conn.AnyHostTLS(wire.Broker{CAFile: ours.File}))
			if err == nil {
				_ = c.Close()
			}
			if (err != nil) != tc.fails {
				t.Errorf("dial: %v", err)
			}
		})
	}
}
