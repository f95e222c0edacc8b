package conn_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/functionmesh/terraform-provider-functionmesh/internal/wire"
	"github.com/functionmesh/terraform-provider-functionmesh/runner/broker/pulsar/conn"
	"github.com/functionmesh/terraform-provider-functionmesh/runner/broker/pulsar/conn/pulsarpb"
)

// authority signs certificates of tests.
type authority struct {
	t    *testing.T
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
	file string // its own certificate
}

func newAuthority(t *testing.T) *authority {
	t.Helper()
	a := &authority{t: t, key: newKey(t), file: filepath.Join(t.TempDir(), "ca.pem")}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "authority"}, NotAfter: time.Now().Add(time.Hour),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign,
	}
	raw, err := x509.CreateCertificate(rand.Reader, template, template, &a.key.PublicKey, a.key)
	if err != nil {
		t.Fatal(err)
	}
	if a.cert, err = x509.ParseCertificate(raw); err != nil {
		t.Fatal(err)
	}
	write(t, a.file, "CERTIFICATE", raw)
	return a
}

func newKey(t *testing.T) *ecdsa.PrivateKey {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

func write(t *testing.T, file, kind string, raw []byte) {
	t.Helper()
	if err := os.WriteFile(file, pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: raw}), 0o600); err != nil {
		t.Fatal(err)
	}
}

// sign makes a certificate for a name (or for 127.0.0.1 when it is "") in two files.
func (a *authority) sign(name, certFile, keyFile string) {
	a.t.Helper()
	key := newKey(a.t)
	template := &x509.Certificate{
		SerialNumber: big.NewInt(time.Now().UnixNano()), Subject: pkix.Name{CommonName: "leaf " + name}, NotAfter: time.Now().Add(time.Hour),
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth},
	}
	if name == "" {
		template.IPAddresses = []net.IP{net.IPv4(127, 0, 0, 1)}
	} else {
		template.DNSNames = []string{name}
	}
	raw, err := x509.CreateCertificate(rand.Reader, template, a.cert, &key.PublicKey, a.key)
	if err != nil {
		a.t.Fatal(err)
	}
	encoded, err := x509.MarshalECPrivateKey(key)
	if err != nil {
		a.t.Fatal(err)
	}
	write(a.t, certFile, "CERTIFICATE", raw)
	write(a.t, keyFile, "EC PRIVATE KEY", encoded)
}

// pair is a certificate in memory.
func (a *authority) pair(name string) tls.Certificate {
	a.t.Helper()
	dir := a.t.TempDir()
	cert, key := filepath.Join(dir, "c"), filepath.Join(dir, "k")
	a.sign(name, cert, key)
	p, err := tls.LoadX509KeyPair(cert, key)
	if err != nil {
		a.t.Fatal(err)
	}
	return p
}

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
	ours, other := newAuthority(t), newAuthority(t)
	right := secured(t, &tls.Config{Certificates: []tls.Certificate{ours.pair("")}})
	named := secured(t, &tls.Config{Certificates: []tls.Certificate{ours.pair("broker.example.com")}})
	foreign := secured(t, &tls.Config{Certificates: []tls.Certificate{other.pair("")}})
	insecure := self(t)
	for name, tc := range map[string]struct {
		broker *fake
		set    wire.Broker
		fails  bool
	}{
		"Verified":              {right, wire.Broker{CAFile: ours.file}, false},
		"OtherHost":             {named, wire.Broker{CAFile: ours.file}, true},
		"OtherHostAllowed":      {named, wire.Broker{CAFile: ours.file, AnyHostname: true}, false},
		"OtherAuthority":        {foreign, wire.Broker{CAFile: ours.file}, true},
		"OtherAuthorityAnyHost": {foreign, wire.Broker{CAFile: ours.file, AnyHostname: true}, true},
		"SystemAuthorities":     {right, wire.Broker{}, true},
		"Insecure":              {foreign, wire.Broker{Insecure: true}, false},
		"NoTLSThere":            {insecure, wire.Broker{Insecure: true}, true},
		"NoSuchFile":            {right, wire.Broker{CAFile: ours.file + ".absent"}, true},
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

// The certificate is read for every handshake: what replaced it serves the next one.
func TestClientCertificateRotates(t *testing.T) {
	ours := newAuthority(t)
	pool := x509.NewCertPool()
	pool.AddCert(ours.cert)
	shown := make(chan string, 10)
	broker := secured(t, &tls.Config{
		Certificates: []tls.Certificate{ours.pair("")}, ClientAuth: tls.RequireAndVerifyClientCert, ClientCAs: pool,
		VerifyConnection: func(s tls.ConnectionState) error {
			shown <- s.PeerCertificates[0].Subject.CommonName
			return nil
		},
	})
	dir := t.TempDir()
	set := wire.Broker{URL: "pulsar+ssl://" + broker.address, CAFile: ours.file, CertFile: filepath.Join(dir, "cert"), KeyFile: filepath.Join(dir, "key")}
	ours.sign("one", set.CertFile, set.KeyFile)
	c := newClient(t, set, conn.Options{})
	l := link(t, c)
	ours.sign("two", set.CertFile, set.KeyFile)
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
	ours, other := newAuthority(t), newAuthority(t)
	for name, tc := range map[string]struct {
		shown tls.Certificate
		fails bool
	}{
		"ItsHost":        {ours.pair(""), false},
		"OtherHost":      {ours.pair("broker.example.com"), false},
		"OtherAuthority": {other.pair(""), true},
	} {
		t.Run(name, func(t *testing.T) {
			broker := secured(t, &tls.Config{Certificates: []tls.Certificate{tc.shown}})
			c, err := tls.Dial("tcp", broker.address, conn.AnyHostTLS(wire.Broker{CAFile: ours.file}))
			if err == nil {
				_ = c.Close()
			}
			if (err != nil) != tc.fails {
				t.Errorf("dial: %v", err)
			}
		})
	}
}
