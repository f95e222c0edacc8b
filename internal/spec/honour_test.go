package spec

import (
	"reflect"
	"regexp"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestHonour(t *testing.T) {
	t.Parallel()
	cases := map[string]struct {
		base   func() Component
		edit   func(*Component)
		local  []string
		pulsar []string
	}{
		"Function":    {base: validFunction},
		"Source":      {base: validSource, pulsar: []string{"builtin"}},
		"Sink":        {base: validSink, pulsar: []string{"builtin"}},
		"Go":          {base: validFunction, edit: func(c *Component) { c.Runtime = &Runtime{Go: &Code{File: "f"}} }},
		"WASM":        {base: validFunction, edit: func(c *Component) { c.Runtime = &Runtime{WASM: &Code{File: "f", SHA256: "x"}} }, pulsar: []string{"runtime.wasm"}},
		"Java":        {base: validFunction, edit: func(c *Component) { c.Runtime = &Runtime{Java: &Code{File: "f", Class: "a.B"}} }, local: []string{"runtime.java"}},
		"BuiltinCode": {base: validFunction, edit: func(c *Component) { c.Runtime.Python = &Code{URL: "builtin://f", Class: "a.B"} }, local: []string{"runtime.python.url"}},
		"Package":     {base: validFunction, edit: func(c *Component) { c.Runtime.Python = &Code{URL: "function://a/b/c@1", Class: "a.B"} }},
		"Effectively": {base: validFunction, edit: func(c *Component) { c.ProcessingGuarantees = EffectivelyOnce }, local: []string{"processing_guarantees"}, pulsar: []string{"processing_guarantees"}},
		"Manual":      {base: validFunction, edit: func(c *Component) { c.ProcessingGuarantees, c.AutoAck = Manual, new(false) }},
		"ManualOrder": {base: validFunction, edit: func(c *Component) { c.ProcessingGuarantees, c.RetainOrdering = Manual, new(true) }, local: []string{"retain_ordering"}},
		"ManualType": {
			base:  validFunction,
			edit:  func(c *Component) { c.ProcessingGuarantees, c.Subscription = Manual, &Subscription{Type: Failover} },
			local: []string{"subscription.type"}, pulsar: []string{"subscription.type"},
		},
		"ManualSink": {
			base:  validSink,
			edit:  func(c *Component) { c.ProcessingGuarantees, c.AutoAck = Manual, new(false) },
			local: []string{"auto_ack", "processing_guarantees"}, pulsar: []string{"builtin"},
		},
		"AtMostOnce":  {base: validFunction, edit: func(c *Component) { c.ProcessingGuarantees = AtMostOnce }},
		"KeyOrder":    {base: validFunction, edit: func(c *Component) { c.RetainKeyOrdering = new(true) }, local: []string{"retain_key_ordering"}},
		"NoKeyOrder":  {base: validFunction, edit: func(c *Component) { c.RetainKeyOrdering = new(false) }},
		"Pattern":     {base: validFunction, edit: func(c *Component) { c.TopicsPattern = "a.*" }, local: []string{"topics_pattern"}},
		"Schema":      {base: validFunction, edit: func(c *Component) { c.Inputs["orders"] = Input{Schema: "avro"} }, local: []string{`inputs["orders"].schema`}},
		"SchemaLabel": {base: validFunction, edit: func(c *Component) { c.Inputs["orders"], c.Output.Schema = Input{Schema: "json"}, "string" }},
		"SchemaOfGo": {
			base: validFunction,
			edit: func(c *Component) {
				c.Runtime = &Runtime{Go: &Code{File: "f"}}
				c.Inputs["orders"], c.Output.Schema = Input{Schema: "json"}, "string"
			},
			local: []string{`inputs["orders"].schema`, "output.schema"}, pulsar: []string{`inputs["orders"].schema`, "output.schema"},
		},
		"SchemaOfWASM": {
			base: validFunction,
			edit: func(c *Component) {
				c.Runtime = &Runtime{WASM: &Code{File: "f"}}
				c.Inputs["orders"], c.Output.Schema = Input{Schema: "string"}, "bytes"
			},
			local: []string{`inputs["orders"].schema`}, pulsar: []string{"runtime.wasm"},
		},
		"SchemaOfSource": {base: validSource, edit: func(c *Component) { c.Output.Schema = "json" }, local: []string{"output.schema"}, pulsar: []string{"builtin"}},
		"SchemaOfSink":   {base: validSink, edit: func(c *Component) { c.Inputs["orders"] = Input{Schema: "string"} }, local: []string{`inputs["orders"].schema`}, pulsar: []string{"builtin"}},
		"BytesOfSink":    {base: validSink, edit: func(c *Component) { c.Inputs["orders"] = Input{Schema: "bytes"} }, pulsar: []string{"builtin"}},
		"NotPersistent":  {base: validSink, edit: func(c *Component) { c.Inputs["non-persistent://a/b/c"] = Input{} }, local: []string{`inputs["non-persistent://a/b/c"]`}, pulsar: []string{"builtin"}},
		"OnePartition":   {base: validFunction, edit: func(c *Component) { c.Output.Topic = "x-partition-12" }, local: []string{"output.topic"}},
		"LikePartition":  {base: validFunction, edit: func(c *Component) { c.Output.Topic = "x-partition-012" }},
		"Consuming": {
			base: validFunction,
			edit: func(c *Component) {
				c.Inputs["orders"] = Input{SerdeClass: "S", Regex: new(true), ReceiverQueueSize: new(0), Extra: map[string]JSON{"poolMessages": "true"}}
			},
			local:  []string{`inputs["orders"].extra["poolMessages"]`, `inputs["orders"].receiver_queue_size`, `inputs["orders"].regex`, `inputs["orders"].serde_class`},
			pulsar: []string{`inputs["orders"].extra["poolMessages"]`},
		},
		"Producing": {
			base: validFunction,
			edit: func(c *Component) {
				c.Output.SerdeClass = "S"
				c.Output.Producer = &Producer{Compression: "zstd", MaxPendingMessages: new(3), Extra: map[string]JSON{"batchBuilder": `"KEY_BASED"`}}
			},
			local: []string{"output.producer.compression", `output.producer.extra["batchBuilder"]`, "output.producer.max_pending_messages", "output.serde_class"},
		},
		"QueueSize": {base: validFunction, edit: func(c *Component) { c.Inputs["orders"] = Input{ReceiverQueueSize: new(10), Regex: new(false)} }},
		"Delivery": {
			base: validFunction,
			edit: func(c *Component) {
				c.MaxMessageRetries, c.DeadLetterTopic, c.TimeoutMs, c.State = new(3), "dead", new(int64(5)), StateStopped
				c.CleanupSubscription, c.ForwardSourceMessageProperty, c.RetainOrdering = new(true), new(true), new(true)
				c.Subscription = &Subscription{Name: "s", Position: Earliest}
			},
			pulsar: []string{"dead_letter_topic", "max_message_retries"},
		},
		"DeadLetterPlace": {base: validSink, edit: func(c *Component) { c.DeadLetterTopic = "non-persistent://a/b/c" }, local: []string{"dead_letter_topic"}, pulsar: []string{"builtin", "dead_letter_topic"}},
		"SinkTimeout":     {base: validSink, edit: func(c *Component) { c.TimeoutMs = new(int64(5)) }, local: []string{"timeout_ms"}, pulsar: []string{"builtin"}},
		"LogTopic":        {base: validFunction, edit: func(c *Component) { c.LogTopic = "logs" }},
		"LogOfSink":       {base: validSink, edit: func(c *Component) { c.LogTopic = "logs" }, local: []string{"log_topic"}, pulsar: []string{"builtin"}},
		"Extra":           {base: validFunction, edit: func(c *Component) { c.Extra = map[string]JSON{"windowConfig": "{}"} }, local: []string{`extra["windowConfig"]`}, pulsar: []string{`extra["windowConfig"]`}},
		"Resources": {
			base:  validFunction,
			edit:  func(c *Component) { c.Resources = &Resources{CPU: "1", Memory: "1Gi", Disk: "1Gi"} },
			local: []string{"resources.cpu", "resources.disk"},
		},
		"WASMMemory": {
			base: validFunction,
			edit: func(c *Component) {
				c.Runtime = &Runtime{WASM: &Code{File: "f"}}
				c.Resources = &Resources{Memory: "1Gi"}
			},
			pulsar: []string{"runtime.wasm"},
		},
		"Secrets":       {base: validFunction, edit: func(c *Component) { c.Secrets = map[string]SecretRef{"A": {Name: "n", Key: "k"}} }},
		"SinkSecrets":   {base: validSink, edit: func(c *Component) { c.Secrets = map[string]SecretRef{"A": {Name: "n", Key: "k"}} }, local: []string{`secrets["A"]`}, pulsar: []string{"builtin"}},
		"ManyInstances": {base: validFunction, edit: func(c *Component) { c.Parallelism = new(65) }, local: []string{"parallelism"}},
		"HugeParallel":  {base: validFunction, edit: func(c *Component) { c.Parallelism = new(1000) }, local: []string{"parallelism"}},
		"MostInstances": {base: validFunction, edit: func(c *Component) { c.Parallelism = new(64) }},
		"FileInstances": {base: validSource, edit: func(c *Component) { c.Parallelism = new(12) }, local: []string{"parallelism"}, pulsar: []string{"builtin"}},
		"FileInstance":  {base: validSource, edit: func(c *Component) { c.Parallelism = new(1) }, pulsar: []string{"builtin"}},
		"GoOnPulsar": {
			base: validFunction,
			edit: func(c *Component) {
				c.Runtime = &Runtime{Go: &Code{File: "f"}}
				c.Inputs["orders"] = Input{Schema: "json"}
				c.ForwardSourceMessageProperty, c.RetainOrdering = new(true), new(true)
				c.Secrets = map[string]SecretRef{"A": {Name: "n", Key: "k"}}
			},
			local:  []string{`inputs["orders"].schema`},
			pulsar: []string{"forward_source_message_property", `inputs["orders"].schema`, "retain_ordering", `secrets["A"]`},
		},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := tc.base()
			if tc.edit != nil {
				tc.edit(&c)
			}
			for platform, want := range map[Platform][]string{PlatformLocal: tc.local, PlatformPulsar: tc.pulsar} {
				if diff := cmp.Diff(want, errorPaths(honourOn("linux", platform, c))); diff != "" {
					t.Errorf("%s (-want +got):\n%s", platform, diff)
				}
			}
		})
	}
}

func TestHonourPlatforms(t *testing.T) {
	t.Parallel()
	for _, platform := range []Platform{PlatformKubernetes, "elsewhere", ""} {
		if !HasErrors(Honour(platform, validFunction())) {
			t.Errorf("%q honoured something", platform)
		}
	}
}

// What defaulting fills in is honoured on local: nothing that nobody asked for is
// refused.
func TestHonourDefaults(t *testing.T) {
	t.Parallel()
	for _, c := range []Component{validFunction(), validSource(), validSink()} {
		if problems := Honour(PlatformLocal, DefaultComponent(c)); len(problems) > 0 {
			t.Errorf("%s: %v", c.Kind, problems)
		}
	}
}

// R8: every setting there is has a row on every platform, so that none is refused, or
// taken, by accident.
func TestR8EverySettingHasARow(t *testing.T) {
	t.Parallel()
	var patterns []Path
	patternsOf(reflect.TypeFor[Component](), "", &patterns)
	if len(patterns) < 60 {
		t.Fatalf("only %d settings were found", len(patterns))
	}
	for _, platform := range []Platform{PlatformLocal, PlatformPulsar, PlatformRunner} {
		for _, pattern := range patterns {
			if !slices.ContainsFunc(Settings(), func(s Setting) bool { return s.Platform == platform && s.covers(pattern) }) {
				t.Errorf("%s has no row for %s", platform, pattern)
			}
		}
	}
	for _, row := range Settings() {
		if _, err := regexp.Compile(row.Match); err != nil {
			t.Errorf("%s: %v", row.Path, err)
		}
		if !slices.ContainsFunc(patterns, row.covers) {
			t.Errorf("the row for %s covers nothing", row.Path)
		}
		if (row.Refusal == "") != (row.Hint == "") {
			t.Errorf("the row for %s has a refusal without a hint, or the reverse", row.Path)
		}
	}
}

func TestLocalHonoursEveryConnector(t *testing.T) {
	t.Parallel()
	for _, connector := range Connectors() {
		for _, kind := range connector.Kinds {
			c := Component{Kind: kind, Name: "x", Builtin: connector.Name, Config: `{"path":"p"}`}
			if problems := Honour(PlatformLocal, c); len(problems) > 0 {
				t.Errorf("%s %s: %v", connector.Name, kind, problems)
			}
		}
		for _, field := range connector.Fields {
			if field.Doc == "" || field.Type == "" || field.Required && field.Default != nil {
				t.Errorf("%s.%s is not described", connector.Name, field.Name)
			}
		}
	}
}

// What a machine can limit depends on its system and on what runs there.
func TestHonourMemory(t *testing.T) {
	t.Parallel()
	refused := []string{"resources.memory"}
	python := validFunction()
	golang, wasm, sink := python.Clone(), python.Clone(), validSink()
	golang.Runtime = &Runtime{Go: &Code{File: "f"}}
	wasm.Runtime = &Runtime{WASM: &Code{File: "f"}}
	cases := map[string]struct {
		c             Component
		linux, darwin []string
	}{
		"Go":        {c: golang, darwin: refused},
		"Python":    {c: python, darwin: refused},
		"WASM":      {c: wasm},
		"Connector": {c: sink, linux: refused, darwin: refused},
	}
	for name, tc := range cases {
		tc.c.Resources = &Resources{Memory: "1Gi"}
		for _, platform := range []Platform{PlatformLocal, PlatformRunner} {
			for system, want := range map[string][]string{"linux": tc.linux, "darwin": tc.darwin} {
				if diff := cmp.Diff(want, errorPaths(honourOn(system, platform, tc.c))); diff != "" {
					t.Errorf("%s, %s, %s (-want +got):\n%s", name, platform, system, diff)
				}
			}
		}
	}
}
