//go:build linux || darwin

package platform_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/functionmesh/terraform-provider-functionmesh/internal/engine"
	"github.com/functionmesh/terraform-provider-functionmesh/internal/local/connection"
	"github.com/functionmesh/terraform-provider-functionmesh/internal/local/platform"
	"github.com/functionmesh/terraform-provider-functionmesh/internal/spec"
	"github.com/functionmesh/terraform-provider-functionmesh/internal/wire"
)

// fakePulsar answers as a Pulsar's administration would and notes what it was asked.
type fakePulsar struct {
	mu         sync.Mutex
	partitions map[string]int
	fails      map[string]error // by verb
	noRepeats  bool             // deduplication is on
	did        []string
}

func (f *fakePulsar) note(verb, format string, args ...any) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if err := f.fails[verb]; err != nil {
		return err
	}
	f.did = append(f.did, verb+" "+fmt.Sprintf(format, args...))
	return nil
}

func (f *fakePulsar) fail(verb string, err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.fails = map[string]error{verb: err}
}

// asked returns and forgets what was asked by the verbs.
func (f *fakePulsar) asked(verbs ...string) []string {
	f.mu.Lock()
	defer f.mu.Unlock()
	var found []string
	for _, d := range f.did {
		var verb string
		_, _ = fmt.Sscan(d, &verb)
		if slices.Contains(verbs, verb) {
			found = append(found, d)
		}
	}
	f.did = nil
	return found
}

func (f *fakePulsar) EnsureTopic(_ context.Context, topic string) (int, error) {
	return f.partitions[topic], f.note("topic", "%s", topic)
}

func (f *fakePulsar) Subscribe(_ context.Context, topic, name string, earliest bool) error {
	return f.note("subscribe", "%s %s %v", topic, name, earliest)
}

func (f *fakePulsar) Unsubscribe(_ context.Context, topic, name string) error {
	return f.note("unsubscribe", "%s %s", topic, name)
}

func (f *fakePulsar) Seek(_ context.Context, topic, name, to string) error {
	return f.note("seek", "%s %s %s", topic, name, to)
}

func (f *fakePulsar) Deduplicates(_ context.Context, topic string) (on, known bool, err error) {
	return f.noRepeats, true, f.note("deduplicates", "%s", topic)
}

var errAway = engine.New(engine.Unavailable, errors.New("the Pulsar is away"))

// withPulsar is a platform beside a Pulsar, and the mark that puts streams there.
func withPulsar(t *testing.T) (*platform.Platform, *fakePulsar, string) {
	t.Helper()
	p, f := newPlatform(t), &fakePulsar{partitions: map[string]int{full("in"): 3}}
	p.Clusters = func(wire.Broker) (platform.Cluster, error) { return f, nil }
	key, err := p.Connections.Put(connection.Connection{ServiceURL: "pulsar://p:6650", AdminURL: "http://p:8080", Token: spec.NewSecret("t0ken")})
	must(t, err)
	return p, f, fmt.Sprintf(`{"":%q}`, key)
}

func connected(s spec.Component, connections string) engine.Object[spec.Component] {
	o := object(s)
	o.Marks.Connections = connections
	return o
}

// wireOf waits for the file of an instance that ok accepts.
func wireOf(t *testing.T, p *platform.Platform, name string, ok func(wire.File) bool) wire.File {
	t.Helper()
	at := filepath.Join(filepath.Dir(p.RunDir), "instances", "function", "public", "default", name, "0", "wire.json")
	var f wire.File
	for end := time.Now().Add(3 * time.Minute); time.Now().Before(end); time.Sleep(5 * time.Millisecond) {
		f = wire.File{}
		if text, err := os.ReadFile(at); err == nil && json.Unmarshal(text, &f) == nil && ok(f) {
			return f
		}
	}
	t.Fatalf("waited in vain for the wire file, last %+v", f)
	return f
}

func any1(wire.File) bool { return true }

func TestPulsarHasStreamsBeforeTheComponentCounts(t *testing.T) {
	p, f, connections := withPulsar(t)
	c := function(t, "f")
	c.Namespace = "default"
	have, err := components(p, spec.KindFunction).Create(t.Context(), connected(c, connections))
	must(t, err)
	if have.Platform != p.Store.ID() {
		t.Errorf("it lives on %q, want the daemon", have.Platform)
	}
	dead := full("in-public-default-f-DLQ")
	want := []string{"topic " + full("in"), "topic " + full("out"), "topic " + dead, "subscribe " + full("in") + " public/default/f false", "subscribe " + dead + " functionmesh-redrive true"}
	if diff := cmp.Diff(want, f.asked("topic", "subscribe")); diff != "" {
		t.Error(diff)
	}
	told := wireOf(t, p, "f", any1)
	if b := told.Brokers[""]; b.Kind != wire.KindPulsar || b.URL != "pulsar://p:6650" || b.Token != "" || b.TokenFile == "" {
		t.Errorf("the broker is %+v", b)
	}
	if in := told.Source.Inputs[0]; in.Partitions != 3 || told.Path != wire.EntryPath || told.PathNote == "" {
		t.Errorf("input %+v, path %q because %q", in, told.Path, told.PathNote)
	}
	if _, ok, err := p.Broker.Topic(t.Context(), full("in")); ok || err != nil {
		t.Errorf("the embedded broker has the topic: %v, %v", ok, err)
	}
}

func TestPulsarThatFailsLeavesNothingDeclared(t *testing.T) {
	for name, tc := range map[string]struct {
		verb  string
		fails error
		class engine.Class
		path  string
	}{
		"Away":      {"topic", errAway, engine.Unavailable, `inputs["` + full("in") + `"]`},
		"NoTopic":   {"topic", engine.New(engine.NotFound, errors.New("none")), engine.Invalid, `inputs["` + full("in") + `"]`},
		"Forbidden": {"subscribe", engine.New(engine.Forbidden, errors.New("no")), engine.Forbidden, `inputs["` + full("in") + `"]`},
	} {
		t.Run(name, func(t *testing.T) {
			p, f, connections := withPulsar(t)
			f.fail(tc.verb, tc.fails)
			_, err := components(p, spec.KindFunction).Create(t.Context(), connected(function(t, "f"), connections))
			if engine.ClassOf(err) != tc.class || pathOf(err) != tc.path {
				t.Errorf("%v: class %q at %q, want %q at %q", err, engine.ClassOf(err), pathOf(err), tc.class, tc.path)
			}
			if n, err := p.Declared(); n != 0 || err != nil {
				t.Errorf("%d components are declared, %v", n, err)
			}
		})
	}
}

func TestPulsarMustDeduplicateForEffectivelyOnce(t *testing.T) {
	p, f, connections := withPulsar(t)
	c := function(t, "f")
	c.ProcessingGuarantees = spec.EffectivelyOnce
	_, err := components(p, spec.KindFunction).Create(t.Context(), connected(c, connections))
	if !engine.Is(err, engine.Invalid) || pathOf(err) != "processing_guarantees" {
		t.Fatalf("%v at %q", err, pathOf(err))
	}
	f.noRepeats = true
	_, err = components(p, spec.KindFunction).Create(t.Context(), connected(c, connections))
	must(t, err)
}

func TestPulsarSeekRaisesTheEpoch(t *testing.T) {
	p, f, connections := withPulsar(t)
	_, err := components(p, spec.KindFunction).Create(t.Context(), connected(function(t, "f"), connections))
	must(t, err)
	wireOf(t, p, "f", any1)
	f.asked()
	must(t, act(t, p, "seek", map[string]string{"to": "nowhere"}), engine.Invalid)
	must(t, act(t, p, "seek", map[string]string{"to": "earliest"}))
	if diff := cmp.Diff([]string{"seek " + full("in") + " public/default/f earliest"}, f.asked("seek")); diff != "" {
		t.Error(diff)
	}
	wireOf(t, p, "f", func(f wire.File) bool { return f.Delivery.Epoch == 1 })
	f.fail("seek", errAway)
	must(t, act(t, p, "seek", map[string]string{"to": "latest"}), engine.Unavailable)
	if n := p.Supervisor.Running(); n > 1 {
		t.Errorf("%d instances run", n)
	}
	have, err := components(p, spec.KindFunction).Observe(t.Context(), engine.Key{Kind: "function", Tenant: "public", Namespace: "default", Name: "f"})
	if err != nil || have.Status.Wanted != 1 {
		t.Errorf("after a failed seek %+v, %v: it must run again", have.Status, err)
	}
}

func TestEmbeddedSubscriptionsAreNotMoved(t *testing.T) {
	p := newPlatform(t)
	create(t, components(p, spec.KindFunction), function(t, "f"))
	must(t, act(t, p, "seek", map[string]string{"to": "earliest"}), engine.Invalid)
}

// Instances wait for a Pulsar by themselves; what never ran waits for it here.
func TestPulsarThatIsAwayWhenTheDaemonStarts(t *testing.T) {
	p, f, connections := withPulsar(t)
	_, err := components(p, spec.KindFunction).Create(t.Context(), connected(function(t, "f"), connections))
	must(t, err)
	key := engine.Key{Kind: "function", Tenant: "public", Namespace: "default", Name: "f"}
	f.fail("topic", errAway)
	must(t, p.Restore(t.Context()))
	if st := p.Supervisor.Status(key); st.Wanted != 1 {
		t.Errorf("status %+v: it runs without the Pulsar's administration", st)
	}
	kept, err := p.Connections.All()
	must(t, err)
	must(t, p.Connections.Delete(kept[0].Key))
	must(t, p.Restore(t.Context()))
	have, err := components(p, spec.KindFunction).Observe(t.Context(), key)
	if err != nil || have.Status.Phase != engine.Progressing || have.Status.Reason != "Waiting" {
		t.Fatalf("without its connection: %+v, %v", have.Status, err)
	}
	f.fail("", nil)
	_, err = p.Connections.Put(connection.Connection{ServiceURL: "pulsar://p:6650", AdminURL: "http://p:8080", Token: spec.NewSecret("new")})
	must(t, err)
	must(t, p.Tidy(t.Context()))
	if have, err = components(p, spec.KindFunction).Observe(t.Context(), key); err != nil || have.Status.Reason == "Waiting" {
		t.Errorf("with its connection again: %+v, %v", have.Status, err)
	}
}

func TestPulsarSubscriptionsGoWhereAskedFor(t *testing.T) {
	p, f, connections := withPulsar(t)
	c := function(t, "f")
	c.CleanupSubscription = new(true)
	client := components(p, spec.KindFunction)
	have, err := client.Create(t.Context(), connected(c, connections))
	must(t, err)
	f.asked()
	must(t, client.Delete(t.Context(), have, engine.DeleteOptions{}))
	if diff := cmp.Diff([]string{"unsubscribe " + full("in") + " public/default/f"}, f.asked("unsubscribe")); diff != "" {
		t.Error(diff)
	}
}

// The same subscription at two clusters is two subscriptions.
func TestTwoConnectionsDoNotMeet(t *testing.T) {
	p, _, one := withPulsar(t)
	key, err := p.Connections.Put(connection.Connection{ServiceURL: "pulsar://q:6650", AdminURL: "http://q:8080"})
	must(t, err)
	two := fmt.Sprintf(`{"":%q}`, key)
	sub := &spec.Subscription{Name: "s"}
	for name, connections := range map[string]string{"a": one, "b": two, "d": ""} {
		c := function(t, name)
		c.Subscription = sub
		_, err := components(p, spec.KindFunction).Create(t.Context(), connected(c, connections))
		must(t, err)
	}
	c := function(t, "c")
	c.Subscription = sub
	_, err = components(p, spec.KindFunction).Create(t.Context(), connected(c, one))
	must(t, err, engine.Invalid)
}

func TestConnectionsAreKeptWhileUsed(t *testing.T) {
	p, _, connections := withPulsar(t)
	client := components(p, spec.KindFunction)
	have, err := client.Create(t.Context(), connected(function(t, "f"), connections))
	must(t, err)
	all, err := p.Connections.All()
	must(t, err)
	key := all[0].Key
	age := func() {
		old := time.Now().Add(-24 * time.Hour)
		must(t, os.Chtimes(filepath.Join(filepath.Dir(p.RunDir), "connections", key+".json"), old, old))
		must(t, p.Tidy(t.Context()))
	}
	age()
	if _, err := p.Connections.Get(key); err != nil {
		t.Errorf("used: %v", err)
	}
	must(t, p.DeleteConnection(key), engine.Conflict)
	must(t, client.Delete(t.Context(), have, engine.DeleteOptions{}))
	age()
	if _, err := p.Connections.Get(key); !errors.Is(err, connection.ErrUnknown) || len(p.Connections.Secrets()) > 0 {
		t.Errorf("unused and old: %v, secrets left %d", err, len(p.Connections.Secrets()))
	}
}

func TestRemoteCallersChooseNoConnection(t *testing.T) {
	p, _, connections := withPulsar(t)
	c := spec.Component{Kind: spec.KindSink, Name: "s", Builtin: "file", Config: `{"path":"x"}`, Inputs: map[string]spec.Input{"in": {}}}
	_, err := p.Clients(true).Components[spec.KindSink].Create(t.Context(), connected(c, connections))
	must(t, err, engine.Forbidden)
}
