package spec

import (
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func validFunction() Component {
	return Component{
		Kind: KindFunction, Name: "enrich",
		Runtime: &Runtime{Python: &Code{File: "enrich.py", Class: "enrich.Enrich"}},
		Inputs:  map[string]Input{"orders": {}},
		Output:  &Output{Topic: "enriched"},
	}
}

func validSource() Component {
	return Component{
		Kind: KindSource, Name: "intake", Builtin: "file",
		Config: `{"path":"orders.ndjson"}`, Output: &Output{Topic: "orders"},
	}
}

func validSink() Component {
	return Component{
		Kind: KindSink, Name: "store", Builtin: "file",
		Config: `{"path":"scored.ndjson"}`, Inputs: map[string]Input{"scored": {}},
	}
}

func errorPaths(problems []Problem) []string {
	var paths []string
	for _, p := range problems {
		if p.Message == "" || p.Severity == "" {
			paths = append(paths, "incomplete problem at "+string(p.Path))
			continue
		}
		mark := ""
		if p.Severity == SeverityWarning {
			mark = "warning "
		}
		paths = append(paths, mark+string(p.Path))
	}
	slices.Sort(paths)
	return paths
}

func TestValidateComponent(t *testing.T) {
	t.Parallel()
	function, source, sink := validFunction, validSource, validSink
	cases := map[string]struct {
		base func() Component
		edit func(*Component)
		want []string
	}{
		"Function":       {base: function},
		"Source":         {base: source},
		"Sink":           {base: sink},
		"NoKind":         {base: function, edit: func(c *Component) { c.Kind = "" }, want: []string{""}},
		"NoName":         {base: function, edit: func(c *Component) { c.Name = "" }, want: []string{"name"}},
		"BadName":        {base: function, edit: func(c *Component) { c.Name = "a/b" }, want: []string{"name"}},
		"DotName":        {base: function, edit: func(c *Component) { c.Name = ".." }, want: []string{"name"}},
		"LongName":       {base: function, edit: func(c *Component) { c.Name = longText(MaxName + 1) }, want: []string{"name"}},
		"BadParentsOnce": {base: function, edit: func(c *Component) { c.Tenant, c.Namespace = "a b", "ü" }, want: []string{"namespace", "tenant"}},

		"NoRuntime":    {base: function, edit: func(c *Component) { c.Runtime = nil }, want: []string{"runtime"}},
		"EmptyRuntime": {base: function, edit: func(c *Component) { c.Runtime = &Runtime{} }, want: []string{"runtime"}},
		"TwoRuntimes": {
			base: function,
			edit: func(c *Component) { c.Runtime.WASM = &Code{File: "a.wasm"} },
			want: []string{"runtime"},
		},
		"FunctionWithBuiltin": {base: function, edit: func(c *Component) { c.Builtin = "file" }, want: []string{"builtin"}},
		"FunctionWithConfig":  {base: function, edit: func(c *Component) { c.Config = "{}" }, want: []string{"config"}},
		"SourceWithRuntime":   {base: source, edit: func(c *Component) { c.Runtime = validFunction().Runtime }, want: []string{"runtime"}},
		"SinkWithUserConfig":  {base: sink, edit: func(c *Component) { c.UserConfig = "{}" }, want: []string{"user_config"}},
		"NoBuiltin":           {base: source, edit: func(c *Component) { c.Builtin = "" }, want: []string{"builtin"}},
		"UnknownBuiltin":      {base: source, edit: func(c *Component) { c.Builtin = "kafka" }, want: []string{"builtin"}},
		"SinkGenerator":       {base: sink, edit: func(c *Component) { c.Builtin = "generator" }, want: []string{"builtin"}},

		"NoClass":         {base: function, edit: func(c *Component) { c.Runtime.Python.Class = "" }, want: []string{"runtime.python.class"}},
		"PlainModule":     {base: function, edit: func(c *Component) { c.Runtime.Python.Class = "enrich" }},
		"OtherModule":     {base: function, edit: func(c *Component) { c.Runtime.Python.Class = "enrichh" }, want: []string{"runtime.python.class"}},
		"HalfAClass":      {base: function, edit: func(c *Component) { c.Runtime.Python.Class = "enrich." }, want: []string{"runtime.python.class"}},
		"WheelNeedsClass": {base: function, edit: func(c *Component) { c.Runtime.Python = &Code{File: "a.whl"} }, want: []string{"runtime.python.class"}},
		"PythonFileKind":  {base: function, edit: func(c *Component) { c.Runtime.Python.File = "enrich.js" }, want: []string{"runtime.python.file"}},
		"JavaNoClass":     {base: function, edit: func(c *Component) { c.Runtime = &Runtime{Java: &Code{File: "a.jar"}} }, want: []string{"runtime.java.class"}},
		"JavaClass":       {base: function, edit: func(c *Component) { c.Runtime = &Runtime{Java: &Code{File: "a.jar", Class: "x.Y$Z"}} }},
		"GoWithClass":     {base: function, edit: func(c *Component) { c.Runtime = &Runtime{Go: &Code{File: "a", Class: "x"}} }, want: []string{"runtime.go.class"}},
		"NoCode":          {base: function, edit: func(c *Component) { c.Runtime = &Runtime{WASM: &Code{}} }, want: []string{"runtime.wasm"}},
		"OnlyDigest":      {base: function, edit: func(c *Component) { c.Runtime = &Runtime{WASM: &Code{SHA256: longDigest()}} }},
		"FileAndURL":      {base: function, edit: func(c *Component) { c.Runtime.Python.URL = "https://x/y" }, want: []string{"runtime.python.url"}},
		"BadDigest":       {base: function, edit: func(c *Component) { c.Runtime.Python.SHA256 = "ABC" }, want: []string{"runtime.python.sha256"}},

		"ConfigNotJSON":      {base: source, edit: func(c *Component) { c.Config = "{" }, want: []string{"config"}},
		"ConfigList":         {base: source, edit: func(c *Component) { c.Config = "[]" }, want: []string{"config"}},
		"UserConfigText":     {base: function, edit: func(c *Component) { c.UserConfig = `"x"` }, want: []string{"user_config"}},
		"ConfigMissing":      {base: source, edit: func(c *Component) { c.Config = "" }, want: []string{"config.path"}},
		"ConfigEmptyPath":    {base: source, edit: func(c *Component) { c.Config = `{"path":""}` }, want: []string{"config.path"}},
		"ConfigWrongType":    {base: source, edit: func(c *Component) { c.Config = `{"path":3}` }, want: []string{"config.path"}},
		"ConfigEnum":         {base: source, edit: func(c *Component) { c.Config = `{"path":"p","format":"csv"}` }, want: []string{"config.format"}},
		"ConfigUnknown":      {base: source, edit: func(c *Component) { c.Config = `{"path":"p","paht":1,"a b":2}` }, want: []string{"config.paht", `config["a b"]`}},
		"SinkHasNoMode":      {base: sink, edit: func(c *Component) { c.Config = `{"path":"p","mode":"tail"}` }, want: []string{"config.mode"}},
		"GeneratorDefaults":  {base: source, edit: func(c *Component) { c.Builtin, c.Config = "generator", "" }},
		"GeneratorNegative":  {base: source, edit: func(c *Component) { c.Builtin, c.Config = "generator", `{"count":-1}` }, want: []string{"config.count"}},
		"GeneratorFraction":  {base: source, edit: func(c *Component) { c.Builtin, c.Config = "generator", `{"count":1.5,"rate":0.5}` }, want: []string{"config.count"}},
		"GeneratorTooLarge":  {base: source, edit: func(c *Component) { c.Builtin, c.Config = "generator", `{"size":1e19}` }, want: []string{"config.size"}},
		"GeneratorTextCount": {base: source, edit: func(c *Component) { c.Builtin, c.Config = "generator", `{"count":"5"}` }, want: []string{"config.count"}},
		"GeneratorExponent":  {base: source, edit: func(c *Component) { c.Builtin, c.Config = "generator", `{"count":1e3,"rate":1e3}` }, want: []string{"config.count"}},
		"GeneratorTooBig":    {base: source, edit: func(c *Component) { c.Builtin, c.Config = "generator", `{"size":4194305}` }, want: []string{"config.size"}},
		"GeneratorBig":       {base: source, edit: func(c *Component) { c.Builtin, c.Config = "generator", `{"size":4194304,"template":"n={n}"}` }},

		"NoInputs":       {base: function, edit: func(c *Component) { c.Inputs = nil }, want: []string{"inputs"}},
		"PatternAlone":   {base: function, edit: func(c *Component) { c.Inputs, c.TopicsPattern = nil, "persistent://a/b/.*" }},
		"SinkNoInputs":   {base: sink, edit: func(c *Component) { c.Inputs = nil }, want: []string{"inputs"}},
		"BadInput":       {base: function, edit: func(c *Component) { c.Inputs = map[string]Input{"kafka://a/b/c": {}} }, want: []string{`inputs["kafka://a/b/c"]`}},
		"EmptyInput":     {base: function, edit: func(c *Component) { c.Inputs = map[string]Input{"": {}} }, want: []string{`inputs[""]`}},
		"SameInputTwice": {base: function, edit: func(c *Component) { c.Inputs["public/default/orders"] = Input{} }, want: []string{`inputs["public/default/orders"]`}},
		"PartitionToo":   {base: function, edit: func(c *Component) { c.Inputs["orders-partition-1"] = Input{} }, want: []string{`inputs["orders-partition-1"]`}},
		"TwoPartitions": {base: function, edit: func(c *Component) {
			c.Inputs = map[string]Input{"orders-partition-0": {}, "orders-partition-1": {}}
		}},
		"QueueSize":      {base: function, edit: func(c *Component) { c.Inputs["orders"] = Input{ReceiverQueueSize: new(-1)} }, want: []string{`inputs["orders"].receiver_queue_size`}},
		"SchemaAndSerde": {base: function, edit: func(c *Component) { c.Inputs["orders"] = Input{Schema: "json", SerdeClass: "X"} }, want: []string{`inputs["orders"].serde_class`}},
		"InputExtraWord": {base: function, edit: func(c *Component) { c.Inputs["orders"] = Input{Extra: map[string]JSON{"schemaType": `"x"`}} }, want: []string{`inputs["orders"].extra["schemaType"]`}},

		"SelfLoop":          {base: function, edit: func(c *Component) { c.Output.Topic = "orders" }, want: []string{"warning output.topic"}},
		"LoopElsewhere":     {base: function, edit: func(c *Component) { c.Output.Topic, c.Output.Connection = "orders", "eu" }},
		"NoOutput":          {base: function, edit: func(c *Component) { c.Output = nil }},
		"OutputNoTopic":     {base: function, edit: func(c *Component) { c.Output = &Output{} }, want: []string{"output.topic"}},
		"BadOutput":         {base: function, edit: func(c *Component) { c.Output.Topic = "a/b" }, want: []string{"output.topic"}},
		"OutputSerde":       {base: function, edit: func(c *Component) { c.Output.Schema, c.Output.SerdeClass = "a", "b" }, want: []string{"output.serde_class"}},
		"Compression":       {base: function, edit: func(c *Component) { c.Output.Producer = &Producer{Compression: "rar"} }, want: []string{"output.producer.compression"}},
		"Pending":           {base: function, edit: func(c *Component) { c.Output.Producer = &Producer{MaxPendingMessages: new(-1)} }, want: []string{"output.producer.max_pending_messages"}},
		"ProducerExtraWord": {base: function, edit: func(c *Component) { c.Output.Producer = &Producer{Extra: map[string]JSON{"compressionType": "1"}} }, want: []string{`output.producer.extra["compressionType"]`}},
		"SourceNoOutput":    {base: source, edit: func(c *Component) { c.Output = nil }, want: []string{"output"}},
		"SinkWithOutput":    {base: sink, edit: func(c *Component) { c.Output = &Output{Topic: "x"} }, want: []string{"output"}},
		"SinkForwards":      {base: sink, edit: func(c *Component) { c.ForwardSourceMessageProperty = new(true) }, want: []string{"forward_source_message_property"}},
		"SourceReads": {
			base: source,
			edit: func(c *Component) {
				c.Inputs, c.TopicsPattern, c.Subscription = map[string]Input{"a": {}}, "x", &Subscription{}
				c.RetainOrdering, c.RetainKeyOrdering, c.CleanupSubscription = new(false), new(false), new(false)
				c.ForwardSourceMessageProperty, c.MaxMessageRetries, c.TimeoutMs = new(true), new(1), new(int64(5))
				c.DeadLetterTopic = "dead"
			},
			want: []string{
				"cleanup_subscription", "dead_letter_topic", "forward_source_message_property", "inputs", "max_message_retries",
				"retain_key_ordering", "retain_ordering", "subscription", "timeout_ms", "topics_pattern",
			},
		},

		"Position":         {base: function, edit: func(c *Component) { c.Subscription = &Subscription{Position: "first"} }, want: []string{"subscription.position"}},
		"SubscriptionName": {base: function, edit: func(c *Component) { c.Subscription = &Subscription{Name: "a\n"} }, want: []string{"subscription.name"}},
		"Guarantee":        {base: function, edit: func(c *Component) { c.ProcessingGuarantees = "ATLEAST_ONCE" }, want: []string{"processing_guarantees"}},
		"BothOrders":       {base: function, edit: func(c *Component) { c.RetainOrdering, c.RetainKeyOrdering = new(true), new(true) }, want: []string{"retain_key_ordering"}},
		"OneOrder":         {base: function, edit: func(c *Component) { c.RetainOrdering, c.RetainKeyOrdering = new(true), new(false) }},
		"Retries":          {base: function, edit: func(c *Component) { c.MaxMessageRetries = new(-1) }, want: []string{"max_message_retries"}},
		"NoRetries":        {base: function, edit: func(c *Component) { c.MaxMessageRetries = new(0) }},
		"Timeout":          {base: function, edit: func(c *Component) { c.TimeoutMs = new(int64(-1)) }, want: []string{"timeout_ms"}},
		"EffectiveRetries": {
			base: function,
			edit: func(c *Component) { c.ProcessingGuarantees, c.MaxMessageRetries = EffectivelyOnce, new(3) },
		},
		"AtMostOnceRetries": {
			base: function,
			edit: func(c *Component) {
				c.ProcessingGuarantees, c.MaxMessageRetries, c.DeadLetterTopic = AtMostOnce, new(0), "dead"
			},
			want: []string{"dead_letter_topic", "max_message_retries"},
		},
		"LogTopic":       {base: function, edit: func(c *Component) { c.LogTopic = "x://y" }, want: []string{"log_topic"}},
		"DeadLetter":     {base: function, edit: func(c *Component) { c.DeadLetterTopic = "a/b/c/d" }, want: []string{"dead_letter_topic"}},
		"DeadLetterLoop": {base: function, edit: func(c *Component) { c.DeadLetterTopic = "persistent://public/default/orders" }, want: []string{"dead_letter_topic"}},
		"DeadLetterLong": {base: function, edit: func(c *Component) {
			c.Subscription = &Subscription{Name: longText(MaxTopicName)}
		}, want: []string{"dead_letter_topic"}},

		"Parallelism": {base: function, edit: func(c *Component) { c.Parallelism = new(0) }, want: []string{"parallelism"}},
		"State":       {base: function, edit: func(c *Component) { c.State = "paused" }, want: []string{"state"}},
		"Secrets": {
			base: function,
			edit: func(c *Component) {
				c.Secrets = map[string]SecretRef{"A": {Name: "shop", Key: "api-key"}, "B": {}, "": {Name: "x", Key: "y/z"}}
			},
			want: []string{`secrets[""]`, `secrets[""].key`, `secrets["B"].key`, `secrets["B"].name`},
		},
		"Resources":    {base: function, edit: func(c *Component) { c.Resources = &Resources{CPU: "x", Memory: "100m", Disk: "-1Gi"} }, want: []string{"resources.cpu", "resources.disk", "resources.memory"}},
		"ResourcesFit": {base: function, edit: func(c *Component) { c.Resources = &Resources{CPU: "500m", Memory: "256Mi", Disk: "1Gi"} }},
		"Extra": {
			base: function,
			edit: func(c *Component) {
				c.Extra = map[string]JSON{"windowConfig": `{"a":1}`, "parallelism": "2", "bad": "{", "": "1"}
			},
			want: []string{`extra[""]`, `extra["bad"]`, `extra["parallelism"]`, `extra["windowConfig"].a`},
		},
		"ExtraShapes": {
			base: function,
			edit: func(c *Component) {
				c.Extra = map[string]JSON{
					"runtimeFlags": "1", "exposePulsarAdminClientEnabled": `"yes"`, "maxPendingAsyncRequests": "0", "batchBuilder": `"x"`, "autoAck": "true",
					"windowConfig": `{"windowLengthCount":"x"}`, "customSchemaOutputs": `{"a":1}`, "unknownToUs": "1",
				}
				c.Inputs["orders"] = Input{Extra: map[string]JSON{
					"cryptoConfig": `{"encryptionKeys":"k","other":1,"cryptoKeyReaderConfig":{"defaultPublicKey":"file:///k"}}`, "poolMessages": `"x"`, "consumerProperties": `{"a":true}`,
				}}
				c.Output.Producer = &Producer{Extra: map[string]JSON{"useThreadLocalProducers": "1", "cryptoConfig": `{"encryptionKeys":["k",1]}`, "batchingConfig": "{}"}}
			},
			want: []string{
				`extra["autoAck"]`, `extra["batchBuilder"]`, `extra["customSchemaOutputs"].a`, `extra["exposePulsarAdminClientEnabled"]`, `extra["maxPendingAsyncRequests"]`,
				`extra["runtimeFlags"]`, `extra["windowConfig"].windowLengthCount`,
				`inputs["orders"].extra["consumerProperties"].a`, `inputs["orders"].extra["cryptoConfig"].encryptionKeys`, `inputs["orders"].extra["cryptoConfig"].other`,
				`inputs["orders"].extra["poolMessages"]`,
				`output.producer.extra["batchingConfig"]`, `output.producer.extra["cryptoConfig"].encryptionKeys[1]`, `output.producer.extra["useThreadLocalProducers"]`,
				`warning extra["unknownToUs"]`,
			},
		},

		"RegexInput":       {base: function, edit: func(c *Component) { c.Inputs = map[string]Input{"orders-(": {Regex: new(true)}} }, want: []string{`inputs["orders-("]`}},
		"RegexForgotten":   {base: function, edit: func(c *Component) { c.Inputs = map[string]Input{"orders-.*": {}} }, want: []string{`warning inputs["orders-.*"].regex`}},
		"NoRegex":          {base: function, edit: func(c *Component) { c.Inputs = map[string]Input{"orders-.*": {Regex: new(false)}} }},
		"Regex":            {base: function, edit: func(c *Component) { c.Inputs = map[string]Input{"orders-[0-9]+": {Regex: new(true)}} }},
		"TopicsPattern":    {base: function, edit: func(c *Component) { c.Inputs, c.TopicsPattern = nil, "*" }, want: []string{"topics_pattern"}},
		"InputConnection":  {base: function, edit: func(c *Component) { c.Inputs["orders"] = Input{Connection: "e u"} }, want: []string{`inputs["orders"].connection`}},
		"OutputConnection": {base: function, edit: func(c *Component) { c.Output.Connection = "a/b" }, want: []string{"output.connection"}},
		"Connections":      {base: function, edit: func(c *Component) { c.Inputs["orders"], c.Output.Connection = Input{Connection: "eu"}, "us" }},
		"Batching": {
			base: function,
			edit: func(c *Component) {
				c.Output.Producer = &Producer{Batching: &Batching{MaxPublishDelayMs: new(int64(0)), MaxMessages: new(0), MaxBytes: new(-1), Builder: "x"}}
			},
			want: []string{"output.producer.batching.builder", "output.producer.batching.max_bytes", "output.producer.batching.max_messages", "output.producer.batching.max_publish_delay_ms"},
		},
		"BatchingOff": {
			base: function,
			edit: func(c *Component) {
				c.Output.Producer = &Producer{Batching: &Batching{Enabled: new(false), MaxMessages: new(5)}}
			},
			want: []string{"output.producer.batching.max_messages"},
		},
		"BatchTooBig": {base: function, edit: func(c *Component) { c.Output.Producer = &Producer{Batching: &Batching{MaxBytes: new(6 << 20)}} }, want: []string{"output.producer.batching.max_bytes"}},
		"BatchingFits": {base: function, edit: func(c *Component) {
			c.Output.Producer = &Producer{Batching: &Batching{Enabled: new(true), MaxMessages: new(5), Builder: "key_based"}}
		}},
		"SubscriptionType": {base: function, edit: func(c *Component) { c.Subscription = &Subscription{Type: "Shared"} }, want: []string{"subscription.type"}},
		"SharedOrder":      {base: function, edit: func(c *Component) { c.Subscription, c.RetainOrdering = &Subscription{Type: Shared}, new(true) }, want: []string{"subscription.type"}},
		"SharedKeyOrder":   {base: function, edit: func(c *Component) { c.Subscription, c.RetainKeyOrdering = &Subscription{Type: Shared}, new(true) }, want: []string{"subscription.type"}},
		"KeySharedOrder":   {base: function, edit: func(c *Component) { c.Subscription, c.RetainOrdering = &Subscription{Type: KeyShared}, new(true) }, want: []string{"subscription.type"}},
		"FailoverKeyOrder": {base: function, edit: func(c *Component) { c.Subscription, c.RetainKeyOrdering = &Subscription{Type: Failover}, new(true) }},
		"ExclusiveTwice":   {base: function, edit: func(c *Component) { c.Subscription, c.Parallelism = &Subscription{Type: Exclusive}, new(2) }, want: []string{"subscription.type"}},
		"ExclusiveOnce":    {base: function, edit: func(c *Component) { c.Subscription, c.Parallelism = &Subscription{Type: Exclusive}, new(1) }},
		"EffectivelyShared": {base: function, edit: func(c *Component) {
			c.Subscription, c.ProcessingGuarantees = &Subscription{Type: Shared}, EffectivelyOnce
		}, want: []string{"subscription.type"}},
		"EffectivelyByKey":   {base: function, edit: func(c *Component) { c.RetainKeyOrdering, c.ProcessingGuarantees = new(true), EffectivelyOnce }, want: []string{"retain_key_ordering"}},
		"EffectivelyInOrder": {base: function, edit: func(c *Component) { c.RetainOrdering, c.ProcessingGuarantees = new(true), EffectivelyOnce }},
		"AutoAckOff":         {base: function, edit: func(c *Component) { c.AutoAck = new(false) }, want: []string{"auto_ack"}},
		"AutoAckManual":      {base: function, edit: func(c *Component) { c.AutoAck, c.ProcessingGuarantees = new(true), Manual }, want: []string{"auto_ack"}},
		"ManualAck":          {base: function, edit: func(c *Component) { c.AutoAck, c.ProcessingGuarantees = new(false), Manual }},
		"NackDelay":          {base: function, edit: func(c *Component) { c.NegativeAckRedeliveryDelayMs = new(int64(0)) }, want: []string{"negative_ack_redelivery_delay_ms"}},
		"NackAtMostOnce":     {base: function, edit: func(c *Component) { c.NegativeAckRedeliveryDelayMs, c.ProcessingGuarantees = new(int64(1)), AtMostOnce }, want: []string{"negative_ack_redelivery_delay_ms"}},
		"DataPath":           {base: function, edit: func(c *Component) { c.DataPath = "fast" }, want: []string{"data_path"}},
		"SourceSkips": {
			base: source,
			edit: func(c *Component) {
				c.SkipToLatest, c.AutoAck, c.NegativeAckRedeliveryDelayMs = new(false), new(true), new(int64(1))
			},
			want: []string{"auto_ack", "negative_ack_redelivery_delay_ms", "skip_to_latest"},
		},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := tc.base()
			if tc.edit != nil {
				tc.edit(&c)
			}
			if diff := cmp.Diff(tc.want, errorPaths(ValidateComponent(c))); diff != "" {
				t.Errorf("paths (-want +got):\n%s\n%v", diff, ValidateComponent(c))
			}
		})
	}
}

func longDigest() string { return strings.Repeat("0a", 32) }

func longText(n int) string {
	b := make([]byte, n)
	for i := range b {
		b[i] = 'x'
	}
	return string(b)
}

func TestValidateCodeURL(t *testing.T) {
	t.Parallel()
	cases := map[string]struct {
		url string
		ok  bool
	}{
		"Package":        {"function://public/default/enrich@1.2.0", true},
		"PackageLatest":  {"function://public/default/enrich", true},
		"PackageShort":   {"function://enrich", false},
		"PackageBad":     {"function://a/b/@1", false},
		"PackageVersion": {"function://a/b/c@", false},
		"HTTPS":          {"https://example.com/a.py", true},
		"HTTP":           {"http://example.com/a.py", true},
		"NoHost":         {"https:///a.py", false},
		"Space":          {"https://example.com/a b", false},
		"Builtin":        {"builtin://exclamation", true},
		"BuiltinEmpty":   {"builtin://", false},
		"File":           {"file:///etc/passwd", false},
		"FileUpper":      {"FILE:/etc/passwd", false},
		"Path":           {"enrich.py", false},
		"S3":             {"s3://bucket/enrich.py", false},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := validFunction()
			c.Runtime.Python = &Code{URL: tc.url, Class: "a.B"}
			var want []string
			if !tc.ok {
				want = []string{"runtime.python.url"}
			}
			if diff := cmp.Diff(want, errorPaths(ValidateComponent(c))); diff != "" {
				t.Errorf("paths (-want +got):\n%s", diff)
			}
		})
	}
}

// A defaulted component is as valid as the one it was made from.
func TestValidateAfterDefault(t *testing.T) {
	t.Parallel()
	for _, c := range []Component{validFunction(), validSource(), validSink()} {
		if problems := ValidateComponent(DefaultComponent(c)); len(problems) > 0 {
			t.Errorf("%s: %v", c.Kind, problems)
		}
	}
}
