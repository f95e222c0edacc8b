package provider_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/hashicorp/terraform-plugin-go/tfprotov6"
)

// What is wrong and known offline is said while planning, at its attribute.
func TestBadConfiguration(t *testing.T) {
	file := codeFile(t, "f.wasm", "code")
	python := codeFile(t, "f.py", "code")
	wasm := object{"wasm": object{"file": file}}
	function := object{"name": "f", "runtime": wasm, "inputs": object{"orders": object{}}}
	member := object{"runtime": wasm, "inputs": object{"orders": object{}}}
	const (
		err  = tfprotov6.DiagnosticSeverityError
		warn = tfprotov6.DiagnosticSeverityWarning
	)
	cases := map[string]struct {
		kind     string
		config   object
		severity tfprotov6.DiagnosticSeverity
		at       string
	}{
		"TopicSyntax":        {"function", with(function, object{"inputs": object{"a/b": object{}}}), err, `inputs["a/b"]`},
		"OutputSyntax":       {"function", with(function, object{"output": object{"topic": "ftp://a/b/c"}}), err, "output.topic"},
		"BothRuntimes":       {"function", with(function, object{"runtime": object{"wasm": object{"file": file}, "python": object{"file": python, "class": "f.f"}}}), err, "runtime"},
		"NoRuntime":          {"function", with(function, object{"runtime": nil}), err, "runtime"},
		"MissingClass":       {"function", with(function, object{"runtime": object{"python": object{"file": python}}}), err, "runtime.python.class"},
		"NoCode":             {"function", with(function, object{"runtime": object{"wasm": object{}}}), err, "runtime.wasm"},
		"ParallelismZero":    {"function", with(function, object{"parallelism": int64(0)}), err, "parallelism"},
		"SameTopicTwice":     {"function", with(function, object{"inputs": object{"orders": object{}, "public/default/orders": object{}}}), err, `inputs["public/default/orders"]`},
		"NoInputs":           {"function", with(function, object{"inputs": nil}), err, "inputs"},
		"BadQuantity":        {"function", with(function, object{"resources": object{"memory": "lots"}}), err, "resources.memory"},
		"UserConfigIsAList":  {"function", with(function, object{"user_config": "[1]"}), err, "user_config"},
		"NotOnLocal":         {"function", with(function, object{"processing_guarantees": "effectively_once"}), err, "processing_guarantees"},
		"NotOnLocalNested":   {"function", with(function, object{"inputs": object{"orders": object{"serde_class": "x.Y"}}}), err, `inputs["orders"].serde_class`},
		"JavaOnLocal":        {"function", with(function, object{"runtime": object{"java": object{"file": "f.jar", "class": "a.B"}}}), err, "runtime.java"},
		"UnknownConnector":   {"sink", object{"name": "s", "builtin": "nope", "inputs": object{"orders": object{}}}, err, "builtin"},
		"ConnectorSetting":   {"sink", object{"name": "s", "builtin": "file", "config": `{"pth":"x"}`, "inputs": object{"orders": object{}}}, err, "config"},
		"Partitions":         {"topic", object{"name": "t", "partitions": int64(-1)}, err, "partitions"},
		"TopicName":          {"topic", object{"name": "a/b"}, err, "name"},
		"MeshDuplicate":      {"mesh", object{"name": "m", "functions": object{"x": member}, "sinks": object{"x": object{"builtin": "file", "config": `{"path":"x"}`, "inputs": object{"orders": object{}}}}}, err, `sinks["x"]`},
		"MeshDangling":       {"mesh", object{"name": "m", "functions": object{"x": member}}, warn, `functions["x"].inputs["orders"]`},
		"MeshMember":         {"mesh", object{"name": "m", "functions": object{"x": with(member, object{"parallelism": int64(0)})}}, err, `functions["x"].parallelism`},
		"MeshNotOnLocal":     {"mesh", object{"name": "m", "functions": object{"x": with(member, object{"skip_to_latest": true})}}, err, `functions["x"].skip_to_latest`},
		"MeshWithoutMembers": {"mesh", object{"name": "m"}, err, ""},
		"SecretOfPulsar":     {"function", with(function, object{"secrets": object{"A": object{"key": "k"}}}), err, `secrets["A"].name`},
		"RegexOfPulsar":      {"function", with(function, object{"inputs": object{"orders-.*": object{}}}), warn, `inputs["orders-.*"].regex`},
		"NegativeRetries":    {"function", with(function, object{"max_message_retries": int64(-1)}), err, "max_message_retries"},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			p := newPlatform("one")
			c := newCore(t, p, "functionmesh_"+tc.kind, object{})
			diags := c.validate(tc.config)
			if !failed(diags) {
				c.plan(tc.config)
				diags = append(diags, c.diags...)
			}
			// Terraform finds the source line of a top attribute only; the text has the path.
			top := strings.FieldsFunc(tc.at+".", func(r rune) bool { return r == '.' || r == '[' })
			if !slices.ContainsFunc(diags, func(d *tfprotov6.Diagnostic) bool {
				return d.Severity == tc.severity && at(d) == strings.Join(top[:min(1, len(top))], "") && (tc.at == "" || strings.HasPrefix(d.Detail, tc.at+": ") || at(d) == tc.at)
			}) {
				t.Errorf("want %s at %q, got\n%s", tc.severity, tc.at, printed(diags))
			}
			if tc.severity == warn && failed(diags) {
				t.Errorf("a warning must not stop a plan:\n%s", printed(diags))
			}
			if p.opened.Load() > 0 {
				t.Error("the platform was asked")
			}
		})
	}
}

func TestBadProviderConfiguration(t *testing.T) {
	noPulsarVariables(t)
	cases := map[string]struct {
		config object
		at     string
	}{
		"NoServiceURL": {object{"local": object{}, "pulsar": object{"admin_url": "http://localhost:8080"}}, "pulsar.service_url"},
		"NoAdminURL":   {object{"pulsar": object{}}, "pulsar.admin_url"},
		"BadAdminURL":  {object{"pulsar": object{"admin_url": "localhost:8080"}}, "pulsar.admin_url"},
		"UserInURL":    {object{"pulsar": object{"admin_url": "http://localhost:8080", "service_url": "pulsar://me:secret@localhost"}}, "pulsar.service_url"},
		"TwoTokens":    {object{"pulsar": object{"admin_url": "http://localhost:8080", "service_url": "pulsar://localhost", "token": "a", "token_file": "b"}}, "pulsar.token_file"},
		"OAuth2":       {object{"pulsar": object{"admin_url": "http://localhost:8080", "service_url": "pulsar://localhost", "oauth2": object{"issuer_url": "https://issuer", "key_file": "/key"}}}, "pulsar.oauth2"},
		"HalfKeyPair":  {object{"pulsar": object{"admin_url": "http://localhost:8080", "service_url": "pulsar://localhost", "tls": object{"cert_file": "c"}}}, "pulsar.tls.cert_file"},
		"Connection":   {object{"connections": object{"eu": object{"service_url": "http://localhost"}}}, `connections["eu"].service_url`},
		"Nameless":     {object{"connections": object{"": object{"service_url": "pulsar://localhost"}}}, `connections[""]`},
		"Duration":     {object{"local": object{"idle_timeout": "soon"}}, "local.idle_timeout"},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			server := newServer(t, newPlatform("one").open)
			schema, err := server.GetProviderSchema(t.Context(), &tfprotov6.GetProviderSchemaRequest{})
			if err != nil {
				t.Fatal(err)
			}
			v := asValue(t, schema.Provider.ValueType(), tc.config)
			d, err := tfprotov6.NewDynamicValue(v.Type(), v)
			if err != nil {
				t.Fatal(err)
			}
			resp, err := server.ValidateProviderConfig(t.Context(), &tfprotov6.ValidateProviderConfigRequest{Config: &d})
			if err != nil {
				t.Fatal(err)
			}
			if len(resp.Diagnostics) != 1 || at(resp.Diagnostics[0]) != tc.at {
				t.Errorf("want one error at %q, got\n%s", tc.at, printed(resp.Diagnostics))
			}
		})
	}
}
