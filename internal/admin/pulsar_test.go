package admin_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/functionmesh/terraform-provider-functionmesh/internal/admin"
	"github.com/functionmesh/terraform-provider-functionmesh/internal/catalog"
	"github.com/functionmesh/terraform-provider-functionmesh/internal/engine"
	"github.com/functionmesh/terraform-provider-functionmesh/internal/engine/enginetest"
	"github.com/functionmesh/terraform-provider-functionmesh/internal/spec"
	"github.com/functionmesh/terraform-provider-functionmesh/runner/broker/pulsar/pulsartest"
)

// realPulsar is the Pulsar that the environment names, with a namespace for the test
// alone. Its name is new: a broker takes a while to forget one that was deleted.
func realPulsar(t *testing.T) (clients catalog.Clients, namespace string) {
	t.Helper()
	namespace = fmt.Sprintf("fm-%d", time.Now().UnixNano())
	url := pulsartest.Need(t).AdminURL
	clients, err := admin.New(admin.Options{URL: url, Timeout: time.Minute})
	if err != nil {
		t.Fatal(err)
	}
	e := catalog.Namespace().Engine(clients.Namespaces)
	s := spec.Namespace{Tenant: "public", Name: namespace}
	if _, err := e.Create(t.Context(), engine.Object[spec.Namespace]{Spec: s}, engine.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := e.Delete(context.WithoutCancel(t.Context()), catalog.Namespace().Key(s), engine.DeleteOptions{Force: true}); err != nil {
			t.Errorf("delete the namespace: %v", err)
		}
	})
	return clients, namespace
}

func TestPulsarHoldsTopics(t *testing.T) {
	clients, namespace := realPulsar(t)
	topic := spec.Topic{Tenant: "public", Namespace: namespace, Name: "orders é", Partitions: new(2), Properties: map[string]string{"a": "1"}}
	changed := topic.Clone()
	changed.Properties = map[string]string{"a": "2", "b": "x y"}
	orphan := topic.Clone()
	orphan.Tenant = "nowhere"
	enginetest.Run(t, enginetest.Suite[spec.Topic]{
		New: func(t *testing.T) engine.Client[spec.Topic] {
			e := catalog.Topic().Engine(clients.Topics)
			if err := e.Delete(t.Context(), catalog.Topic().Key(topic), engine.DeleteOptions{Force: true}); err != nil {
				t.Fatal(err)
			}
			return clients.Topics
		},
		Engine: catalog.Topic().Engine,
		Want:   topic, Changed: changed, Orphan: &orphan,
	})
}

func TestPulsarHoldsNamespaces(t *testing.T) {
	clients, _ := realPulsar(t)
	namespaceLife(t, clients.Namespaces, "")
}

func TestPulsarHoldsTenants(t *testing.T) {
	clients, _ := realPulsar(t)
	public, err := clients.Tenants.Observe(t.Context(), engine.Key{Kind: "tenant", Name: "public"})
	if err != nil {
		t.Fatal(err)
	}
	clusters := public.Spec.AllowedClusters
	enginetest.Run(t, enginetest.Suite[spec.Tenant]{
		New: func(t *testing.T) engine.Client[spec.Tenant] {
			e := catalog.Tenant().Engine(clients.Tenants)
			if err := e.Delete(t.Context(), engine.Key{Kind: "tenant", Name: "fm-acme"}, engine.DeleteOptions{Force: true}); err != nil {
				t.Fatal(err)
			}
			return clients.Tenants
		},
		Engine:  catalog.Tenant().Engine,
		Want:    spec.Tenant{Name: "fm-acme", AdminRoles: []string{"a"}, AllowedClusters: clusters},
		Changed: spec.Tenant{Name: "fm-acme", AdminRoles: []string{"a", "b"}, AllowedClusters: clusters},
	})
}

// A topic that the broker made on first use becomes ours; one that cannot become what
// is wanted says how to order the creation.
func TestPulsarTopicsMadeOnFirstUseAreClaimed(t *testing.T) {
	clients, namespace := realPulsar(t)
	e := catalog.Topic().Engine(clients.Topics)
	object := func(name string, partitions *int, owner string) engine.Object[spec.Topic] {
		return engine.Object[spec.Topic]{
			Spec:  spec.Topic{Tenant: "public", Namespace: namespace, Name: name, Partitions: partitions},
			Marks: engine.Marks{Owner: owner},
		}
	}
	for _, partitions := range []*int{nil, new(2)} {
		for _, owner := range []string{"", "us"} {
			if _, err := clients.Topics.Create(t.Context(), object("made", partitions, owner)); err != nil {
				t.Fatalf("partitions %v, owner %q: %v", partitions, owner, err)
			}
		}
		if _, err := clients.Topics.Create(t.Context(), object("made", partitions, "them")); !engine.Is(err, engine.Exists) {
			t.Errorf("a topic of ours was taken: %v", err)
		}
		if err := e.Delete(t.Context(), catalog.Topic().Key(object("made", nil, "").Spec), engine.DeleteOptions{}); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := clients.Topics.Create(t.Context(), object("plain", nil, "")); err != nil {
		t.Fatal(err)
	}
	for _, opts := range []engine.CreateOptions{{}, {Adopt: true}} { // neither of which could help
		var told *engine.Error
		if _, err := e.Create(t.Context(), object("plain", new(2), "us"), opts); !errors.As(err, &told) || told.Class != engine.Immutable || told.Path != "partitions" {
			t.Errorf("adopt %v: got %v, want class %q at partitions", opts.Adopt, err, engine.Immutable)
		}
	}
}

// The functions are those of Pulsar's own jar of examples: that of its distribution, or
// the one that FUNCTIONMESH_TEST_PULSAR_JAR names.
func TestPulsarHoldsFunctions(t *testing.T) {
	jar := os.Getenv("FUNCTIONMESH_TEST_PULSAR_JAR")
	if dist := os.Getenv("TESTPULSAR_DIST"); jar == "" && dist != "" {
		jar = filepath.Join(dist, "examples", "api-examples.jar")
	}
	if jar == "" {
		t.Skip("neither FUNCTIONMESH_TEST_PULSAR_JAR nor TESTPULSAR_DIST leads to a jar")
	}
	clients, namespace := realPulsar(t)
	entity := catalog.Component(spec.KindFunction)
	e := entity.Engine(clients.Components[spec.KindFunction])
	want := engine.Object[spec.Component]{Marks: engine.Marks{Owner: "us"}, Spec: spec.Component{
		Tenant: "public", Namespace: namespace, Name: fmt.Sprintf("f%d", time.Now().UnixNano()), // a Pulsar keeps packages of deleted functions
		Runtime: &spec.Runtime{Java: &spec.Code{File: jar, Class: "org.apache.pulsar.functions.api.examples.ExclamationFunction"}},
		Inputs:  map[string]spec.Input{"in": {}}, Output: &spec.Output{Topic: "out"}, UserConfig: `{"a":"b"}`,
	}}
	out, err := e.Create(t.Context(), want, engine.CreateOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if out.Observed.Marks.Owner != "us" || out.Observed.Platform == "" {
		t.Errorf("observed: %+v on %q", out.Observed.Marks, out.Observed.Platform)
	}
	if have, err := e.Wait(t.Context(), entity.Key(want.Spec), nil); err != nil {
		t.Fatalf("%v, status %+v", err, have.Status)
	}
	if _, err := e.Create(t.Context(), engine.Object[spec.Component]{Spec: want.Spec, Marks: engine.Marks{Owner: "them"}}, engine.CreateOptions{}); !engine.Is(err, engine.Exists) {
		t.Errorf("a second create: %v", err)
	}
	want.Spec.Runtime.Java.SHA256 = out.Observed.Marks.Digest
	if out, err = e.Converge(t.Context(), want); err != nil || out.Action != engine.None {
		t.Errorf("converge of no difference: %q %+v %v", out.Action, out.Changes, err)
	}
	want.Spec.Parallelism = new(2)
	if out, err = e.Converge(t.Context(), want); err != nil || out.Action != engine.Updated || out.Observed.Marks.Owner != "us" {
		t.Errorf("converge: %q %+v %v", out.Action, out.Observed.Marks, err)
	}
	want.Spec.State = spec.StateStopped
	if out, err = e.Converge(t.Context(), want); err != nil {
		t.Errorf("stop: %q %+v %v", out.Action, out.Changes, err)
	}
	listed, err := clients.Components[spec.KindFunction].(engine.Lister[spec.Component]).List(t.Context(), entity.Key(want.Spec))
	if err != nil || len(listed) != 1 {
		t.Errorf("list: %d, %v", len(listed), err)
	}
	if err := e.Delete(t.Context(), entity.Key(want.Spec), engine.DeleteOptions{}); err != nil {
		t.Errorf("delete: %v", err)
	}
}
