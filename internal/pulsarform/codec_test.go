package pulsarform

import (
	"encoding/json"
	"errors"
	"math/rand/v2"
	"reflect"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/functionmesh/terraform-provider-functionmesh/internal/spec"
)

var kinds = map[string]spec.Kind{
	"Function": spec.KindFunction, "Source": spec.KindSource, "Sink": spec.KindSink,
}

// configs are configurations as Pulsar's clients and servers write them.
var configs = map[string]struct {
	kind   spec.Kind
	config string
	want   spec.Component
}{
	"PulsarAdminCreate": {
		kind: spec.KindFunction,
		config: `{"tenant":"public","namespace":"default","name":"f","className":"a.B","inputs":["x","y"],
			"output":"z","runtime":"JAVA","jar":"/tmp/f.jar","parallelism":2,"processingGuarantees":"ATMOST_ONCE",
			"autoAck":true,"cleanupSubscription":true,"userConfig":{}}`,
		want: spec.Component{
			Kind: spec.KindFunction, Tenant: "public", Namespace: "default", Name: "f",
			Runtime: &spec.Runtime{Java: &spec.Code{File: "/tmp/f.jar", Class: "a.B"}},
			Inputs:  map[string]spec.Input{"x": {}, "y": {}}, Output: &spec.Output{Topic: "z"},
			Parallelism: opt(2), ProcessingGuarantees: spec.AtMostOnce, CleanupSubscription: opt(true), AutoAck: opt(true),
		},
	},
	"ServerAnswer": {
		kind: spec.KindFunction,
		config: `{"runtimeFlags":"","name":"f","inputSpecs":{"persistent://p/d/x":{"schemaType":"JSON","regexPattern":false,
			"schemaProperties":{},"consumerProperties":{},"poolMessages":false,"receiverQueueSize":7,"serdeClassName":"s.D"}},
			"producerConfig":{"maxPendingMessages":0,"maxPendingMessagesAcrossPartitions":0,"useThreadLocalProducers":false,
			"batchBuilder":"","compressionType":"ZSTD","batchingConfig":{"enabled":false,"batchingMaxMessages":5,"roundRobinRouterBatchingPartitionSwitchFrequency":3,"later":1}},
			"runtime":"PYTHON","py":"function://public/default/f@1","subName":"s","subscriptionPosition":"Earliest",
			"resources":{"cpu":0.5,"ram":1073741824,"disk":100},"skipToLatest":false,"exposePulsarAdminClientEnabled":false}`,
		want: spec.Component{
			Kind: spec.KindFunction, Name: "f",
			Runtime: &spec.Runtime{Python: &spec.Code{URL: "function://public/default/f@1"}},
			Inputs: map[string]spec.Input{
				"persistent://p/d/x": {Schema: "json", SerdeClass: "s.D", Regex: ptrFalse(), ReceiverQueueSize: opt(7)},
			},
			Output: &spec.Output{Producer: &spec.Producer{
				Compression: "zstd", Batching: &spec.Batching{Enabled: ptrFalse(), MaxMessages: opt(5)},
				Extra: map[string]spec.JSON{"batchingConfig": `{"later":1}`, "roundRobinRouterBatchingPartitionSwitchFrequency": "3"},
			}},
			SkipToLatest: ptrFalse(),
			Subscription: &spec.Subscription{Name: "s", Position: spec.Earliest},
			Resources:    &spec.Resources{CPU: "500m", Memory: "1Gi", Disk: "100"},
		},
	},
	"Wordless": {
		kind: spec.KindFunction,
		config: `{"windowConfig":{"windowLengthCount":5},"autoAck":false,"skipToLatest":true,"Tenant":"not ours",
			"secrets":{"a":{"path":"shop","key":"k"},"b":"vault:x"},"customRuntimeOptions":"not json","runtime":"NODEJS","className":"c"}`,
		want: spec.Component{
			Kind: spec.KindFunction, AutoAck: ptrFalse(), SkipToLatest: opt(true), Secrets: map[string]spec.SecretRef{"a": {Name: "shop", Key: "k"}},
			Extra: map[string]spec.JSON{
				"windowConfig": `{"windowLengthCount":5}`, "Tenant": `"not ours"`,
				"secrets": `{"b":"vault:x"}`, "customRuntimeOptions": `"not json"`, "runtime": `"NODEJS"`, "className": `"c"`,
			},
		},
	},
	"Manual": {
		kind: spec.KindFunction,
		config: `{"name":"f","processingGuarantees":"MANUAL","autoAck":true,"negativeAckRedeliveryDelayMs":0,"batchBuilder":"KEY_BASED",
			"producerConfig":{"batchBuilder":"DEFAULT","batchingConfig":{"batchingMaxBytes":9,"batchBuilder":"DEFAULT"}}}`,
		want: spec.Component{
			Kind: spec.KindFunction, Name: "f", ProcessingGuarantees: spec.Manual,
			Output: &spec.Output{Producer: &spec.Producer{Batching: &spec.Batching{MaxBytes: opt(9), Builder: "key_based"}}},
		},
	},
	"OurOwn": {
		kind: spec.KindFunction,
		config: `{"name":"f","className":"run","customRuntimeOptions":"{\"mine\":1,\"functionmesh\":{\"v\":1,\"owner\":\"cli\",\"digest\":\"ab\",\"runtime\":\"wasm\",` +
			`\"state\":\"stopped\",\"later\":true}}"}`,
		want: spec.Component{
			Kind: spec.KindFunction, Name: "f", Runtime: &spec.Runtime{WASM: &spec.Code{SHA256: "ab", Class: "run"}},
			State: spec.StateStopped, Extra: map[string]spec.JSON{"customRuntimeOptions": `"{\"mine\":1}"`},
		},
	},
	"BuiltinSink": {
		kind: spec.KindSink,
		config: `{"tenant":"t","namespace":"n","name":"s","archive":"builtin://file","inputs":["x"],"topicToSchemaType":{"x":"STRING"},
			"topicToSerdeClassName":{"y":"S"},"configs":{"path":"p"},"sourceSubscriptionName":"sub","sourceSubscriptionPosition":"Latest",
			"retainOrdering":true,"autoAck":true,"negativeAckRedeliveryDelayMs":5,"timeoutMs":9}`,
		want: spec.Component{
			Kind: spec.KindSink, Tenant: "t", Namespace: "n", Name: "s", Builtin: "file", Config: `{"path":"p"}`,
			Inputs:       map[string]spec.Input{"x": {Schema: "string"}, "y": {SerdeClass: "S"}},
			Subscription: &spec.Subscription{Name: "sub", Position: spec.Latest}, RetainOrdering: opt(true),
			TimeoutMs: opt(int64(9)), AutoAck: opt(true), NegativeAckRedeliveryDelayMs: opt(int64(5)),
		},
	},
	"SourceArchive": {
		kind: spec.KindSource,
		config: `{"name":"s","archive":"/x.nar","className":"C","topicName":"out","schemaType":"AVRO","configs":{},
			"batchSourceConfig":{"discoveryTriggererClassName":"T"}}`,
		want: spec.Component{
			Kind: spec.KindSource, Name: "s", Output: &spec.Output{Topic: "out", Schema: "avro"},
			Extra: map[string]spec.JSON{
				"archive": `"/x.nar"`, "className": `"C"`, "batchSourceConfig": `{"discoveryTriggererClassName":"T"}`,
			},
		},
	},
}

func ptrFalse() *bool { f := false; return &f }

func TestDecode(t *testing.T) {
	for name, tc := range configs {
		t.Run(name, func(t *testing.T) {
			got, err := Decode(tc.kind, []byte(tc.config))
			if err != nil {
				t.Fatal(err)
			}
			if d := cmp.Diff(tc.want, got.Component); d != "" {
				t.Errorf("component (-want +got):\n%s", d)
			}
			checkConfig(t, tc.kind, []byte(tc.config))
		})
	}
}

func TestDecodeRefuses(t *testing.T) {
	for name, tc := range map[string]struct {
		config string
		path   spec.Path
	}{
		"NoJSON":      {`{`, ""},
		"Null":        {`null`, ""},
		"List":        {`[]`, ""},
		"Parallelism": {`{"parallelism":"many"}`, "parallelism"},
		"Nested":      {`{"resources":{"cpu":"x"}}`, "resources.cpu"},
		"UserConfig":  {`{"userConfig":[]}`, "userConfig"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := Decode(spec.KindFunction, []byte(tc.config))
			var field *FieldError
			if !errors.As(err, &field) || field.Path != tc.path {
				t.Fatalf("got %v, want a FieldError at %q", err, tc.path)
			}
		})
	}
}

// Somebody who edits the configuration without knowing of us wins over what the
// envelope remembers of the settings it could not say.
func TestEnvelopeIsNotBelievedAfterAnEdit(t *testing.T) {
	c := spec.Component{Kind: spec.KindFunction, Name: "f", Resources: &spec.Resources{Memory: "1024Mi"}}
	text, err := Encode(Decoded{Component: c})
	if err != nil {
		t.Fatal(err)
	}
	back, err := Decode(spec.KindFunction, text)
	if err != nil || back.Component.Resources.Memory != "1024Mi" {
		t.Fatalf("got %+v, %v; want the spelling kept", back.Component.Resources, err)
	}
	var config map[string]any
	if err := json.Unmarshal(text, &config); err != nil {
		t.Fatal(err)
	}
	config["resources"] = map[string]any{"ram": 2 << 30}
	text, err = json.Marshal(config)
	if err != nil {
		t.Fatal(err)
	}
	if back, err = Decode(spec.KindFunction, text); err != nil || back.Component.Resources.Memory != "2Gi" {
		t.Fatalf("got %+v, %v; want 2Gi", back.Component.Resources, err)
	}
}

// checkConfig holds that a configuration survives, and so do the component it means
// and every component that is derived from it by dropping the spelling.
func checkConfig(t *testing.T, kind spec.Kind, config []byte) {
	t.Helper()
	d, err := Decode(kind, config)
	if err != nil {
		return
	}
	out, err := Encode(d)
	if err != nil {
		t.Fatalf("encode: %v", err)
	}
	if want := withoutNulls(t, config); !same(want, out) {
		t.Fatalf("configuration changed\nfrom %s\nto   %s", want, out)
	}
	d.Form = nil
	checkSpec(t, d)
}

func checkSpec(t *testing.T, d Decoded) {
	t.Helper()
	text, err := Encode(d)
	if err != nil {
		t.Fatalf("encode: %v", err)
	}
	back, err := Decode(d.Component.Kind, text)
	if err != nil {
		t.Fatalf("decode %s: %v", text, err)
	}
	if a, b := asJSON(t, d.Component), asJSON(t, back.Component); a != b {
		t.Fatalf("component changed\nfrom %s\nto   %s\nby   %s", a, b, text)
	}
	if !reflect.DeepEqual(d.Envelope, back.Envelope) || back.Form != nil {
		t.Fatalf("envelope changed\nfrom %+v\nto   %+v %v\nby   %s", d.Envelope, back.Envelope, back.Form, text)
	}
}

func asJSON(t *testing.T, v any) string {
	t.Helper()
	b, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func withoutNulls(t *testing.T, config []byte) json.RawMessage {
	t.Helper()
	var m map[string]json.RawMessage
	if err := json.Unmarshal(config, &m); err != nil {
		t.Fatal(err)
	}
	for k, raw := range m {
		if isNull(raw) {
			delete(m, k)
		}
	}
	return json.RawMessage(asJSON(t, m))
}

func TestEveryComponentSurvives(t *testing.T) {
	for name, kind := range kinds {
		t.Run(name, func(t *testing.T) {
			for seed := range uint64(500) {
				r := rand.New(rand.NewPCG(seed, 1))
				d := Decoded{Component: spec.Component{Kind: kind}}
				fill(r, reflect.ValueOf(&d.Component).Elem(), 0)
				d.Component.Kind = kind
				fill(r, reflect.ValueOf(&d.Envelope.Owner).Elem(), 0)
				fill(r, reflect.ValueOf(&d.Envelope.Digest).Elem(), 0)
				checkSpec(t, d)
			}
		})
	}
}

// words are values that mean something somewhere, so that collisions happen.
var words = []string{
	"", "a", "persistent://a/b/c", "Latest", "latest", "ATLEAST_ONCE", "atleast_once", "builtin://x", "{}", "1", "500m", "1Gi", "0.5", "1024Mi",
	"JSON", "json", `{"a":1}`, `{"functionmesh":{"v":1}}`, `"{\"functionmesh\":{\"v\":1}}"`, `"text"`, "null", "[1]", "true", "zstd", "LZ4", "é", "not json {",
}

// documents are normal texts, as spec.JSON holds them.
var documents = []string{
	"", "1", "true", "[1]", "{}", `{"a":1}`, `"text"`, `"{\"functionmesh\":{\"v\":1}}"`, `"{\"a\":1}"`, `"builtin://x"`, `{"a":{"key":"k","path":"p"}}`, `{"cpu":1}`,
}

var keys = []string{
	"a", "customRuntimeOptions", "secrets", "resources", "runtime", "className", "jar", "py", "archive", "inputs", "parallelism", "name", "schemaType",
	"compressionType", "poolMessages", "autoAck", "batchingConfig", "batchBuilder", "roundRobinRouterBatchingPartitionSwitchFrequency", "skipToLatest",
}

func fill(r *rand.Rand, v reflect.Value, depth int) {
	switch v.Kind() {
	case reflect.String:
		if v.Type() == reflect.TypeFor[spec.JSON]() {
			v.SetString(documents[r.IntN(len(documents))])
			return
		}
		v.SetString(words[r.IntN(len(words))])
	case reflect.Bool:
		v.SetBool(r.IntN(2) == 0)
	case reflect.Int, reflect.Int64:
		v.SetInt(int64(r.IntN(5)) - 1)
	case reflect.Pointer:
		if r.IntN(3) == 0 {
			v.Set(reflect.New(v.Type().Elem()))
			fill(r, v.Elem(), depth+1)
		}
	case reflect.Map:
		if r.IntN(3) == 0 {
			v.Set(reflect.MakeMap(v.Type()))
			for range 1 + r.IntN(3) {
				e := reflect.New(v.Type().Elem()).Elem()
				fill(r, e, depth+1)
				v.SetMapIndex(reflect.ValueOf(keys[r.IntN(len(keys))]), e)
			}
		}
	case reflect.Struct:
		for _, field := range v.Fields() {
			if r.IntN(2) == 0 || depth > 0 {
				fill(r, field, depth+1)
			}
		}
	default:
	}
}

func FuzzDecode(f *testing.F) {
	for _, tc := range configs {
		f.Add(string(tc.kind), []byte(tc.config))
	}
	f.Add("function", []byte(`{"inputs":["a","a",null],"inputSpecs":{"a":null},"customSchemaInputs":{"b":"{\"schemaType\":\"x\"}"},"output":""}`))
	f.Add("sink", []byte(`{"customRuntimeOptions":"{\"functionmesh\":{\"v\":1,\"spec\":{\"name\":\"z\",\"extra\":null},\"raw\":\"r\"}}","name":null}`))
	f.Fuzz(func(t *testing.T, kind string, config []byte) {
		switch k := spec.Kind(kind); k {
		case spec.KindFunction, spec.KindSource, spec.KindSink:
			checkConfig(t, k, config)
		default:
			if _, err := Decode(k, config); err == nil {
				t.Fatalf("kind %q was accepted", kind)
			}
		}
	})
}
