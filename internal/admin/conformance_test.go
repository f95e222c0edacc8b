package admin_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"sync"
	"testing"

	"github.com/functionmesh/terraform-provider-functionmesh/internal/admin"
	"github.com/functionmesh/terraform-provider-functionmesh/internal/catalog"
	"github.com/functionmesh/terraform-provider-functionmesh/internal/engine"
	"github.com/functionmesh/terraform-provider-functionmesh/internal/engine/enginetest"
	"github.com/functionmesh/terraform-provider-functionmesh/internal/gateway"
	"github.com/functionmesh/terraform-provider-functionmesh/internal/spec"
)

// codeStore keeps code in memory.
type codeStore struct {
	mu    sync.Mutex
	files map[string][]byte
	puts  int
}

func (s *codeStore) Put(_ context.Context, name string, r io.Reader) (file, sum string, err error) {
	b, err := io.ReadAll(r)
	if err != nil {
		return "", "", err
	}
	digest := sha256.Sum256(b)
	sum = hex.EncodeToString(digest[:])
	s.mu.Lock()
	defer s.mu.Unlock()
	s.files[sum] = b
	s.puts++
	return "/store/" + sum + filepath.Ext(name), sum, nil
}

func (s *codeStore) Open(_ context.Context, sum string) (io.ReadCloser, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	b, ok := s.files[sum]
	if !ok {
		return nil, engine.New(engine.NotFound, errors.New("no such code"))
	}
	return io.NopCloser(bytes.NewReader(b)), nil
}

// platform is a gateway over platforms in memory, with its knobs.
type platform struct {
	tenants    *enginetest.Memory[spec.Tenant]
	namespaces *enginetest.Memory[spec.Namespace]
	topics     *enginetest.Memory[spec.Topic]
	components map[spec.Kind]*enginetest.Memory[spec.Component]
	code       *codeStore
	clients    catalog.Clients // over the network
	url        string
}

const token = "let me in"

func start(t *testing.T, network string) *platform {
	t.Helper()
	p := &platform{
		tenants:    enginetest.NewMemory(catalog.Tenant().Key),
		namespaces: enginetest.NewMemory(catalog.Namespace().Key),
		topics:     enginetest.NewMemory(catalog.Topic().Key),
		components: map[spec.Kind]*enginetest.Memory[spec.Component]{},
		code:       &codeStore{files: map[string][]byte{}},
	}
	p.tenants.Markless = true
	p.namespaces.Parent = func(k engine.Key) bool { return k.Tenant != "nowhere" }
	p.topics.Parent = p.namespaces.Parent
	p.tenants.Put(engine.Object[spec.Tenant]{Spec: spec.Tenant{Name: "public"}})
	p.namespaces.Put(engine.Object[spec.Namespace]{Spec: spec.Namespace{Tenant: "public", Name: "default"}})
	inner := catalog.Clients{
		Tenants: p.tenants, Namespaces: p.namespaces, Topics: p.topics,
		Components: map[spec.Kind]engine.Client[spec.Component]{},
	}
	for _, kind := range spec.ComponentKinds() {
		m := enginetest.NewMemory(catalog.Component(kind).Key)
		m.Parent = p.namespaces.Parent
		p.components[kind], inner.Components[kind] = m, m
	}
	remote := network == "tcp"
	handler := gateway.New(gateway.Options{
		Clients: inner, Code: p.code, PlatformID: func() string { return "test-platform" },
		Remote: remote, Token: spec.NewSecret(token),
	})
	p.serve(t, network, handler)
	options := admin.Options{URL: p.url}
	if remote {
		options.TokenFile = filepath.Join(t.TempDir(), "token")
		if err := os.WriteFile(options.TokenFile, []byte(token+"\n"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	var err error
	if p.clients, err = admin.New(options); err != nil {
		t.Fatal(err)
	}
	return p
}

func (p *platform) serve(t *testing.T, network string, handler http.Handler) {
	t.Helper()
	server := httptest.NewUnstartedServer(handler)
	if network == "unix" {
		dir, err := os.MkdirTemp("", "fm") //nolint:usetesting // a socket's path is short
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = os.RemoveAll(dir) })
		socket := filepath.Join(dir, "s")
		var config net.ListenConfig
		listener, err := config.Listen(t.Context(), "unix", socket)
		if err != nil {
			t.Fatal(err)
		}
		_ = server.Listener.Close()
		server.Listener = listener
		p.url = "unix://" + socket
	}
	server.Start()
	t.Cleanup(server.Close)
	if network != "unix" {
		p.url = server.URL
	}
}

// networks run a test over a unix socket and over TCP with a token.
func networks(t *testing.T, run func(t *testing.T, network string)) {
	t.Helper()
	for _, network := range []string{"unix", "tcp"} {
		t.Run(network, func(t *testing.T) { run(t, network) })
	}
}

func TestTopicConformance(t *testing.T) {
	networks(t, func(t *testing.T, network string) {
		var last *platform
		enginetest.Run(t, enginetest.Suite[spec.Topic]{
			New: func(t *testing.T) engine.Client[spec.Topic] {
				last = start(t, network)
				return last.clients.Topics
			},
			Engine: catalog.Topic().Engine,
			Want:   spec.Topic{Tenant: "public", Namespace: "default", Name: "orders é%", Partitions: new(2), Properties: map[string]string{"a": "1"}},
			Changed: spec.Topic{
				Tenant: "public", Namespace: "default", Name: "orders é%", Partitions: new(2), Properties: map[string]string{"a": "2", "b": "x y"},
			},
			Orphan: &spec.Topic{Tenant: "nowhere", Namespace: "default", Name: "orders"},
			Faults: func(engine.Client[spec.Topic]) enginetest.Faults { return last.topics },
		})
	})
}

// Nothing of a namespace can change, so that the suite's cases of updates do not apply.
func TestNamespaces(t *testing.T) {
	networks(t, func(t *testing.T, network string) {
		client := start(t, network).clients.Namespaces
		namespaceLife(t, client, engine.TakenOver)
		e := catalog.Namespace().Engine(client)
		want := engine.Object[spec.Namespace]{Spec: spec.Namespace{Tenant: "public", Name: "marked"}, Marks: engine.Marks{Owner: "us"}}
		if _, err := e.Create(t.Context(), want, engine.CreateOptions{}); err != nil {
			t.Fatal(err)
		}
		for _, marks := range []engine.Marks{{Owner: "them", Creating: true}, {Owner: "us"}} {
			have, err := e.Observe(t.Context(), e.Key(want.Spec))
			if err != nil {
				t.Fatal(err)
			}
			want.Marks = marks
			if err := client.Update(t.Context(), have, want, nil); err != nil {
				t.Errorf("mark as %+v: %v", marks, err)
			}
		}
		if have, err := e.Observe(t.Context(), e.Key(want.Spec)); err != nil || have.Marks.Owner != "us" || have.Marks.Creating {
			t.Errorf("marks: %+v, %v", have.Marks, err)
		}
	})
}

// namespaceLife creates and deletes a namespace. Again is what a repeated create of
// ours does; "" where the platform keeps no marks and it is refused.
func namespaceLife(t *testing.T, client engine.Client[spec.Namespace], again engine.Action) {
	t.Helper()
	e := catalog.Namespace().Engine(client)
	want := engine.Object[spec.Namespace]{Spec: spec.Namespace{Tenant: "public", Name: "fm-life"}, Marks: engine.Marks{Owner: "us"}}
	other, orphan := want, want
	other.Marks.Owner, orphan.Spec.Tenant = "them", "nowhere"
	if err := e.Delete(t.Context(), e.Key(want.Spec), engine.DeleteOptions{}); err != nil {
		t.Fatal(err)
	}
	if out, err := e.Create(t.Context(), want, engine.CreateOptions{}); err != nil || !out.Observed.Found {
		t.Fatalf("create: %q %v", out.Action, err)
	}
	out, err := e.Create(t.Context(), want, engine.CreateOptions{})
	if out.Action != again && !engine.Is(err, engine.Exists) {
		t.Errorf("create again: %q %v, want %q", out.Action, err, again)
	}
	if _, err := e.Create(t.Context(), other, engine.CreateOptions{}); !engine.Is(err, engine.Exists) {
		t.Errorf("a second owner: %v", err)
	}
	if _, err := e.Create(t.Context(), other, engine.CreateOptions{Adopt: true}); err != nil {
		t.Errorf("adopt: %v", err)
	}
	if _, err := e.Create(t.Context(), orphan, engine.CreateOptions{}); !engine.Is(err, engine.NotFound) {
		t.Errorf("without a tenant: %v", err)
	}
	if _, err := e.Observe(t.Context(), e.Key(orphan.Spec)); !engine.Is(err, engine.NotFound) {
		t.Errorf("observe without a tenant: %v", err)
	}
	for range 2 {
		if err := e.Delete(t.Context(), e.Key(want.Spec), engine.DeleteOptions{Force: true}); err != nil {
			t.Errorf("delete: %v", err)
		}
	}
}

func TestTenantConformance(t *testing.T) {
	networks(t, func(t *testing.T, network string) {
		var last *platform
		enginetest.Run(t, enginetest.Suite[spec.Tenant]{
			New: func(t *testing.T) engine.Client[spec.Tenant] {
				last = start(t, network)
				return last.clients.Tenants
			},
			Engine:  catalog.Tenant().Engine,
			Want:    spec.Tenant{Name: "acme", AdminRoles: []string{"a"}},
			Changed: spec.Tenant{Name: "acme", AdminRoles: []string{"a", "b"}, AllowedClusters: []string{"c"}},
			Faults:  func(engine.Client[spec.Tenant]) enginetest.Faults { return last.tenants },
		})
	})
}

func TestComponentConformance(t *testing.T) {
	file := filepath.Join(t.TempDir(), "f.wasm")
	if err := os.WriteFile(file, []byte("code"), 0o600); err != nil {
		t.Fatal(err)
	}
	sum := sha256.Sum256([]byte("code"))
	code := func() *spec.Code { return &spec.Code{File: file, SHA256: hex.EncodeToString(sum[:])} }
	base := spec.Component{Tenant: "public", Namespace: "default", Name: "c"}
	function, source, sink := base, base, base
	function.Runtime, function.Inputs = &spec.Runtime{WASM: code()}, map[string]spec.Input{"in": {}}
	source.Builtin, source.Config, source.Output = "generator", `{"rate":1}`, &spec.Output{Topic: "out"}
	sink.Builtin, sink.Config, sink.Inputs = "file", `{"path":"p"}`, map[string]spec.Input{"in": {}}
	for kind, want := range map[spec.Kind]spec.Component{
		spec.KindFunction: function, spec.KindSource: source, spec.KindSink: sink,
	} {
		t.Run(string(kind), func(t *testing.T) {
			networks(t, func(t *testing.T, network string) {
				var last *platform
				changed := want.Clone()
				changed.Parallelism = new(3)
				changed.Resources = &spec.Resources{CPU: "0.5", Memory: "1024Mi"}
				changed.ProcessingGuarantees = spec.AtMostOnce
				if kind == spec.KindFunction {
					changed.UserConfig = `{"region":"eu"}`
				}
				orphan := want.Clone()
				orphan.Tenant = "nowhere"
				enginetest.Run(t, enginetest.Suite[spec.Component]{
					New: func(t *testing.T) engine.Client[spec.Component] {
						last = start(t, network)
						return last.clients.Components[kind]
					},
					Engine: catalog.Component(kind).Engine,
					Want:   want, Changed: changed, Orphan: &orphan,
					Faults: func(engine.Client[spec.Component]) enginetest.Faults { return last.components[kind] },
				})
			})
		})
	}
}
