package spec

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

func wasmFunction() Component {
	c := validFunction()
	c.Runtime = &Runtime{WASM: &Code{File: "f.wasm"}}
	return c
}

func TestHonourRunner(t *testing.T) {
	t.Parallel()
	const secret = `{"cryptoKeyReaderConfig":{"defaultPrivateKey":"file:///k","defaultPublicKey":"/k"},"encryptionKeys":["k"]}`
	cases := map[string]struct {
		base func() Component
		edit func(*Component)
		want []string
	}{
		"Function":    {base: validFunction},
		"Source":      {base: validSource},
		"Sink":        {base: validSink},
		"WASM":        {base: wasmFunction},
		"Java":        {base: validFunction, edit: func(c *Component) { c.Runtime = &Runtime{Java: &Code{File: "f", Class: "a.B"}} }, want: []string{"runtime.java"}},
		"BuiltinCode": {base: validFunction, edit: func(c *Component) { c.Runtime.Python = &Code{URL: "builtin://f", Class: "a.B"} }, want: []string{"runtime.python.url"}},
		"Effectively": {base: validFunction, edit: func(c *Component) { c.ProcessingGuarantees, c.MaxMessageRetries = EffectivelyOnce, new(3) }},
		"OnceUnbatched": {
			base: validFunction,
			edit: func(c *Component) {
				c.ProcessingGuarantees, c.Output.Producer = EffectivelyOnce, &Producer{Batching: &Batching{Enabled: new(false)}}
			},
			want: []string{"output.producer.batching.enabled"},
		},
		"Unbatched":    {base: validFunction, edit: func(c *Component) { c.Output.Producer = &Producer{Batching: &Batching{Enabled: new(false)}} }},
		"Manual":       {base: wasmFunction, edit: func(c *Component) { c.ProcessingGuarantees, c.AutoAck = Manual, new(false) }},
		"SourceOnce":   {base: validSource, edit: func(c *Component) { c.ProcessingGuarantees = EffectivelyOnce }, want: []string{"processing_guarantees"}},
		"SinkOnce":     {base: validSink, edit: func(c *Component) { c.ProcessingGuarantees = EffectivelyOnce }, want: []string{"processing_guarantees"}},
		"SinkManual":   {base: validSink, edit: func(c *Component) { c.ProcessingGuarantees, c.AutoAck = Manual, new(false) }, want: []string{"auto_ack", "processing_guarantees"}},
		"SinkLog":      {base: validSink, edit: func(c *Component) { c.LogTopic = "logs" }, want: []string{"log_topic"}},
		"Log":          {base: validFunction, edit: func(c *Component) { c.LogTopic = "logs" }},
		"LogPlace":     {base: validFunction, edit: func(c *Component) { c.LogTopic = "non-persistent://a/b/c" }, want: []string{"log_topic"}},
		"KeyOrder":     {base: validFunction, edit: func(c *Component) { c.RetainKeyOrdering = new(true) }},
		"Types":        {base: validFunction, edit: func(c *Component) { c.Subscription = &Subscription{Type: Exclusive, Name: "s", Position: Earliest} }},
		"Connections":  {base: validFunction, edit: func(c *Component) { c.Inputs["orders"], c.Output.Connection = Input{Connection: "eu"}, "us" }},
		"Schema":       {base: validFunction, edit: func(c *Component) { c.Inputs["orders"], c.Output.Schema = Input{Schema: "json"}, "avro" }, want: []string{"output.schema"}},
		"SchemaOfWASM": {base: wasmFunction, edit: func(c *Component) { c.Output.Schema = "string" }, want: []string{"output.schema"}},
		"Consuming": {
			base: validFunction,
			edit: func(c *Component) {
				c.Inputs["orders"] = Input{SerdeClass: "S", ReceiverQueueSize: new(0), Extra: map[string]JSON{
					"poolMessages": "true", "schemaProperties": "{}", "messagePayloadProcessorConfig": "{}", "other": "1",
				}}
			},
			want: []string{
				`inputs["orders"].extra["messagePayloadProcessorConfig"]`, `inputs["orders"].extra["other"]`,
				`inputs["orders"].extra["poolMessages"]`, `inputs["orders"].extra["schemaProperties"]`,
				`inputs["orders"].receiver_queue_size`, `inputs["orders"].serde_class`,
			},
		},
		"Producing": {
			base: validFunction,
			edit: func(c *Component) {
				c.Output.Producer = &Producer{
					Compression: "snappy", MaxPendingMessages: new(3), Batching: &Batching{Enabled: new(true), MaxMessages: new(5), Builder: "key_based"},
					Extra: map[string]JSON{
						"useThreadLocalProducers": "true", "maxPendingMessagesAcrossPartitions": "5",
						"roundRobinRouterBatchingPartitionSwitchFrequency": "3", "other": "1",
					},
				}
			},
			want: []string{
				`output.producer.extra["maxPendingMessagesAcrossPartitions"]`, `output.producer.extra["other"]`,
				`output.producer.extra["roundRobinRouterBatchingPartitionSwitchFrequency"]`, `output.producer.extra["useThreadLocalProducers"]`,
			},
		},
		"Extra": {
			base: validFunction,
			edit: func(c *Component) {
				c.Extra = map[string]JSON{
					"windowConfig": "{}", "runtimeFlags": `"x"`, "customRuntimeOptions": `"{}"`, "exposePulsarAdminClientEnabled": "true",
					"maxPendingAsyncRequests": "5", "other": "1",
				}
			},
			want: []string{
				`extra["customRuntimeOptions"]`, `extra["exposePulsarAdminClientEnabled"]`, `extra["maxPendingAsyncRequests"]`,
				`extra["other"]`, `extra["runtimeFlags"]`, `extra["windowConfig"]`,
			},
		},
		"NotPersistent": {
			base: validFunction,
			edit: func(c *Component) {
				c.Inputs = map[string]Input{"non-persistent://a/b/c": {}, "orders-partition-1": {}}
				c.Output.Topic = "out-partition-0"
			},
			want: []string{`inputs["non-persistent://a/b/c"]`, `inputs["orders-partition-1"]`, "output.topic"},
		},
		"Delivery": {
			base: validFunction,
			edit: func(c *Component) {
				c.MaxMessageRetries, c.DeadLetterTopic, c.TimeoutMs, c.State = new(3), "dead", new(int64(5)), StateStopped
				c.CleanupSubscription, c.ForwardSourceMessageProperty, c.SkipToLatest = new(true), new(false), new(true)
				c.NegativeAckRedeliveryDelayMs, c.DataPath = new(int64(5)), EntryPath
			},
		},
		"DeadLetterAlone": {base: validFunction, edit: func(c *Component) { c.DeadLetterTopic = "dead" }, want: []string{"dead_letter_topic"}},
		"SinkTimeout":     {base: validSink, edit: func(c *Component) { c.TimeoutMs = new(int64(5)) }, want: []string{"timeout_ms"}},
		"Pattern":         {base: validFunction, edit: func(c *Component) { c.Inputs, c.TopicsPattern = nil, "a.*" }},
		"PatternAndName":  {base: validFunction, edit: func(c *Component) { c.TopicsPattern = "a.*" }, want: []string{"topics_pattern"}},
		"RegexAndName":    {base: validFunction, edit: func(c *Component) { c.Inputs["a.*"] = Input{Regex: new(true)} }, want: []string{`inputs["a.*"].regex`}},
		"RegexByEntry": {
			base: validFunction,
			edit: func(c *Component) { c.Inputs, c.DataPath = map[string]Input{"a.*": {Regex: new(true)}}, EntryPath },
			want: []string{`inputs["a.*"].regex`},
		},
		"RegexOnce": {
			base: validFunction,
			edit: func(c *Component) { c.Inputs, c.TopicsPattern, c.ProcessingGuarantees = nil, "a.*", EffectivelyOnce },
			want: []string{"topics_pattern"},
		},
		"CompatibleOnce": {
			base: validFunction,
			edit: func(c *Component) { c.DataPath, c.ProcessingGuarantees = CompatiblePath, EffectivelyOnce },
			want: []string{"data_path"},
		},
		"Compacted": {
			base: validFunction,
			edit: func(c *Component) {
				c.Inputs["orders"], c.RetainOrdering = Input{Extra: map[string]JSON{"consumerProperties": `{"readCompacted":"true"}`}}, new(true)
			},
		},
		"CompactedShared": {
			base: validFunction,
			edit: func(c *Component) {
				c.Inputs["orders"] = Input{Extra: map[string]JSON{"consumerProperties": `{"readCompacted":"true","priorityLevel":"1"}`}}
			},
			want: []string{`inputs["orders"].extra["consumerProperties"].priorityLevel`, `inputs["orders"].extra["consumerProperties"].readCompacted`},
		},
		"Crypto": {
			base: validFunction,
			edit: func(c *Component) {
				c.Inputs["orders"] = Input{Extra: map[string]JSON{"cryptoConfig": secret}}
				c.Output.Producer = &Producer{Extra: map[string]JSON{"cryptoConfig": secret}}
			},
		},
		"CryptoWrong": {
			base: validFunction,
			edit: func(c *Component) {
				c.Inputs["orders"] = Input{Extra: map[string]JSON{"cryptoConfig": `{"cryptoKeyReaderClassName":"mine","consumerCryptoFailureAction":"SEND"}`}}
				c.Output.Producer = &Producer{Extra: map[string]JSON{"cryptoConfig": `{"cryptoKeyReaderConfig":{"defaultPublicKey":"k","more":1}}`}}
			},
			want: []string{
				`inputs["orders"].extra["cryptoConfig"].consumerCryptoFailureAction`, `inputs["orders"].extra["cryptoConfig"].cryptoKeyReaderClassName`,
				`inputs["orders"].extra["cryptoConfig"].cryptoKeyReaderConfig.defaultPrivateKey`,
				`output.producer.extra["cryptoConfig"].cryptoKeyReaderConfig.defaultPublicKey`, `output.producer.extra["cryptoConfig"].cryptoKeyReaderConfig.more`,
				`output.producer.extra["cryptoConfig"].encryptionKeys`,
			},
		},
		"ManyInstances": {base: validFunction, edit: func(c *Component) { c.Parallelism = new(65) }, want: []string{"parallelism"}},
		"SinkSecrets":   {base: validSink, edit: func(c *Component) { c.Secrets = map[string]SecretRef{"A": {Name: "n", Key: "k"}} }, want: []string{`secrets["A"]`}},
		"Resources": {
			base: validFunction,
			edit: func(c *Component) { c.Resources = &Resources{CPU: "1", Memory: "1Gi", Disk: "1Gi"} },
			want: []string{"resources.cpu", "resources.disk"},
		},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := tc.base()
			if tc.edit != nil {
				tc.edit(&c)
			}
			if diff := cmp.Diff(tc.want, errorPaths(honourOn("linux", PlatformRunner, c))); diff != "" {
				t.Errorf("paths (-want +got):\n%s", diff)
			}
		})
	}
}

// Pulsar's workers refuse some settings only together.
func TestHonourWorkersTogether(t *testing.T) {
	t.Parallel()
	c := validFunction()
	c.Runtime = &Runtime{Java: &Code{File: "f.jar", Class: "a.B"}}
	c.ProcessingGuarantees, c.MaxMessageRetries, c.DeadLetterTopic, c.TimeoutMs = EffectivelyOnce, new(3), "dead", new(int64(5))
	if diff := cmp.Diff([]string{"dead_letter_topic", "max_message_retries", "timeout_ms"}, errorPaths(Honour(PlatformPulsar, c))); diff != "" {
		t.Errorf("paths (-want +got):\n%s", diff)
	}
}

func TestDataPath(t *testing.T) {
	t.Parallel()
	needy := map[string]string{"sn": "OAuth 2.0 works on the compatible path only."}
	cases := map[string]struct {
		edit         func(*Component)
		path, reason string
		refused      []string // by CheckPath
	}{
		"Plain":     {func(*Component) {}, EntryPath, "every setting is supported by it", nil},
		"Forced":    {func(c *Component) { c.DataPath = CompatiblePath }, CompatiblePath, "data_path asks for it", nil},
		"Pattern":   {func(c *Component) { c.TopicsPattern = "a.*" }, CompatiblePath, "topics_pattern needs it", nil},
		"Regex":     {func(c *Component) { c.Inputs["a.*"] = Input{Regex: new(true)} }, CompatiblePath, `inputs["a.*"].regex needs it`, nil},
		"Encrypted": {func(c *Component) { c.Inputs["orders"] = Input{Extra: map[string]JSON{"cryptoConfig": "{}"}} }, CompatiblePath, `inputs["orders"].extra["cryptoConfig"] needs it`, nil},
		"Encrypts":  {func(c *Component) { c.Output.Producer = &Producer{Extra: map[string]JSON{"cryptoConfig": "{}"}} }, CompatiblePath, `output.producer.extra["cryptoConfig"] needs it`, nil},
		"From":      {func(c *Component) { c.Inputs["orders"] = Input{Connection: "sn"} }, CompatiblePath, `inputs["orders"].connection needs it`, nil},
		"To":        {func(c *Component) { c.Output.Connection = "sn" }, CompatiblePath, "output.connection needs it", nil},
		"ToOther":   {func(c *Component) { c.Output.Connection = "eu" }, EntryPath, "every setting is supported by it", nil},
		"ToOnce": {
			func(c *Component) { c.Output.Connection, c.ProcessingGuarantees = "sn", EffectivelyOnce },
			CompatiblePath, "output.connection needs it",
			[]string{"output.connection"},
		},
		"ToByEntry": {
			func(c *Component) { c.Output.Connection, c.DataPath = "sn", EntryPath },
			EntryPath, "data_path asks for it",
			[]string{"output.connection"},
		},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := validFunction()
			tc.edit(&c)
			path, reason := DataPath(c, needy)
			if path != tc.path || reason != tc.reason {
				t.Errorf("got %s, %s; want %s, %s", path, reason, tc.path, tc.reason)
			}
			if diff := cmp.Diff(tc.refused, errorPaths(CheckPath(c, needy))); diff != "" {
				t.Errorf("refused (-want +got):\n%s", diff)
			}
		})
	}
}

func TestCheckConnections(t *testing.T) {
	t.Parallel()
	c := validFunction()
	c.Inputs, c.Output.Connection = map[string]Input{"a": {Connection: "eu"}, "b": {}}, "us"
	for name, tc := range map[string]struct{ known, want []string }{
		"None": {nil, []string{`inputs["a"].connection`, "output.connection"}},
		"One":  {[]string{"eu"}, []string{"output.connection"}},
		"Both": {[]string{"", "eu", "us"}, nil},
	} {
		if diff := cmp.Diff(tc.want, errorPaths(CheckConnections(c, tc.known))); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
}

func TestSubscriptionTypeOf(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		edit func(*Component)
		want SubscriptionType
	}{
		"Plain":       {func(*Component) {}, Shared},
		"Order":       {func(c *Component) { c.RetainOrdering = new(true) }, Failover},
		"KeyOrder":    {func(c *Component) { c.RetainKeyOrdering = new(true) }, KeyShared},
		"Effectively": {func(c *Component) { c.ProcessingGuarantees = EffectivelyOnce }, Failover},
		"Said":        {func(c *Component) { c.Subscription = &Subscription{Type: Exclusive} }, Exclusive},
	} {
		c := validFunction()
		tc.edit(&c)
		if got := SubscriptionTypeOf(c); got != tc.want || SubscriptionMode(c) != (got == Failover || got == Exclusive) {
			t.Errorf("%s: got %s, want %s", name, got, tc.want)
		}
	}
}
