package spec

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestDefaultComponent(t *testing.T) {
	t.Parallel()
	const in, out = "persistent://public/default/orders", "persistent://public/default/enriched"
	cases := map[string]struct{ give, want Component }{
		"Function": {
			give: validFunction(),
			want: Component{
				Kind: KindFunction, Tenant: "public", Namespace: "default", Name: "enrich",
				Runtime: validFunction().Runtime,
				Inputs:  map[string]Input{in: {}}, Output: &Output{Topic: out},
				Subscription:         &Subscription{Name: "public/default/enrich", Position: Latest},
				ProcessingGuarantees: AtLeastOnce, Parallelism: new(1),
				RetainOrdering: new(false), RetainKeyOrdering: new(false),
				ForwardSourceMessageProperty: new(true), CleanupSubscription: new(false), SkipToLatest: new(false), AutoAck: new(true),
			},
		},
		"Source": {
			give: validSource(),
			want: Component{
				Kind: KindSource, Tenant: "public", Namespace: "default", Name: "intake",
				Builtin: "file", Config: `{"path":"orders.ndjson"}`, Output: &Output{Topic: in},
				ProcessingGuarantees: AtLeastOnce, Parallelism: new(1),
			},
		},
		"Sink": {
			give: Component{Kind: KindSink, Name: "store", Builtin: "file", Config: ` { "path" : "x" } `, Inputs: map[string]Input{"orders": {}}},
			want: Component{
				Kind: KindSink, Tenant: "public", Namespace: "default", Name: "store",
				Builtin: "file", Config: `{"path":"x"}`, Inputs: map[string]Input{in: {}},
				Subscription:         &Subscription{Name: "public/default/store", Position: Latest},
				ProcessingGuarantees: AtLeastOnce, Parallelism: new(1),
				RetainOrdering: new(false), RetainKeyOrdering: new(false), CleanupSubscription: new(false), AutoAck: new(true),
			},
		},
		"Everything": {
			give: Component{
				Kind: KindFunction, Tenant: "shop", Namespace: "eu", Name: "enrich", UserConfig: "{",
				Inputs:       map[string]Input{"a": {Schema: "json"}, "x/y/b": {}, "c://d": {}, "non-persistent://x/y/n": {}},
				Output:       &Output{Topic: "out-partition-3"},
				Subscription: &Subscription{Name: "mine"}, LogTopic: "logs", DeadLetterTopic: "dead",
				ProcessingGuarantees: AtMostOnce, Parallelism: new(0), State: StateStopped,
				RetainOrdering: new(true), ForwardSourceMessageProperty: new(false),
			},
			want: Component{
				Kind: KindFunction, Tenant: "shop", Namespace: "eu", Name: "enrich", UserConfig: "{",
				Inputs: map[string]Input{
					"persistent://shop/eu/a": {Schema: "json"}, "persistent://x/y/b": {}, "c://d": {}, "non-persistent://x/y/n": {},
				},
				Output:       &Output{Topic: "persistent://shop/eu/out-partition-3"},
				Subscription: &Subscription{Name: "mine", Position: Latest},
				LogTopic:     "persistent://shop/eu/logs", DeadLetterTopic: "persistent://shop/eu/dead",
				ProcessingGuarantees: AtMostOnce, Parallelism: new(0), State: StateStopped,
				RetainOrdering: new(true), RetainKeyOrdering: new(false),
				ForwardSourceMessageProperty: new(false), CleanupSubscription: new(false), SkipToLatest: new(false), AutoAck: new(true),
			},
		},
		"SameTopicThrice": {
			give: Component{Kind: KindSink, Inputs: map[string]Input{
				"orders": {Schema: "1"}, "public/default/orders": {Schema: "2"}, in: {Schema: "3"},
			}},
			want: Component{
				Kind: KindSink, Tenant: "public", Namespace: "default",
				Inputs:               map[string]Input{"orders": {Schema: "1"}, "public/default/orders": {Schema: "2"}, in: {Schema: "3"}},
				Subscription:         &Subscription{Name: "public/default/", Position: Latest},
				ProcessingGuarantees: AtLeastOnce, Parallelism: new(1),
				RetainOrdering: new(false), RetainKeyOrdering: new(false), CleanupSubscription: new(false), AutoAck: new(true),
			},
		},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			before := tc.give.Clone()
			got := DefaultComponent(tc.give)
			if diff := cmp.Diff(tc.want, got); diff != "" {
				t.Errorf("defaulted (-want +got):\n%s", diff)
			}
			if diff := cmp.Diff(got, DefaultComponent(got)); diff != "" {
				t.Errorf("defaulting twice changed:\n%s", diff)
			}
			if diff := cmp.Diff(before, tc.give); diff != "" {
				t.Errorf("the argument changed:\n%s", diff)
			}
		})
	}
}

// Of two spellings of one topic, the second is kept for validation to find, whichever
// was defaulted first.
func TestDefaultKeepsADoubleInput(t *testing.T) {
	t.Parallel()
	c := validSink()
	c.Inputs = map[string]Input{"orders": {Schema: "1"}, "public/default/orders": {Schema: "2"}}
	got := DefaultComponent(c)
	want := map[string]Input{"persistent://public/default/orders": {Schema: "1"}, "public/default/orders": {Schema: "2"}}
	if diff := cmp.Diff(want, got.Inputs); diff != "" {
		t.Errorf("inputs (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(got, DefaultComponent(got)); diff != "" {
		t.Errorf("defaulting twice changed:\n%s", diff)
	}
	if diff := cmp.Diff([]string{`inputs["public/default/orders"]`}, errorPaths(ValidateComponent(got))); diff != "" {
		t.Errorf("paths (-want +got):\n%s", diff)
	}
}

func TestDefaultStreams(t *testing.T) {
	t.Parallel()
	if diff := cmp.Diff(Topic{Tenant: "public", Namespace: "default", Name: "x"}, DefaultTopic(Topic{Name: "x"})); diff != "" {
		t.Errorf("topic (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(Namespace{Tenant: "public", Name: "x"}, NamespaceDefaults(Namespace{Name: "x"})); diff != "" {
		t.Errorf("namespace (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(Tenant{Name: "x"}, TenantDefaults(Tenant{Name: "x"})); diff != "" {
		t.Errorf("tenant (-want +got):\n%s", diff)
	}
}

func testMesh() Mesh {
	source, function, sink := validSource(), validFunction(), validSink()
	source.Kind, function.Kind, sink.Kind = "", "", ""
	source.Name, function.Name, sink.Name = "", "", ""
	sink.Inputs = map[string]Input{"persistent://public/default/enriched": {}}
	return Mesh{
		Name:    "lines",
		Sources: map[string]Component{"intake": source}, Functions: map[string]Component{"enrich": function}, Sinks: map[string]Component{"store": sink},
	}
}

func TestDefaultMesh(t *testing.T) {
	t.Parallel()
	m := testMesh()
	got := DefaultMesh(m)
	enrich := got.Functions["enrich"]
	if enrich.Kind != KindFunction || enrich.Tenant != "" || enrich.Namespace != "" || enrich.Name != "" {
		t.Errorf("the component's place changed: %+v", enrich)
	}
	if name := enrich.Subscription.Name; name != "public/default/lines-enrich" {
		t.Errorf("subscription %s", name)
	}
	if got.Tenant != "public" || got.Namespace != "default" {
		t.Errorf("mesh in %s/%s", got.Tenant, got.Namespace)
	}
	if diff := cmp.Diff(got, DefaultMesh(got)); diff != "" {
		t.Errorf("defaulting twice changed:\n%s", diff)
	}
	if diff := cmp.Diff(testMesh(), m); diff != "" {
		t.Errorf("the argument changed:\n%s", diff)
	}
	if problems := ValidateMesh(got); len(problems) > 0 {
		t.Errorf("problems: %v", problems)
	}
}

// A mesh of two spellings of a tenant gives its components the topics of that tenant.
func TestDefaultMeshQualifiesInItsNamespace(t *testing.T) {
	t.Parallel()
	m := testMesh()
	m.Tenant, m.Namespace = "shop", "eu"
	got := DefaultMesh(m)
	if topic := got.Sources["intake"].Output.Topic; topic != "persistent://shop/eu/orders" {
		t.Errorf("output %s", topic)
	}
}

func TestSubscription(t *testing.T) {
	t.Parallel()
	cases := map[string]struct {
		edit    func(*Component)
		name    string
		ordered bool
		dead    string
	}{
		"Default": {func(*Component) {}, "public/default/enrich", false, "persistent://public/default/orders-public-default-enrich-DLQ"},
		"Named": {
			func(c *Component) { c.Subscription, c.RetainOrdering = &Subscription{Name: "a/b"}, new(true) },
			"a/b", true, "persistent://public/default/orders-a-b-DLQ",
		},
		"FirstInput": {
			func(c *Component) { c.Inputs = map[string]Input{"z": {}, "a/b/c-partition-3": {}} },
			"public/default/enrich", false, "persistent://a/b/c-public-default-enrich-DLQ",
		},
		"Chosen":   {func(c *Component) { c.Tenant, c.DeadLetterTopic = "shop", "dead" }, "shop/default/enrich", false, "persistent://shop/default/dead"},
		"NoInput":  {func(c *Component) { c.Inputs = nil }, "public/default/enrich", false, ""},
		"BadInput": {func(c *Component) { c.Inputs = map[string]Input{"a://b": {}} }, "public/default/enrich", false, ""},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := validFunction()
			tc.edit(&c)
			for _, c := range []Component{c, DefaultComponent(c)} {
				if SubscriptionName(c) != tc.name || SubscriptionMode(c) != tc.ordered || DeadLetterTopic(c) != tc.dead {
					t.Errorf("got %s %v %s", SubscriptionName(c), SubscriptionMode(c), DeadLetterTopic(c))
				}
			}
		})
	}
}
