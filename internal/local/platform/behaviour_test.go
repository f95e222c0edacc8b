//go:build linux || darwin

package platform_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/functionmesh/terraform-provider-functionmesh/internal/catalog"
	"github.com/functionmesh/terraform-provider-functionmesh/internal/engine"
	"github.com/functionmesh/terraform-provider-functionmesh/internal/local/broker"
	"github.com/functionmesh/terraform-provider-functionmesh/internal/local/platform"
	"github.com/functionmesh/terraform-provider-functionmesh/internal/spec"
)

func object[S any](s S) engine.Object[S] {
	return engine.Object[S]{Spec: s, Marks: engine.Marks{Owner: "test"}}
}

func create[S any](t *testing.T, c engine.Client[S], s S) engine.Observed[S] {
	t.Helper()
	have, err := c.Create(t.Context(), object(s))
	must(t, err)
	return have
}

func components(p *platform.Platform, kind spec.Kind) engine.Client[spec.Component] {
	return p.Clients(false).Components[kind]
}

func full(name string) string { return "persistent://public/default/" + name }

func fileSink(name string) spec.Component {
	return spec.Component{Kind: spec.KindSink, Name: name, Builtin: "file", Config: `{"path":"x"}`, Inputs: map[string]spec.Input{"in": {}}}
}

func TestParentsMustExistAndBeEmpty(t *testing.T) {
	p := newPlatform(t)
	c := p.Clients(false)
	ns := spec.Namespace{Tenant: "acme", Name: "shop"}
	if _, err := c.Namespaces.Create(t.Context(), object(ns)); !engine.Is(err, engine.NotFound) {
		t.Errorf("namespace without its tenant: %v, want not found", err)
	}
	tenant := create(t, c.Tenants, spec.Tenant{Name: "acme"})
	namespace := create(t, c.Namespaces, ns)
	if _, err := c.Namespaces.Create(t.Context(), object(ns)); !engine.Is(err, engine.Exists) {
		t.Errorf("namespace twice: %v, want exists", err)
	}
	create(t, c.Topics, spec.Topic{Tenant: "acme", Namespace: "shop", Name: "orders"})
	sink := fileSink("s")
	sink.Tenant, sink.Namespace = "acme", "shop"
	create(t, c.Components[spec.KindSink], sink)
	if err := c.Tenants.Delete(t.Context(), tenant, engine.DeleteOptions{}); !engine.Is(err, engine.Conflict) {
		t.Errorf("delete of a tenant in use: %v, want conflict", err)
	}
	if err := c.Namespaces.Delete(t.Context(), namespace, engine.DeleteOptions{}); !engine.Is(err, engine.Conflict) {
		t.Errorf("delete of a namespace in use: %v, want conflict", err)
	}
	must(t, c.Tenants.Delete(t.Context(), tenant, engine.DeleteOptions{Force: true}))
	topics, err := p.Broker.Topics(t.Context(), "persistent://acme/")
	if n, declaredErr := p.Declared(); len(topics) != 0 || n != 0 || err != nil || declaredErr != nil {
		t.Errorf("after a forced delete: topics %v, %d components, %v, %v", topics, n, err, declaredErr)
	}
}

func TestTopicMadeForAComponentIsClaimed(t *testing.T) {
	cases := map[string]struct {
		partitions *int
		class      engine.Class
	}{
		"Unpartitioned": {},
		"Partitioned":   {partitions: new(3), class: engine.Immutable},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			p := newPlatform(t)
			create(t, components(p, spec.KindSink), fileSink("s"))
			topic := spec.Topic{Name: "in", Partitions: tc.partitions, Properties: map[string]string{"a": "b"}}
			_, err := p.Clients(false).Topics.Create(t.Context(), object(topic))
			if got := engine.ClassOf(err); got != tc.class {
				t.Fatalf("%v: class %q, want %q", err, got, tc.class)
			}
			if tc.class != "" {
				return
			}
			_, err = p.Clients(false).Topics.Create(t.Context(), object(topic))
			if !engine.Is(err, engine.Exists) {
				t.Errorf("second create: %v, want exists", err)
			}
		})
	}
}

func TestTopicInUseIsKept(t *testing.T) {
	p := newPlatform(t)
	topics := p.Clients(false).Topics
	have := create(t, topics, spec.Topic{Name: "in"})
	create(t, components(p, spec.KindSink), fileSink("s"))
	if err := topics.Delete(t.Context(), have, engine.DeleteOptions{}); !engine.Is(err, engine.Conflict) {
		t.Errorf("%v, want conflict", err)
	}
	must(t, topics.Delete(t.Context(), have, engine.DeleteOptions{Force: true}))
}

func TestSubscriptionOutlivesAComponentUnlessAsked(t *testing.T) {
	cases := map[string]struct {
		cleanup *bool
		want    int
	}{
		"ByDefault": {want: 1},
		"No":        {cleanup: new(false), want: 1},
		"Yes":       {cleanup: new(true), want: 0},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			p := newPlatform(t)
			c := components(p, spec.KindSink)
			s := fileSink("s")
			s.CleanupSubscription = tc.cleanup
			have := create(t, c, s)
			must(t, c.Delete(t.Context(), have, engine.DeleteOptions{}))
			if n, err := p.Broker.Subscriptions(t.Context(), full("in")); n != tc.want || err != nil {
				t.Errorf("%d subscriptions, %v, want %d", n, err, tc.want)
			}
		})
	}
}

func TestRefusals(t *testing.T) {
	cases := map[string]struct {
		change func(*spec.Component)
		class  engine.Class
		path   string
	}{
		"EffectivelyOnce":  {change: func(c *spec.Component) { c.ProcessingGuarantees = spec.EffectivelyOnce }, class: engine.Invalid, path: "processing_guarantees"},
		"NoNamespace":      {change: func(c *spec.Component) { c.Namespace = "nowhere" }, class: engine.NotFound},
		"TopicElsewhere":   {change: func(c *spec.Component) { c.Output.Topic = "public/nowhere/out" }, class: engine.Invalid, path: "output.topic"},
		"MissingSecret":    {change: func(c *spec.Component) { c.Secrets = map[string]spec.SecretRef{"KEY": {Name: "a", Key: "b"}} }, class: engine.Invalid, path: `secrets["KEY"]`},
		"WrongDigest":      {change: func(c *spec.Component) { c.Runtime.Python.SHA256 = digest }, class: engine.Invalid, path: "runtime.python.sha256"},
		"SubscriptionUsed": {change: func(c *spec.Component) { c.Subscription = &spec.Subscription{Name: "taken"} }, class: engine.Invalid, path: "subscription.name"},
		"UnknownPackage": {change: func(c *spec.Component) {
			*c.Runtime.Python = spec.Code{URL: "function://public/default/f@1", Class: "f.F"}
		}, class: engine.Invalid, path: "runtime.python"},
	}
	p := newPlatform(t)
	taken := fileSink("other")
	taken.Subscription = &spec.Subscription{Name: "taken"}
	create(t, components(p, spec.KindSink), taken)
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			c := function(t, "f")
			tc.change(&c)
			_, err := components(p, spec.KindFunction).Create(t.Context(), object(c))
			if got := engine.ClassOf(err); got != tc.class {
				t.Fatalf("%v: class %q, want %q", err, got, tc.class)
			}
			if got := pathOf(err); got != tc.path {
				t.Errorf("%v: path %q, want %q", err, got, tc.path)
			}
		})
	}
	if n, err := p.Declared(); n != 1 || err != nil {
		t.Errorf("%d components declared, %v, want the other only", n, err)
	}
}

const digest = "0000000000000000000000000000000000000000000000000000000000000000"

func pathOf(err error) string {
	for ; err != nil; err = unwrap(err) {
		if e, ok := err.(*engine.Error); ok { //nolint:errorlint // walks the chain itself
			return e.Path
		}
	}
	return ""
}

func unwrap(err error) error {
	if u, ok := err.(interface{ Unwrap() error }); ok {
		return u.Unwrap()
	}
	return nil
}

func TestRemoteCallersCannotNameFiles(t *testing.T) {
	p := newPlatform(t)
	_, err := p.Clients(true).Components[spec.KindFunction].Create(t.Context(), object(function(t, "f")))
	if !engine.Is(err, engine.Forbidden) {
		t.Errorf("%v, want forbidden", err)
	}
}

func act(t *testing.T, p *platform.Platform, verb string, args map[string]string) error {
	t.Helper()
	actor, ok := components(p, spec.KindFunction).(engine.Actor)
	if !ok {
		t.Fatal("no actor")
	}
	_, err := actor.Act(t.Context(), engine.Key{Kind: "function", Tenant: "public", Namespace: "default", Name: "f"}, verb, args)
	return err
}

func TestStopIsDriftOfADeclaredState(t *testing.T) {
	p := newPlatform(t)
	e := catalog.Component(spec.KindFunction).Engine(components(p, spec.KindFunction))
	want := function(t, "f")
	want.State = spec.StateRunning
	must(t, act(t, p, "fly", nil), engine.Invalid)
	must(t, act(t, p, "stop", nil), engine.NotFound)
	_, err := e.Create(t.Context(), object(want), engine.CreateOptions{})
	must(t, err)
	must(t, act(t, p, "restart", map[string]string{"instance": "9"}), engine.NotFound)
	must(t, act(t, p, "stop", nil))
	must(t, act(t, p, "restart", nil), engine.Conflict)
	out, err := e.Converge(t.Context(), object(want))
	must(t, err)
	if diff := cmp.Diff([]engine.Change{{Path: "state", Op: engine.Set, Old: "stopped", New: "running"}}, out.Changes); diff != "" {
		t.Error(diff)
	}
	want.State = ""
	must(t, act(t, p, "stop", nil))
	out, err = e.Converge(t.Context(), object(want))
	must(t, err)
	if out.Action != engine.None {
		t.Errorf("%s: a state that nobody declares is the platform's", out.Action)
	}
}

func TestPartitionsReachTheWire(t *testing.T) {
	p := newPlatform(t)
	topics := p.Clients(false).Topics
	have := create(t, topics, spec.Topic{Name: "in", Partitions: new(2)})
	c := function(t, "f")
	c.Parallelism, c.MaxMessageRetries, c.TimeoutMs = new(4), new(0), new(int64(250))
	f, err := p.Wire(t.Context(), c)
	must(t, err)
	if got := f.Source.Inputs[0].Partitions; got != 2 || f.Instance.Parallelism != 1 || f.Delivery.MaxRetries != 0 || f.Limits.CallTimeoutMs != 250 {
		t.Errorf("%d partitions in %+v", got, f)
	}
	if f.Delivery.DeadLetter == nil || f.Delivery.DeadLetter.Topic != full("in-public-default-f-DLQ") {
		t.Errorf("dead letters go to %+v", f.Delivery.DeadLetter)
	}
	must(t, topics.Update(t.Context(), have, object(spec.Topic{Name: "in", Partitions: new(5)}), nil))
	f, err = p.Wire(t.Context(), c)
	must(t, err)
	if got := f.Source.Inputs[0].Partitions; got != 5 {
		t.Errorf("%d partitions, want 5", got)
	}
	if n, err := p.Declared(); n != 0 || err != nil {
		t.Errorf("%d components are declared by it", n)
	}
}

func TestRestoreNamesWhatCannotRun(t *testing.T) {
	p := newPlatform(t)
	must(t, p.PutSecret(t.Context(), "a", "b", spec.NewSecret("value")))
	c := function(t, "f")
	c.Secrets = map[string]spec.SecretRef{"KEY": {Name: "a", Key: "b"}}
	create(t, components(p, spec.KindFunction), c)
	must(t, p.DeleteSecret("a", ""))
	must(t, p.Restore(t.Context()))
	key := engine.Key{Kind: "function", Tenant: "public", Namespace: "default", Name: "f"}
	have, err := components(p, spec.KindFunction).Observe(t.Context(), key)
	must(t, err)
	if have.Status.Phase != engine.Failed || have.Status.Reason != "NotLaunched" {
		t.Errorf("status %+v", have.Status)
	}
	must(t, p.PutSecret(t.Context(), "a", "b", spec.NewSecret("again")))
	have, err = components(p, spec.KindFunction).Observe(t.Context(), key)
	must(t, err)
	if have.Status.Phase == engine.Failed {
		t.Errorf("status %+v although the secret is there", have.Status)
	}
}

func TestDrain(t *testing.T) {
	p := newPlatform(t)
	create(t, components(p, spec.KindSink), fileSink("s"))
	must(t, p.Drain(t.Context()))
	if n := p.Supervisor.Running(); n != 0 {
		t.Errorf("%d instances run", n)
	}
	have, err := components(p, spec.KindSink).Observe(t.Context(), engine.Key{Kind: "sink", Tenant: "public", Namespace: "default", Name: "s"})
	if err != nil || have.Status.Reason != "Drained" {
		t.Errorf("status %+v, %v", have.Status, err)
	}
}

func TestTidy(t *testing.T) {
	p := newPlatform(t)
	create(t, components(p, spec.KindFunction), function(t, "f"))
	must(t, p.Tidy(t.Context()))
	if _, err := p.Broker.EnsureTopic(t.Context(), full("in")); err != nil {
		t.Error(err)
	}
	if got, ok, err := p.Broker.Topic(t.Context(), full("in")); !ok || err != nil || !cmp.Equal(got, broker.Topic{Name: full("in"), Auto: true}) {
		t.Errorf("topic %+v, %v", got, err)
	}
}
