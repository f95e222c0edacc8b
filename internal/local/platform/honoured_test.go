//go:build linux || darwin

package platform_test

import (
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/functionmesh/terraform-provider-functionmesh/internal/local/platform"
	"github.com/functionmesh/terraform-provider-functionmesh/internal/spec"
	"github.com/functionmesh/terraform-provider-functionmesh/internal/wire"
)

// effects sets what the local platform honours, one setting at a time. Each must change
// what an instance is told. The key is the path of the row, the value is applied to a
// Python function unless its name is in basis.
func effects(t *testing.T) map[spec.Path]func(*spec.Component) {
	t.Helper()
	other := codeFile(t, "def process(x): return 2 * x")
	in := func(c *spec.Component, i spec.Input) { c.Inputs = map[string]spec.Input{"in": i} }
	return map[spec.Path]func(*spec.Component){
		"tenant":                        func(c *spec.Component) { c.Tenant = "acme" },
		"namespace":                     func(c *spec.Component) { c.Namespace = "other" },
		"name":                          func(c *spec.Component) { c.Name = "g" },
		"builtin":                       func(c *spec.Component) { c.Builtin, c.Config = "generator", "" },
		"config":                        func(c *spec.Component) { c.Config = `{"path":"y"}` },
		"user_config":                   func(c *spec.Component) { c.UserConfig = `{"a":1}` },
		"runtime.python.**":             func(c *spec.Component) { c.Runtime.Python = &other },
		"runtime.go.**":                 func(c *spec.Component) { c.Runtime = &spec.Runtime{Go: &spec.Code{File: other.File}} },
		"runtime.wasm.**":               func(c *spec.Component) { c.Runtime = &spec.Runtime{WASM: &spec.Code{File: other.File}} },
		"inputs[*]":                     func(c *spec.Component) { c.Inputs = map[string]spec.Input{"in": {}, "more": {}} },
		"inputs[*].schema":              func(c *spec.Component) { in(c, spec.Input{Schema: "json"}) },
		"inputs[*].receiver_queue_size": func(c *spec.Component) { in(c, spec.Input{ReceiverQueueSize: new(7)}) },
		"output.topic":                  func(c *spec.Component) { c.Output.Topic = "elsewhere" },
		"output.schema":                 func(c *spec.Component) { c.Output.Schema = "string" },
		"subscription.type":             func(c *spec.Component) { c.Subscription = &spec.Subscription{Type: spec.Failover} },
		"subscription.name":             func(c *spec.Component) { c.Subscription = &spec.Subscription{Name: "s"} },
		"processing_guarantees":         func(c *spec.Component) { c.ProcessingGuarantees = spec.AtMostOnce },
		"retain_ordering":               func(c *spec.Component) { c.RetainOrdering = new(true) },
		"forward_source_message_property": func(c *spec.Component) {
			c.ForwardSourceMessageProperty = new(false)
		},
		"max_message_retries": func(c *spec.Component) { c.MaxMessageRetries = new(7) },
		"dead_letter_topic":   func(c *spec.Component) { c.DeadLetterTopic = "dead" },
		"log_topic":           func(c *spec.Component) { c.LogTopic = "logs" },
		"timeout_ms":          func(c *spec.Component) { c.TimeoutMs = new(int64(7)) },
		"secrets.**":          func(c *spec.Component) { c.Secrets = map[string]spec.SecretRef{"KEY": {Name: "a", Key: "b"}} },
		"resources.memory":    func(c *spec.Component) { c.Resources = &spec.Resources{Memory: "64Mi"} },
	}
}

// elsewhere are the honoured settings that no single instance is told of, and who acts
// on them.
var elsewhere = map[spec.Path]string{
	"parallelism":                 "the supervisor starts so many instances: TestParallelismIsHowManyRun",
	"state":                       "the supervisor starts or stops: TestStopIsDriftOfADeclaredState",
	"cleanup_subscription":        "deleting the component deletes the cursor",
	"subscription.position":       "the platform places the cursor before an instance runs",
	"inputs[*].regex":             "only false is taken, which is what happens anyway",
	"retain_key_ordering":         "only false is taken, which is what happens anyway",
	"skip_to_latest":              "only false is taken, which is what happens anyway",
	"auto_ack":                    "it says no more than the guarantee: TestManualOnTheEmbeddedBroker in runner/instance",
	"output.producer.compression": "only none is taken, which is what happens anyway",
	"secrets[*].name":             "of a connector, whose entry is refused as a whole",
	"secrets[*].key":              "of a connector, whose entry is refused as a whole",
}

// basis is the component that a setting is set on.
func basis(t *testing.T, path spec.Path, f spec.Component) spec.Component {
	t.Helper()
	switch path {
	case "builtin":
		return spec.Component{Kind: spec.KindSource, Name: "s", Builtin: "file", Config: `{"path":"x"}`, Output: &spec.Output{Topic: "out"}}
	case "config":
		return fileSink("s")
	case "resources.memory":
		code := *f.Runtime.Python
		code.Class = ""
		f.Runtime = &spec.Runtime{WASM: &code}
	}
	return f.Clone()
}

func told(t *testing.T, p *platform.Platform, c spec.Component) wire.File {
	t.Helper()
	if problems := spec.Honour(spec.PlatformLocal, c); len(problems) > 0 {
		t.Fatalf("it is not honoured: %v", problems)
	}
	f, err := p.Wire(t.Context(), c)
	must(t, err)
	return f
}

func TestR8WhatIsHonouredReachesTheInstance(t *testing.T) {
	p := newPlatform(t)
	clients := p.Clients(false)
	create(t, clients.Tenants, spec.Tenant{Name: "acme"})
	create(t, clients.Namespaces, spec.Namespace{Tenant: "acme", Name: "default"})
	create(t, clients.Namespaces, spec.Namespace{Tenant: "public", Name: "other"})
	must(t, p.PutSecret(t.Context(), "a", "b", spec.NewSecret("value")))
	set, f := effects(t), function(t, "f")
	var rows []spec.Path
	for _, row := range spec.Settings() {
		if row.Platform == spec.PlatformLocal && row.Refusal == "" && !slices.Contains(rows, row.Path) {
			rows = append(rows, row.Path)
		}
	}
	for _, path := range rows {
		edit, reaches := set[path]
		if _, known := elsewhere[path]; known == reaches {
			t.Errorf("%s: say once what it changes, in effects or in elsewhere", path)
			continue
		} else if known {
			continue
		}
		t.Run(string(path), func(t *testing.T) {
			c := basis(t, path, f)
			before := told(t, p, c)
			edit(&c)
			if after := told(t, p, c); cmp.Equal(before, after) {
				t.Error("it is honoured, and an instance is told the same with and without it")
			}
		})
	}
	for path := range set {
		if !slices.Contains(rows, path) {
			t.Errorf("%s is not honoured any more", path)
		}
	}
	for path := range elsewhere {
		if !slices.Contains(rows, path) {
			t.Errorf("%s is not honoured any more", path)
		}
	}
}

func TestParallelismIsHowManyRun(t *testing.T) {
	p := newPlatform(t)
	c := function(t, "f")
	c.Parallelism = new(3)
	create(t, components(p, spec.KindFunction), c)
	places := filepath.Join(filepath.Dir(p.RunDir), "instances", "function", "public", "default", "f", "*", "wire.json")
	var found []string
	for deadline := time.Now().Add(3 * time.Minute); len(found) < 3 && time.Now().Before(deadline); time.Sleep(10 * time.Millisecond) {
		var err error
		found, err = filepath.Glob(places)
		must(t, err)
	}
	if len(found) != 3 {
		t.Errorf("instances %q, want 3", found)
	}
}
