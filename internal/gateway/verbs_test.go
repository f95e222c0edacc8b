package gateway_test

import (
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/functionmesh/terraform-provider-functionmesh/internal/engine"
	"github.com/functionmesh/terraform-provider-functionmesh/internal/engine/enginetest"
	"github.com/functionmesh/terraform-provider-functionmesh/internal/gateway"
	"github.com/functionmesh/terraform-provider-functionmesh/internal/pulsarform"
	"github.com/functionmesh/terraform-provider-functionmesh/internal/spec"
)

// withFunction stores a function with two instances, one of which runs.
func withFunction(t *testing.T) *bench {
	t.Helper()
	b := start(t, nil)
	b.send(t, "POST", functions+"/f", 204, config(`{"runtime":"PYTHON","className":"f.F","inputs":["in"]}`), data("x"))
	b.components[spec.KindFunction].Status = func(spec.Component) engine.Status {
		return engine.Status{
			Phase: engine.Progressing, Reason: "Starting", Wanted: 2, Ready: 1,
			Instances: []engine.Instance{{
				ID: 0, Running: true, Ready: true, Received: 7, Processed: 5, Failures: 3, Restarts: 1, Error: "e",
				LatencyMs: 1.5, LastInvocationMs: 9, Exceptions: map[string]engine.Exceptions{
					"user": {Total: 2, Latest: []engine.Exception{{Message: "bad", AtMs: 8}}}, "sink": {Total: 1},
				},
			}},
		}
	}
	return b
}

func TestStatus(t *testing.T) {
	b := withFunction(t)
	zero := `{"running":true,"error":"e","numRestarts":1,"workerId":"here","numReceived":7,"numSuccessfullyProcessed":5,
		"averageLatency":1.5,"lastInvocationTime":9,"numUserExceptions":2,"latestUserExceptions":[{"exceptionString":"bad","timestampMs":8}],
		"numSystemExceptions":0,"latestSystemExceptions":[],"numSourceExceptions":0,"latestSourceExceptions":[],"numSinkExceptions":1,"latestSinkExceptions":[]}`
	b.want(t, "GET "+functions+"/f/status", "", 200, `{"numInstances":2,"numRunning":1,"instances":[{"instanceId":0,"status":`+zero+`}],
		"functionmesh":{"phase":"progressing","reason":"Starting","wanted":2,"ready":1,"instances":[{"id":0,"running":true,"ready":true,
		"restarts":1,"error":"e","received":7,"processed":5,"failures":3,"latency_ms":1.5,"last_invocation_ms":9,
		"exceptions":{"user":{"total":2,"latest":[{"message":"bad","at_ms":8}]},"sink":{"total":1}}}]}}`)
	b.want(t, "GET "+functions+"/f/0/status", "", 200, zero)
	b.want(t, "GET "+functions+"/f/1/status", "", 200, "")
	b.want(t, "GET "+functions+"/f/2/status", "", 400, "")
	b.want(t, "GET "+functions+"/f/-1/status", "", 400, "")
	b.want(t, "GET "+functions+"/g/status", "", 404, "")
	metrics := `"receivedTotal":7,"processedSuccessfullyTotal":5,"userExceptionsTotal":2,"systemExceptionsTotal":0,"avgProcessLatency":1.5,"lastInvocation":9`
	b.want(t, "GET "+functions+"/f/stats", "", 200, `{`+metrics+`,"instances":[{"instanceId":0,"metrics":{`+metrics+`}}]}`)
	b.want(t, "GET "+functions+"/f/0/stats", "", 200, `{`+metrics+`}`)
	b.want(t, "GET "+functions+"/f/9/stats", "", 400, "")
}

func TestVerbs(t *testing.T) {
	b := withFunction(t)
	for _, verb := range []string{"stop", "start", "restart", "1/restart", "0/stop"} {
		b.want(t, "POST "+functions+"/f/"+verb, "", 204, "")
		want := map[string]spec.State{"stop": spec.StateStopped, "start": spec.StateRunning}[verb]
		if got := b.function(t, "f").Spec.State; want != "" && got != want {
			t.Errorf("after %s the state is %q", verb, got)
		}
	}
	const key = "public/default/f"
	if got := b.components[spec.KindFunction].Acts(); !slices.Equal(got, []string{"restart " + key, "restart " + key, "stop " + key}) {
		t.Errorf("acts: %v", got)
	}
	b.want(t, "POST "+functions+"/f/2/restart", "", 400, "")
	b.want(t, "POST "+functions+"/g/stop", "", 404, "")
	b.want(t, "GET "+functions+"/f/state/k", "", 405, "")
	b.want(t, "PATCH "+functions+"/f", "", 405, "")
	b.want(t, "GET /v3/nothing", "", 404, "")
	b.want(t, "POST /v3/functions/upload", "", 405, "")
	b.want(t, "GET /v3/functions/download?path=/etc/passwd", "", 400, "")
	b.want(t, "GET /v3/functions/download?path=function://public/default/none", "", 404, "")

	b.send(t, "POST", functions+"/f/trigger", 200, [3]string{"dataStream", "text/plain", "m"}, [3]string{"topic", "text/plain", "in"})
	b.send(t, "POST", functions+"/f/trigger", 400, [3]string{"topic", "text/plain", "in"})
	b.send(t, "POST", functions+"/g/trigger", 404, [3]string{"data", "text/plain", "m"})
}

func TestUpdateWithoutDifferenceWritesNothing(t *testing.T) {
	b := withFunction(t)
	before := b.components[spec.KindFunction].Calls(enginetest.Update)
	b.send(t, "PUT", functions+"/f", 204, config(`{"parallelism":1}`))
	if after := b.components[spec.KindFunction].Calls(enginetest.Update); after != before {
		t.Errorf("%d updates", after-before)
	}
}

func TestCatalogue(t *testing.T) {
	b := start(t, nil)
	for _, path := range []string{"/v3/sources/builtinsources", "/v3/sinks/builtinsinks", "/v3/functions/connectors"} {
		if _, text := b.do(t, "GET", path, "", nil); !strings.Contains(text, `"name":"file"`) {
			t.Errorf("%s: %s", path, text)
		}
	}
	if _, text := b.do(t, "GET", "/v3/sinks/builtinsinks/file/configdefinition", "", nil); !strings.Contains(text, `"fieldName":"path"`) {
		t.Errorf("fields: %s", text)
	}
	b.want(t, "GET /v3/sinks/builtinsinks/generator/configdefinition", "", 404, "")
	b.want(t, "GET /v3/functions/builtins", "", 200, `[]`)
	for _, path := range []string{"/v3/functions/builtins/reload", "/v3/sources/reloadBuiltInSources", "/v3/sinks/reloadBuiltInSinks"} {
		b.want(t, "POST "+path, "", 204, "")
	}
	b.want(t, "GET /v2/brokers/health", "", 200, "")
}

func TestConnectors(t *testing.T) {
	b := start(t, nil)
	sink := [3]string{"sinkConfig", "application/json", `{"archive":"builtin://file","inputs":["in"],"configs":{"path":"p"}}`}
	b.send(t, "POST", "/v3/sinks/public/default/s", 204, sink)
	b.send(t, "POST", "/v3/sinks/public/default/u", 204,
		[3]string{"sinkConfig", "application/json", `{"inputs":["in"],"configs":{"path":"p"}}`}, [3]string{"url", "text/plain", "builtin://file"})
	b.send(t, "POST", "/v3/sinks/public/default/n", 400, sink, data("nar"))
	b.want(t, "GET /v3/sinks/public/default", "", 200, `["s","u"]`)
	b.want(t, "GET /v3/sinks/public/default/s/status", "", 200, "")
	b.want(t, "GET /v3/sinks/public/default/s/stats", "", 404, "")
	b.want(t, "POST /v3/sinks/public/default/s/stop", "", 204, "")
	b.want(t, "DELETE /v3/sinks/public/default/s", "", 204, "")
}

func TestToken(t *testing.T) {
	for name, tc := range map[string]struct {
		token, header string
		status        int
	}{
		"Right":      {"t", "Bearer t", 200},
		"Wrong":      {"t", "Bearer u", 401},
		"Missing":    {"t", "", 401},
		"Longer":     {"t", "Bearer tt", 401},
		"NoneIsSet":  {"", "Bearer ", 401},
		"NoneIsSent": {"", "", 401},
	} {
		t.Run(name, func(t *testing.T) {
			b := start(t, func(o *gateway.Options) { o.Remote, o.Token = true, spec.NewSecret(tc.token) })
			if tc.header != "" {
				b.header.Set("Authorization", tc.header)
			}
			b.want(t, "GET /v2/clusters", "", tc.status, "")
		})
	}
}

func TestBodiesAreBounded(t *testing.T) {
	b := start(t, func(o *gateway.Options) { o.MaxUpload = 1000 })
	contentType, text := body(t, config(`{"runtime":"PYTHON","className":"f.F","inputs":["in"]}`), data(strings.Repeat("x", 2000)))
	resp, answer := b.do(t, "POST", functions+"/f", contentType, text)
	if resp.StatusCode != http.StatusBadRequest || !strings.Contains(answer, "longer") {
		t.Errorf("%d %s", resp.StatusCode, answer)
	}
	for name, broken := range map[string][]byte{"Truncated": text[:300], "NoMultipart": []byte("{}")} {
		t.Run(name, func(t *testing.T) {
			if resp, answer := b.do(t, "POST", functions+"/f", contentType, broken); resp.StatusCode != http.StatusBadRequest {
				t.Errorf("%d %s", resp.StatusCode, answer)
			}
		})
	}
	b.want(t, "PUT /v2/tenants/t", `{"adminRoles":[`, 400, "")
}

func TestClassesHaveStatuses(t *testing.T) {
	for class, status := range map[engine.Class]int{
		engine.NotFound: 404, engine.Exists: 409, engine.Conflict: 409, engine.Invalid: 400, engine.Immutable: 412,
		engine.Forbidden: 403, engine.Unavailable: 503, "": 500,
	} {
		b := start(t, nil)
		b.tenants.FailNext(enginetest.Create, 1, class)
		resp, _ := b.do(t, "PUT", "/v2/tenants/t", "", nil)
		if resp.StatusCode != status || resp.Header.Get(pulsarform.HeaderClass) != string(class) {
			t.Errorf("class %q: %d, %q", class, resp.StatusCode, resp.Header.Get(pulsarform.HeaderClass))
		}
		if got := pulsarform.ClassOf(status); engine.Class(got) != class && class != engine.Conflict {
			t.Errorf("%d is read as %q, want %q", status, got, class)
		}
	}
}

func TestPackages(t *testing.T) {
	b := start(t, nil)
	const at = "/v3/packages/function/public/default"
	meta := [3]string{"metadata", "application/json", `{"description":"d","contact":"c","properties":{"k":"v"}}`}
	file := func(text string) [3]string { return [3]string{"file", "application/octet-stream", text} }
	b.send(t, "POST", at+"/p/1", 204, meta, file("one"))
	b.send(t, "POST", at+"/p/2", 204, meta, file("two"))
	b.send(t, "POST", at+"/p/2", 409, meta, file("two"))
	b.send(t, "POST", at+"/q/1", 400, meta)
	b.send(t, "POST", at+"/q/1", 400, file("x"), meta)
	b.want(t, "GET "+at, "", 200, `["p"]`)
	b.want(t, "GET "+at+"/p", "", 200, `["1","2"]`)
	if _, text := b.do(t, "GET", at+"/p/1", "", nil); text != "one" {
		t.Errorf("download: %q", text)
	}
	if _, text := b.do(t, "GET", "/v3/functions/download?path=function://public/default/p", "", nil); text != "two" {
		t.Errorf("the newest version: %q", text)
	}
	b.want(t, "GET "+at+"/p/1/metadata", "", 200, `{"description":"d","contact":"c","fileName":"f.py","properties":{"k":"v"}}`)
	b.want(t, "PUT "+at+"/p/1/metadata", `{"description":"e"}`, 204, "")
	b.want(t, "PUT "+at+"/p/9/metadata", `{}`, 404, "")
	b.want(t, "GET "+at+"/p/1/metadata", "", 200, `{"description":"e"}`)
	b.want(t, "DELETE "+at+"/p/1", "", 204, "")
	b.want(t, "DELETE "+at+"/p/1", "", 404, "")
	b.want(t, "GET "+at+"/p/1", "", 404, "")
	b.want(t, "GET /v3/packages/recipe/public/default", "", 400, "")
}

func TestPackagesAreNamedLikeObjects(t *testing.T) {
	b := start(t, nil)
	file := [3]string{"file", "application/octet-stream", "x"}
	paths := map[string]string{
		"Tenant":       "/pub%20lic/default/p/1",
		"Namespace":    "/public/..%2F..%2Fetc/p/1",
		"NamespaceDot": "/public/%2E%2E/p/1",
		"Name":         "/public/default/a%0Ab/1",
		"NameDots":     "/public/default/%2E%2E/1",
		"Version":      "/public/default/p/1%00",
		"VersionDots":  "/public/default/p/%2E%2E",
		"VersionSpace": "/public/default/p/1%202",
	}
	for name, path := range paths {
		t.Run(name, func(t *testing.T) {
			contentType, text := body(t, file)
			resp, answer := b.do(t, "POST", "/v3/packages/function"+path, contentType, text)
			if resp.StatusCode/100 != 4 {
				t.Errorf("%d %s", resp.StatusCode, answer)
			}
		})
	}
	for _, url := range []string{"function://../default/p@1", "function://a/../p@1", "function://a/b/..@1", "function://a/b/c@..", "function://a/b/c\n@1", "function:///b/c@1"} {
		if _, err := gateway.ParsePackage(url); !engine.Is(err, engine.Invalid) {
			t.Errorf("%q: %v, want invalid", url, err)
		}
	}
	b.send(t, "POST", "/v3/packages/function/public/default/a%20b/1", 400, file)
	b.send(t, "POST", "/v3/packages/function/public/default/p/1.0-beta_2", 204, file)
}

// silent is a client without one-off verbs and lists.
type silent struct{ engine.Client[spec.Component] }

func TestWhatAPlatformCannotDoIsRefused(t *testing.T) {
	b := start(t, func(o *gateway.Options) {
		o.Clients.Components = map[spec.Kind]engine.Client[spec.Component]{
			spec.KindFunction: silent{o.Clients.Components[spec.KindFunction]},
			spec.KindSource:   o.Clients.Components[spec.KindSource], spec.KindSink: o.Clients.Components[spec.KindSink],
		}
	})
	b.send(t, "POST", functions+"/f", 204, config(`{"runtime":"PYTHON","className":"f.F","inputs":["in"]}`), data("x"))
	b.want(t, "POST "+functions+"/f/restart", "", 400, "")
	b.want(t, "GET "+functions, "", 400, "")
}
