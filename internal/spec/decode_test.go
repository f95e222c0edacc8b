package spec

import (
	"encoding/json"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestDecodeComponent(t *testing.T) {
	t.Parallel()
	cases := map[string]struct {
		text string
		want Component
		bad  []string
	}{
		"Function": {
			text: `{
				"name": "enrich", "runtime": {"python": {"file": "enrich.py", "class": "enrich.Enrich"}},
				"inputs": {"orders": {"regex": true, "receiver_queue_size": 5, "extra": {"poolMessages": true}}, "more": null},
				"output": {"topic": "enriched", "producer": {"compression": "zstd"}},
				"subscription": {"name": "s", "position": "earliest"}, "timeout_ms": 9007199254740993, "parallelism": 2,
				"user_config": {"n": 9007199254740993}, "resources": {"cpu": 1, "memory": "1Gi"},
				"secrets": {"A": {"name": "n", "key": "k"}}, "extra": {"windowConfig": {"b": 1, "a": 2}}, "log_topic": null
			}`,
			want: Component{
				Kind: KindFunction, Name: "enrich",
				Runtime: &Runtime{Python: &Code{File: "enrich.py", Class: "enrich.Enrich"}},
				Inputs: map[string]Input{
					"orders": {Regex: new(true), ReceiverQueueSize: new(5), Extra: map[string]JSON{"poolMessages": "true"}}, "more": {},
				},
				Output:       &Output{Topic: "enriched", Producer: &Producer{Compression: "zstd"}},
				Subscription: &Subscription{Name: "s", Position: Earliest},
				TimeoutMs:    new(int64(9007199254740993)), Parallelism: new(2),
				UserConfig: `{"n":9007199254740993}`, Resources: &Resources{CPU: "1", Memory: "1Gi"},
				Secrets: map[string]SecretRef{"A": {Name: "n", Key: "k"}}, Extra: map[string]JSON{"windowConfig": `{"a":2,"b":1}`},
			},
		},
		"ConfigAsText":   {text: `{"config": "{\"path\": \"x\"}", "user_config": "{}"}`, want: Component{Kind: KindFunction, Config: `{"path":"x"}`, UserConfig: "{}"}},
		"ConfigAsNoText": {text: `{"config": "path", "user_config": "[1]"}`, want: Component{Kind: KindFunction, Config: `"path"`, UserConfig: `"[1]"`}},
		"Empty":          {text: `{}`, want: Component{Kind: KindFunction}},
		"NoJSON":         {text: `{`, bad: []string{""}},
		"Null":           {text: `null`, bad: []string{""}},
		"List":           {text: `[]`, bad: []string{""}},
		"Repeated":       {text: `{"name":"a","name":"b"}`, bad: []string{""}},
		"Unknown": {
			text: `{"nome":"x","kind":"sink","inputs":{"a":{"shema":"json"}},"runtime":{"rust":{}},"a b":1,"Name":"x"}`,
			bad:  []string{"Name", `["a b"]`, `inputs["a"].shema`, "kind", "nome", "runtime.rust"},
		},
		"WrongTypes": {
			text: `{"name":1,"parallelism":"2","timeout_ms":1.5,"retain_ordering":"true","inputs":["a"],"output":"x","resources":{"cpu":true},"secrets":{"a":"b"},"max_message_retries":1e30,"extra":[]}`,
			bad: []string{
				"extra", "inputs", "max_message_retries", "name", "output", "parallelism", "resources.cpu", "retain_ordering", `secrets["a"]`, "timeout_ms",
			},
		},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got, problems := DecodeComponent(KindFunction, []byte(tc.text))
			if tc.bad != nil {
				tc.want = Component{Kind: KindFunction}
			}
			if diff := cmp.Diff(tc.bad, errorPaths(problems)); diff != "" {
				t.Errorf("paths (-want +got):\n%s\n%v", diff, problems)
			}
			if diff := cmp.Diff(tc.want, got); diff != "" {
				t.Errorf("component (-want +got):\n%s", diff)
			}
		})
	}
}

func TestDecodeMesh(t *testing.T) {
	t.Parallel()
	text, err := json.Marshal(testMesh())
	if err != nil {
		t.Fatal(err)
	}
	want := testMesh()
	for _, kind := range meshOrder() {
		for key, c := range want.Components(kind) {
			c.Kind = kind
			want.Components(kind)[key] = c
		}
	}
	got, problems := DecodeMesh(text)
	if diff := cmp.Diff(want, got); diff != "" || len(problems) > 0 {
		t.Errorf("mesh, %v (-want +got):\n%s", problems, diff)
	}
	_, problems = DecodeMesh([]byte(`{"functions":{"a":{"x":1},"b":null},"connectors":{}}`))
	if diff := cmp.Diff([]string{"connectors", `functions["a"].x`}, errorPaths(problems)); diff != "" {
		t.Errorf("paths (-want +got):\n%s", diff)
	}
}

func TestDecodeStreams(t *testing.T) {
	t.Parallel()
	topic, problems := DecodeTopic([]byte(`{"name":"orders","partitions":4,"properties":{"a":"b"}}`))
	if diff := cmp.Diff(Topic{Name: "orders", Partitions: new(4), Properties: map[string]string{"a": "b"}}, topic); diff != "" || len(problems) > 0 {
		t.Errorf("topic, %v (-want +got):\n%s", problems, diff)
	}
	tenant, problems := DecodeTenant([]byte(`{"name":"shop","admin_roles":["a"]}`))
	if diff := cmp.Diff(Tenant{Name: "shop", AdminRoles: []string{"a"}}, tenant); diff != "" || len(problems) > 0 {
		t.Errorf("tenant, %v (-want +got):\n%s", problems, diff)
	}
	_, problems = DecodeTenant([]byte(`{"admin_roles":["a",1],"allowed_clusters":"x"}`))
	if diff := cmp.Diff([]string{"admin_roles[1]", "allowed_clusters"}, errorPaths(problems)); diff != "" {
		t.Errorf("paths (-want +got):\n%s", diff)
	}
	_, problems = DecodeNamespace([]byte(`{"name":"eu","policies":{}}`))
	if diff := cmp.Diff([]string{"policies"}, errorPaths(problems)); diff != "" {
		t.Errorf("paths (-want +got):\n%s", diff)
	}
}
