//go:build linux || darwin

package platform_test

import (
	"log/slog"
	"os"
	"path/filepath"
	"testing"

	"github.com/functionmesh/terraform-provider-functionmesh/internal/catalog"
	"github.com/functionmesh/terraform-provider-functionmesh/internal/engine"
	"github.com/functionmesh/terraform-provider-functionmesh/internal/engine/enginetest"
	"github.com/functionmesh/terraform-provider-functionmesh/internal/local/broker"
	"github.com/functionmesh/terraform-provider-functionmesh/internal/local/code"
	"github.com/functionmesh/terraform-provider-functionmesh/internal/local/connection"
	"github.com/functionmesh/terraform-provider-functionmesh/internal/local/platform"
	"github.com/functionmesh/terraform-provider-functionmesh/internal/local/store"
	"github.com/functionmesh/terraform-provider-functionmesh/internal/local/supervisor"
	"github.com/functionmesh/terraform-provider-functionmesh/internal/spec"
)

// TestMain lets the test binary stand for an instance that waits until it is drained.
func TestMain(m *testing.M) {
	if len(os.Args) > 1 && os.Args[1] == "run" {
		_, _ = os.Stdin.Read(make([]byte, 1))
		return
	}
	os.Exit(m.Run())
}

// must fails the test unless err is of the wanted class; without one: unless it is nil.
func must(t *testing.T, err error, want ...engine.Class) {
	t.Helper()
	if len(want) == 0 && err != nil || len(want) > 0 && !engine.Is(err, want[0]) {
		t.Fatalf("%v, want class %q", err, want)
	}
}

func newPlatform(t *testing.T) *platform.Platform {
	t.Helper()
	dir := t.TempDir()
	exe, err := os.Executable()
	must(t, err)
	sockets, err := os.MkdirTemp("/tmp", "fmp") //nolint:usetesting // paths of sockets must be short
	must(t, err)
	t.Cleanup(func() { must(t, os.RemoveAll(sockets)) })
	log := slog.New(slog.DiscardHandler)
	s, err := store.Open(dir)
	must(t, err)
	t.Cleanup(func() { must(t, s.Close()) })
	b, err := broker.Start(t.Context(), broker.Options{Dir: filepath.Join(dir, "broker"), User: "u", Password: spec.NewSecret("broker-password"), Platform: s.ID(), Log: log})
	must(t, err)
	t.Cleanup(b.Close)
	p := &platform.Platform{
		Connections: connection.NewStore(filepath.Join(dir, "connections")),
		Store:       s, Broker: b, Code: code.New(filepath.Join(dir, "code"), s.Packages), Log: log,
		BaseDir: filepath.Join(dir, "files"), RunDir: filepath.Join(dir, "runs"),
	}
	p.Supervisor = supervisor.New(supervisor.Options{
		Binary: exe, Dir: filepath.Join(dir, "instances"), Sockets: sockets, Secrets: p.Secrets, Log: log,
	})
	t.Cleanup(p.Supervisor.Close)
	return p
}

func suite[S any](entity catalog.Entity[S], pick func(catalog.Clients) engine.Client[S], want, changed S, orphan *S) enginetest.Suite[S] {
	return enginetest.Suite[S]{
		New:    func(t *testing.T) engine.Client[S] { t.Helper(); return pick(newPlatform(t).Clients(false)) },
		Engine: entity.Engine,
		Want:   want, Changed: changed, Orphan: orphan,
	}
}

//go:fix inline
func TestTenantConformance(t *testing.T) {
	enginetest.Run(t, suite(catalog.Tenant(), func(c catalog.Clients) engine.Client[spec.Tenant] { return c.Tenants },
		spec.Tenant{Name: "acme", AdminRoles: []string{"a"}}, spec.Tenant{Name: "acme", AdminRoles: []string{"b"}, AllowedClusters: []string{"c"}}, nil))
}

func TestTopicConformance(t *testing.T) {
	enginetest.Run(t, suite(catalog.Topic(), func(c catalog.Clients) engine.Client[spec.Topic] { return c.Topics },
		spec.Topic{Name: "orders", Properties: map[string]string{"a": "1"}}, spec.Topic{Name: "orders", Properties: map[string]string{"a": "2", "b": "3"}},
		&spec.Topic{Namespace: "nowhere", Name: "orders"}))
}

func codeFile(t *testing.T, text string) spec.Code {
	t.Helper()
	file := filepath.Join(t.TempDir(), "f.py")
	must(t, os.WriteFile(file, []byte(text), 0o600))
	return spec.Code{File: file, Class: "f.F"}
}

func function(t *testing.T, name string) spec.Component {
	t.Helper()
	c := codeFile(t, "def process(x): return x")
	return spec.Component{
		Kind: spec.KindFunction, Name: name, Runtime: &spec.Runtime{Python: &c},
		Inputs: map[string]spec.Input{"in": {}}, Output: &spec.Output{Topic: "out"},
	}
}

func TestComponentConformance(t *testing.T) {
	pick := func(kind spec.Kind) func(catalog.Clients) engine.Client[spec.Component] {
		return func(c catalog.Clients) engine.Client[spec.Component] { return c.Components[kind] }
	}
	changed := function(t, "f")
	changed.Parallelism, changed.MaxMessageRetries, changed.Inputs = new(2), new(5), map[string]spec.Input{"in": {}, "more": {}}
	changed.RetainOrdering, changed.State = new(true), spec.StateStopped
	orphan := function(t, "f")
	orphan.Namespace = "nowhere"
	t.Run("Function", func(t *testing.T) {
		enginetest.Run(t, suite(catalog.Component(spec.KindFunction), pick(spec.KindFunction), function(t, "f"), changed, &orphan))
	})
	source := spec.Component{Kind: spec.KindSource, Name: "s", Builtin: "generator", Output: &spec.Output{Topic: "out"}}
	faster := source.Clone()
	faster.Config, faster.Parallelism = `{"rate":5}`, new(3)
	t.Run("Source", func(t *testing.T) {
		enginetest.Run(t, suite(catalog.Component(spec.KindSource), pick(spec.KindSource), source, faster, nil))
	})
	sink := spec.Component{Kind: spec.KindSink, Name: "s", Builtin: "file", Config: `{"path":"x"}`, Inputs: map[string]spec.Input{"in": {}}}
	other := sink.Clone()
	other.Config, other.DeadLetterTopic = `{"path":"y"}`, "dead"
	t.Run("Sink", func(t *testing.T) {
		enginetest.Run(t, suite(catalog.Component(spec.KindSink), pick(spec.KindSink), sink, other, nil))
	})
}
