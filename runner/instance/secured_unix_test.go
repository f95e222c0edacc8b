//go:build linux || darwin

package instance_test

import (
	"crypto/tls"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/functionmesh/terraform-provider-functionmesh/internal/spec"
	"github.com/functionmesh/terraform-provider-functionmesh/internal/wire"
	"github.com/functionmesh/terraform-provider-functionmesh/runner/broker/pulsar/pulsartest"
	"github.com/functionmesh/terraform-provider-functionmesh/runner/pipeline"
)

// guarded is a Pulsar that asks for a token or a certificate, and looks often at what it
// was shown.
type guarded struct {
	*pulsartest.Standalone
	clients string // the authorities of clients' certificates
}

const role = "instance"

func newGuarded(t *testing.T) *guarded {
	t.Helper()
	g := &guarded{clients: filepath.Join(t.TempDir(), "clients.pem")}
	g.accept(t, pulsartest.NewAuthority(t))
	const provider = "org.apache.pulsar.broker.authentication.AuthenticationProvider"
	var flags []string
	for _, setting := range []string{
		"authenticationProviders=" + provider + "Token," + provider + "Tls", "superUserRoles=admin," + role,
		"authenticationRefreshCheckSeconds=1", "tlsCertRefreshCheckDurationSec=1", "tlsTrustCertsFilePath=" + g.clients,
	} {
		flags = append(flags, "--conf", setting)
	}
	g.Standalone = pulsartest.Own(t, append(flags, "--secure")...)
	return g
}

// accept takes certificates of this authority's only, once the broker has looked.
func (g *guarded) accept(t *testing.T, a *pulsartest.Authority) {
	t.Helper()
	pem, err := os.ReadFile(a.File)
	if err != nil {
		t.Fatal(err)
	}
	pulsartest.Replace(t, g.clients, pem)
}

// show gives the broker a certificate of this authority's, and waits until it is shown.
func (g *guarded) show(t *testing.T, a *pulsartest.Authority) {
	t.Helper()
	g.Trust(t, a)
	secrets := filepath.Join(g.Dir, "secrets")
	a.Sign(t, pulsartest.Leaf{Name: "broker"}, filepath.Join(secrets, "server.pem"), filepath.Join(secrets, "server.key"))
	pulsartest.Eventually(t, "the broker shows its new certificate", func() bool {
		c, err := tls.Dial("tcp", strings.TrimPrefix(g.URL, "pulsar+ssl://"), &tls.Config{RootCAs: a.Pool()})
		if err == nil {
			_ = c.Close()
		}
		return err == nil
	})
}

// reached is the broker without credentials; set adds them.
func (g *guarded) reached(set func(b *wire.Broker)) wire.Broker {
	b := g.Broker()
	b.Token = ""
	set(&b)
	return b
}

// cut ends every connection of this process to the broker, as a network would.
func (g *guarded) cut(t *testing.T) {
	t.Helper()
	port, err := strconv.Atoi(g.URL[strings.LastIndexByte(g.URL, ':')+1:])
	if err != nil {
		t.Fatal(err)
	}
	for fd := range 4096 {
		if peer, _ := syscall.Getpeername(fd); peer != nil {
			if at, ok := peer.(*syscall.SockaddrInet4); ok && at.Port == port {
				_ = syscall.Shutdown(fd, syscall.SHUT_RDWR)
			}
		}
	}
}

// guest is a component whose messages pass unchanged, on a guarded broker.
type guest struct {
	*world
	fed   *pulsartest.Feeder
	stop  chan struct{}
	ended sync.WaitGroup
}

func (g *guarded) guest(t *testing.T, path string, b wire.Broker) *guest {
	t.Helper()
	v := &guest{world: worldOn(t, g.Server, path), stop: make(chan struct{})}
	v.SetDeduplication(t, true) // what feeds it is cut off as well
	v.brokers = map[string]wire.Broker{"": b}
	return v
}

// pass starts the component.
func (v *guest) pass(t *testing.T) *running {
	t.Helper()
	return v.run(t, v.file(t))
}

// file is the component's without its code, its topics made.
func (v *guest) file(t *testing.T) wire.File {
	t.Helper()
	f := v.files(t)[0]
	f.Function = nil
	return f
}

func (v *guest) run(t *testing.T, f wire.File) *running {
	t.Helper()
	r := start(t, f)
	v.started = append(v.started, r)
	return r
}

// feed publishes until settled is called.
func (v *guest) feed(t *testing.T) {
	t.Helper()
	v.fed = v.NewFeeder(t, v.Full("in"), pulsartest.Fill{PerEntry: 5})
	v.ended.Go(func() {
		for {
			select {
			case <-v.stop:
				return
			case <-time.After(20 * time.Millisecond):
				v.fed.Send(t, 10)
			}
		}
	})
}

// settled ends the feeding and judges what arrived.
func (v *guest) settled(t *testing.T, b pulsartest.Bounds) {
	t.Helper()
	close(v.stop)
	v.ended.Wait()
	v.Settled(t, v.Full("in"), spec.SubscriptionName(v.c))
	v.drain(t)
	b.Disorder, b.KeyDisorder = true, true // shared
	tally := v.Read(t, v.Full("out"), 0, v.fed.Sent())
	tally.Check(t, b)
	t.Log(tally)
}

// connection is the instance's end of the connection that it reads over.
func (v *guest) connection(t *testing.T) (address string) {
	t.Helper()
	pulsartest.Eventually(t, "a consumer", func() bool {
		if all := v.subscription(t).Consumers; len(all) == 1 {
			address = all[0].Address
		}
		return address != ""
	})
	return address
}

// flows waits until more of what is fed was acknowledged.
func (v *guest) flows(t *testing.T) {
	t.Helper()
	r := v.started[0]
	before := r.status(t).Processed
	pulsartest.Eventually(t, "messages flow", func() bool {
		select {
		case err := <-r.done:
			t.Fatalf("the instance ended: %v", err)
		default:
		}
		return r.status(t).Processed > before+50
	})
}

func bothPaths() []string { return []string{spec.EntryPath, spec.CompatiblePath} }

// Credentials of every kind on a real broker, and what becomes of a running instance
// when they are renewed, by both data paths.
func TestPulsarSecuredInstances(t *testing.T) {
	g := newGuarded(t)
	for _, path := range bothPaths() {
		t.Run("Refused/"+path, func(t *testing.T) { refused(t, g, path) })
		t.Run("Connections/"+path, func(t *testing.T) { eachItsOwn(t, g, path) })
	}
	t.Run("Renewed", func(t *testing.T) { // both wait for something to expire
		t.Run("Token", func(t *testing.T) { t.Parallel(); renewedToken(t, g) })
		t.Run("OAuth2", func(t *testing.T) { t.Parallel(); byOAuth2(t, g) })
	})
	t.Run("RotatedCertificates", func(t *testing.T) { rotatedCertificates(t, g) })
}

// What no retry helps ends the instance with a reason; no credential is told.
func refused(t *testing.T, g *guarded, path string) {
	v := g.guest(t, path, wire.Broker{})
	cert, key := filepath.Join(t.TempDir(), "cert"), filepath.Join(t.TempDir(), "key")
	pulsartest.NewAuthority(t).Sign(t, pulsartest.Leaf{Name: role}, cert, key)
	for name, c := range map[string]struct{ token, cert, reason string }{
		"NoToken": {"", "", "AuthenticationRefused"},
		"Expired": {g.Sign(t, role, -time.Hour), "", "AuthenticationRefused"},
		"NotOurs": {g.Token[:len(g.Token)-4] + "AAAA", "", "AuthenticationRefused"},
		"NoRight": {g.Sign(t, "nobody", time.Hour), "", "AuthorizationRefused"},
		"Foreign": {"", cert, "AuthenticationRefused"},
	} {
		t.Run(name, func(t *testing.T) {
			v.brokers[""] = g.reached(func(b *wire.Broker) {
				if b.Token, b.CertFile = c.token, c.cert; c.cert != "" {
					b.KeyFile = key
				}
			})
			r := v.pass(t)
			err := <-r.done
			stop, ok := errors.AsType[*pipeline.TerminalError](err)
			if !ok || stop.Reason != c.reason {
				t.Fatalf("want %s, got %v", c.reason, err)
			}
			t.Log(err)
			if text := err.Error() + r.log.String(); c.token != "" && strings.Contains(text, c.token) {
				t.Errorf("the token is told: %s", text)
			}
		})
	}
}

// Input and output are at two clusters, and the credentials of one are good for nothing
// at the other.
func eachItsOwn(t *testing.T, g *guarded, path string) {
	plain := pulsartest.Need(t)
	for name, guardedInput := range map[string]bool{"From": true, "To": false} {
		t.Run(name, func(t *testing.T) {
			v := g.guest(t, path, g.reached(func(*wire.Broker) {}))
			other := plain.Namespace(t, pulsartest.Policies{Retention: true})
			in, out, rights := other, v.Namespace, []string{"produce"}
			if guardedInput {
				in, out, rights = v.Namespace, other, []string{"consume", "produce"} // dead letters go there as well
			}
			v.Grant(t, "guest", rights...)
			guarded := g.reached(func(b *wire.Broker) { b.Token = g.Sign(t, "guest", time.Hour) })
			v.brokers["in"], v.brokers["out"] = plain.Broker(), guarded
			if guardedInput {
				v.brokers["in"], v.brokers["out"] = guarded, plain.Broker()
			}
			v.c.Inputs = map[string]spec.Input{in.Full("in"): {Connection: "in"}}
			v.c.Output = &spec.Output{Topic: out.Full("out"), Connection: "out"}
			v.pass(t).ready(t)
			in.Fill(t, in.Full("in"), 100, pulsartest.Fill{PerEntry: 10})
			in.Settled(t, in.Full("in"), spec.SubscriptionName(v.c))
			v.drain(t)
			out.Read(t, out.Full("out"), 0, 100).Check(t, pulsartest.Bounds{Disorder: true, KeyDisorder: true})
		})
	}
}

// A token that expires while messages flow, and the one that has taken its place in the
// file by then: the connection stays.
func renewedToken(t *testing.T, g *guarded) {
	const valid = 12 * time.Second // long enough to connect with
	var expires time.Time
	var all []*guest
	for _, path := range bothPaths() {
		token := filepath.Join(t.TempDir(), "token")
		v := g.guest(t, path, g.reached(func(b *wire.Broker) { b.TokenFile = token }))
		f := v.file(t)
		pulsartest.Replace(t, token, []byte(g.Sign(t, role, valid)+"\n"))
		expires = time.Now().Add(valid)
		v.run(t, f).ready(t)
		pulsartest.Replace(t, token, []byte(g.Sign(t, role, time.Hour)+"\n"))
		v.feed(t)
		all = append(all, v)
	}
	before := []string{all[0].connection(t), all[1].connection(t)}
	pulsartest.Eventually(t, "the first token has expired, and the broker has looked", func() bool {
		return time.Now().After(expires.Add(3 * time.Second))
	})
	for i, v := range all {
		v.flows(t)
		if now := v.connection(t); now != before[i] {
			t.Errorf("%s: the connection is %s and was %s", v.c.DataPath, now, before[i])
		}
		v.settled(t, pulsartest.Bounds{})
	}
}

// The certificates of both sides are replaced, and their authorities, while messages
// flow: the next connection is made with the new ones.
func rotatedCertificates(t *testing.T, g *guarded) {
	dir, mine := t.TempDir(), pulsartest.NewAuthority(t)
	ca, cert, key := filepath.Join(dir, "ca"), filepath.Join(dir, "cert"), filepath.Join(dir, "key")
	theirs := pulsartest.NewAuthority(t)
	g.accept(t, mine)
	g.show(t, theirs)
	trust := func(a *pulsartest.Authority) {
		pem, err := os.ReadFile(a.File)
		if err != nil {
			t.Fatal(err)
		}
		pulsartest.Replace(t, ca, pem)
	}
	trust(theirs)
	mine.Sign(t, pulsartest.Leaf{Name: role}, cert, key)
	var all []*guest
	for _, path := range bothPaths() {
		v := g.guest(t, path, g.reached(func(b *wire.Broker) { b.CAFile, b.CertFile, b.KeyFile = ca, cert, key }))
		v.pass(t).ready(t)
		v.feed(t)
		all = append(all, v)
	}
	before := []string{all[0].connection(t), all[1].connection(t)}
	mine, theirs = pulsartest.NewAuthority(t), pulsartest.NewAuthority(t)
	g.accept(t, mine)
	g.show(t, theirs)
	trust(theirs)
	mine.Sign(t, pulsartest.Leaf{Name: role}, cert, key)
	for _, v := range all {
		v.flows(t)
	}
	g.cut(t)
	for i, v := range all {
		v.flows(t)
		if v.connection(t) == before[i] {
			t.Errorf("%s: the connection was not cut", v.c.DataPath)
		}
		v.settled(t, pulsartest.Bounds{Duplicates: true})
	}
}

// issuer hands out tokens that are valid for a moment, once it was asked in vain so often.
func (g *guarded) issuer(t *testing.T, valid time.Duration, away int32) (url string, issued *atomic.Int32) {
	t.Helper()
	issued = &atomic.Int32{}
	mux := http.NewServeMux()
	server := httptest.NewServer(mux)
	t.Cleanup(server.Close)
	mux.HandleFunc("GET /.well-known/openid-configuration", func(w http.ResponseWriter, _ *http.Request) {
		_, _ = fmt.Fprintf(w, `{"token_endpoint":%q}`, server.URL+"/token")
	})
	mux.HandleFunc("POST /token", func(w http.ResponseWriter, r *http.Request) {
		if r.PostFormValue("client_id") != "me" || r.PostFormValue("client_secret") != "hush" || r.PostFormValue("audience") != "urn:test" || r.PostFormValue("scope") != "a b" {
			w.Header().Set("Content-Type", "application/json")
			w.WriteHeader(http.StatusUnauthorized)
			_, _ = w.Write([]byte(`{"error":"invalid_client"}`))
			return
		}
		if issued.Add(1) <= away {
			http.Error(w, "try later", http.StatusServiceUnavailable)
			return
		}
		w.Header().Set("Content-Type", "application/json")
		_, _ = fmt.Fprintf(w, `{"access_token":%q,"token_type":"bearer","expires_in":%d}`, g.Sign(t, role, valid), int(valid.Seconds()))
	})
	return server.URL, issued
}

// OAuth 2.0 chooses the compatible path, and a token that expires is followed by another.
func byOAuth2(t *testing.T, g *guarded) {
	const valid = 6 * time.Second
	url, issued := g.issuer(t, valid, 2)
	file := filepath.Join(t.TempDir(), "key.json")
	with := func(secret string) wire.Broker {
		pulsartest.Replace(t, file, fmt.Appendf(nil, `{"client_id":"me","client_secret":%q}`, secret))
		return g.reached(func(b *wire.Broker) {
			b.OAuth2 = &wire.OAuth2{IssuerURL: url, Audience: "urn:test", Scope: "a b", KeyFile: file}
		})
	}
	t.Run("WrongSecret", func(t *testing.T) {
		v := g.guest(t, "", with("wrong-secret"))
		r := v.pass(t)
		err := <-r.done
		stop, ok := errors.AsType[*pipeline.TerminalError](err)
		if !ok || stop.Reason != "InvalidConfig" || !strings.Contains(err.Error(), "invalid_client") || strings.Contains(err.Error()+r.log.String(), "wrong-secret") {
			t.Errorf("%v\n%s", err, r.log)
		}
	})
	v := g.guest(t, "", with("hush"))
	r := v.pass(t)
	r.ready(t)
	expires, before := time.Now().Add(valid), issued.Load()
	if r.file.Path != wire.CompatiblePath || !strings.Contains(r.file.PathNote, "connection") {
		t.Errorf("the path is %q: %s", r.file.Path, r.file.PathNote)
	}
	v.feed(t)
	pulsartest.Eventually(t, "the first token has expired, and another was asked for", func() bool {
		return time.Now().After(expires.Add(3*time.Second)) && issued.Load() > before
	})
	v.flows(t)
	v.settled(t, pulsartest.Bounds{Duplicates: true})
}
