package wire

import (
	"errors"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/functionmesh/terraform-provider-functionmesh/internal/spec"
)

const (
	in   = "persistent://public/default/in"
	out  = "persistent://public/default/out"
	dead = "persistent://public/default/in-public-default-f-DLQ"
)

func plainFunction() spec.Component {
	return spec.Component{
		Kind: spec.KindFunction, Name: "f", Runtime: &spec.Runtime{Python: &spec.Code{File: "f.py", Class: "f.F"}},
		Inputs: map[string]spec.Input{"in": {}}, Output: &spec.Output{Topic: "out"},
	}
}

func facts() Facts {
	return Facts{
		Platform: "local-1", Mesh: "m", BaseDir: "/srv", Secrets: map[string]string{"A": "a"}, Epoch: 3,
		Brokers: map[string]Broker{
			"":   {Kind: KindPulsar, URL: "pulsar://a:6650"},
			"eu": {Kind: KindPulsar, URL: "pulsar://b:6650"},
			"sn": {Kind: KindPulsar, URL: "pulsar://c:6650", OAuth2: &OAuth2{IssuerURL: "https://i", KeyFile: "/k"}},
		},
		Partitions: map[Stream]int{{Topic: in}: 4, {Broker: "eu", Topic: out}: 2},
		Code:       Code{File: "/code/f.py", SHA256: "ab", CacheDir: "/cache"},
	}
}

func plainFile() File {
	return File{
		Version:   Version,
		Component: Component{Kind: "function", Tenant: "public", Namespace: "default", Name: "f", Mesh: "m"},
		Instance:  Instance{Parallelism: 1, Platform: "local-1"},
		Brokers:   map[string]Broker{"": facts().Brokers[""]},
		Source: Source{
			Inputs: []Input{{
				Topic: in, Partitions: 4,
				Properties: map[string]string{"application": "pulsar-function", "id": "public/default/f"},
			}},
			Subscription: Subscription{Name: "public/default/f", Mode: Shared, Position: "latest"},
		},
		Function: &Function{Runtime: "python", File: "/code/f.py", SHA256: "ab", Class: "f.F"},
		Sink:     Sink{Output: &Output{Topic: out}},
		Delivery: Delivery{
			Guarantee: "atleast_once", Epoch: 3, MaxRetries: 3, BackoffMs: 100, MaxBackoffMs: 10_000, DeadLetter: &Output{Topic: dead}, ForwardProperties: true,
		},
		Limits: DefaultLimits(), Secrets: map[string]string{"A": "a"}, BaseDir: "/srv", CacheDir: "/cache",
		Path: EntryPath, PathNote: "every setting is supported by it",
	}
}

// R8: each setting changes the one thing that it is about.
func TestR8FromComponent(t *testing.T) {
	t.Parallel()
	producer := func(p spec.Producer) func(*spec.Component) { return func(c *spec.Component) { c.Output.Producer = &p } }
	writes := func(p Producer) func(*File) { return func(f *File) { f.Sink.Output.Producer = &p } }
	cases := map[string]struct {
		set  func(*spec.Component)
		want func(*File)
	}{
		"Plain":       {func(*spec.Component) {}, func(*File) {}},
		"Name":        {func(c *spec.Component) { c.Subscription = &spec.Subscription{Name: "s"} }, func(f *File) { f.Source.Subscription.Name, f.Delivery.DeadLetter.Topic = "s", in+"-s-DLQ" }},
		"Position":    {func(c *spec.Component) { c.Subscription = &spec.Subscription{Position: spec.Earliest} }, func(f *File) { f.Source.Subscription.Position = "earliest" }},
		"Type":        {func(c *spec.Component) { c.Subscription = &spec.Subscription{Type: spec.Exclusive} }, func(f *File) { f.Source.Subscription.Mode = Exclusive }},
		"Order":       {func(c *spec.Component) { c.RetainOrdering = new(true) }, func(f *File) { f.Source.Subscription.Mode = Failover }},
		"KeyOrder":    {func(c *spec.Component) { c.RetainKeyOrdering = new(true) }, func(f *File) { f.Source.Subscription.Mode = KeyShared }},
		"Effectively": {func(c *spec.Component) { c.ProcessingGuarantees = spec.EffectivelyOnce }, func(f *File) { f.Delivery.Guarantee, f.Source.Subscription.Mode = "effectively_once", Failover }},
		"AtMost":      {func(c *spec.Component) { c.ProcessingGuarantees = spec.AtMostOnce }, func(f *File) { f.Delivery.Guarantee, f.Limits.ClaimMessages = "atmost_once", 4000 }},
		"Manual":      {func(c *spec.Component) { c.ProcessingGuarantees = spec.Manual }, func(f *File) { f.Delivery.Guarantee = "manual" }},
		"Skip":        {func(c *spec.Component) { c.SkipToLatest = new(true) }, func(f *File) { f.Source.Subscription.SkipToLatest = true }},
		"NackDelay":   {func(c *spec.Component) { c.NegativeAckRedeliveryDelayMs = new(int64(7)) }, func(f *File) { f.Source.Subscription.NackDelayMs = 7 }},
		"Retries":     {func(c *spec.Component) { c.MaxMessageRetries = new(0) }, func(f *File) { f.Delivery.MaxRetries = 0 }},
		"DeadLetter":  {func(c *spec.Component) { c.DeadLetterTopic = "dead" }, func(f *File) { f.Delivery.DeadLetter.Topic = "persistent://public/default/dead" }},
		"Forward":     {func(c *spec.Component) { c.ForwardSourceMessageProperty = new(false) }, func(f *File) { f.Delivery.ForwardProperties = false }},
		"Log":         {func(c *spec.Component) { c.LogTopic = "logs" }, func(f *File) { f.LogTopic = &Output{Topic: "persistent://public/default/logs"} }},
		"Timeout":     {func(c *spec.Component) { c.TimeoutMs = new(int64(9)) }, func(f *File) { f.Limits.CallTimeoutMs = 9 }},
		"Memory":      {func(c *spec.Component) { c.Resources = &spec.Resources{Memory: "1Ki"} }, func(f *File) { f.Limits.MemoryBytes = 1024 }},
		"Parallelism": {func(c *spec.Component) { c.Parallelism = new(3) }, func(f *File) { f.Instance.Parallelism = 3 }},
		"UserConfig":  {func(c *spec.Component) { c.UserConfig = `{"a":1}` }, func(f *File) { f.Function.UserConfig = `{"a":1}` }},
		"Path":        {func(c *spec.Component) { c.DataPath = spec.CompatiblePath }, func(f *File) { f.Path, f.PathNote = CompatiblePath, "data_path asks for it" }},
		"Schema": {
			func(c *spec.Component) { c.Inputs["in"], c.Output.Schema = spec.Input{Schema: "json"}, "string" },
			func(f *File) { f.Source.Inputs[0].Schema, f.Sink.Output.Schema = "json", "string" },
		},
		"Queue": {
			func(c *spec.Component) { c.Inputs["in"] = spec.Input{ReceiverQueueSize: new(5)} },
			func(f *File) { f.Source.Inputs[0].QueueSize = 5 },
		},
		"Compacted": {
			func(c *spec.Component) {
				c.Inputs["in"] = spec.Input{Extra: map[string]spec.JSON{"consumerProperties": `{"readCompacted":"true"}`}}
			},
			func(f *File) { f.Source.Inputs[0].Compacted = true },
		},
		"From": {
			func(c *spec.Component) { c.Inputs["in"] = spec.Input{Connection: "eu"} },
			func(f *File) {
				f.Brokers["eu"] = facts().Brokers["eu"]
				f.Source.Inputs[0].Broker, f.Source.Inputs[0].Partitions, f.Delivery.DeadLetter.Broker = "eu", 0, "eu"
			},
		},
		"To": {
			func(c *spec.Component) { c.Output.Connection = "eu" },
			func(f *File) {
				f.Brokers["eu"] = facts().Brokers["eu"]
				f.Sink.Output.Broker, f.Sink.Output.Partitions = "eu", 2
			},
		},
		"OAuth2": {
			func(c *spec.Component) { c.Output.Connection = "sn" },
			func(f *File) {
				f.Brokers["sn"] = facts().Brokers["sn"]
				f.Sink.Output.Broker, f.Path, f.PathNote = "sn", CompatiblePath, "output.connection needs it"
			},
		},
		"Regex": {
			func(c *spec.Component) { c.Inputs = map[string]spec.Input{"i.*": {Regex: new(true)}} },
			func(f *File) {
				f.Source.Inputs[0].Topic, f.Source.Inputs[0].Pattern, f.Source.Inputs[0].Partitions = "persistent://public/default/i.*", true, 0
				f.Delivery.DeadLetter.Topic = "persistent://public/default/public-default-f-DLQ"
				f.Path, f.PathNote = CompatiblePath, `inputs["i.*"].regex needs it`
			},
		},
		"Pattern": {
			func(c *spec.Component) { c.Inputs, c.TopicsPattern = nil, "a/b/i.*" },
			func(f *File) {
				f.Source.Inputs[0].Topic, f.Source.Inputs[0].Pattern, f.Source.Inputs[0].Partitions = "persistent://a/b/i.*", true, 0
				f.Delivery.DeadLetter.Topic = "persistent://public/default/public-default-f-DLQ"
				f.Path, f.PathNote = CompatiblePath, "topics_pattern needs it"
			},
		},
		"Compression": {producer(spec.Producer{Compression: "zstd"}), writes(Producer{Compression: "zstd"})},
		"Pending":     {producer(spec.Producer{MaxPendingMessages: new(5)}), writes(Producer{MaxPending: 5})},
		"Batching":    {producer(spec.Producer{Batching: &spec.Batching{}}), writes(Producer{Batching: &Batching{Enabled: true}})},
		"NoBatching":  {producer(spec.Producer{Batching: &spec.Batching{Enabled: new(false)}}), writes(Producer{Batching: &Batching{}})},
		"Batches": {
			producer(spec.Producer{Batching: &spec.Batching{MaxPublishDelayMs: new(int64(1)), MaxMessages: new(2), MaxBytes: new(3), Builder: "key_based"}}),
			writes(Producer{Batching: &Batching{Enabled: true, DelayMs: 1, MaxMessages: 2, MaxBytes: 3, Builder: "key_based"}}),
		},
		"Crypto": {
			func(c *spec.Component) {
				c.Inputs["in"] = spec.Input{Extra: map[string]spec.JSON{"cryptoConfig": `{"cryptoKeyReaderConfig":{"defaultPrivateKey":"file:///p"},"consumerCryptoFailureAction":"DISCARD"}`}}
				c.Output.Producer = &spec.Producer{Extra: map[string]spec.JSON{"cryptoConfig": `{"cryptoKeyReaderConfig":{"defaultPublicKey":"/q"},"encryptionKeys":["k"],"producerCryptoFailureAction":"SEND"}`}}
			},
			func(f *File) {
				f.Source.Inputs[0].Crypto = &Crypto{PrivateKeyFile: "/p", Failure: "discard"}
				f.Sink.Output.Producer = &Producer{Crypto: &Crypto{PublicKeyFile: "/q", Keys: []string{"k"}, Failure: "send"}}
				f.Path, f.PathNote = CompatiblePath, `inputs["persistent://public/default/in"].extra["cryptoConfig"] needs it`
			},
		},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c, want := plainFunction(), plainFile()
			tc.set(&c)
			tc.want(&want)
			got, err := FromComponent(c, facts())
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("file (-want +got):\n%s", diff)
			}
		})
	}
}

func TestFromConnector(t *testing.T) {
	t.Parallel()
	source := spec.Component{Kind: spec.KindSource, Name: "s", Builtin: "file", Config: `{"path":"x"}`, Output: &spec.Output{Topic: "out"}}
	f, err := FromComponent(source, facts())
	if err != nil || f.Source.Connector == nil || f.Sink.Output == nil || f.Function != nil || f.Delivery.DeadLetter != nil {
		t.Errorf("a source became %+v, %v", f, err)
	}
	sink := spec.Component{Kind: spec.KindSink, Name: "s", Builtin: "file", Config: `{"path":"x"}`, Inputs: map[string]spec.Input{"in": {}}}
	f, err = FromComponent(sink, facts())
	if err != nil || f.Sink.Connector == nil || f.Sink.Output != nil || len(f.Source.Inputs) != 1 || f.Delivery.DeadLetter == nil {
		t.Errorf("a sink became %+v, %v", f, err)
	}
}

// On the embedded broker nothing of a Pulsar is told.
func TestFromComponentOnNATS(t *testing.T) {
	t.Parallel()
	c, known := plainFunction(), facts()
	c.Output.Producer = &spec.Producer{Compression: "none"}
	known.Brokers = map[string]Broker{"": {Kind: KindNATS, URL: "nats://a:1"}}
	f, err := FromComponent(c, known)
	if err != nil || f.Path != "" || f.PathNote != "" || f.Sink.Output.Producer != nil || f.Source.Inputs[0].Properties != nil {
		t.Errorf("got %+v, %v", f, err)
	}
	f.WorkDir, f.Function.SHA256 = "/w", complete().Function.SHA256
	if _, err := Encode(f); err != nil {
		t.Error(err)
	}
}

func TestStreamsOf(t *testing.T) {
	t.Parallel()
	c := plainFunction()
	c.Inputs["more.*"] = spec.Input{Regex: new(true), Connection: "eu"}
	c.Output.Connection, c.LogTopic, c.TopicsPattern = "us", "logs", "x.*"
	want := []Stream{
		{Broker: "eu", Topic: "persistent://public/default/more.*", Pattern: true},
		{Topic: in},
		{Topic: "persistent://public/default/x.*", Pattern: true},
		{Broker: "us", Topic: out},
		{Topic: dead},
		{Topic: "persistent://public/default/logs"},
	}
	got := StreamsOf(c)
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("streams (-want +got):\n%s", diff)
	}
}

func TestFromComponentRefuses(t *testing.T) {
	t.Parallel()
	c := plainFunction()
	c.Resources = &spec.Resources{Memory: "much"}
	if _, err := FromComponent(c, facts()); !errors.As(err, new(*InvalidError)) {
		t.Errorf("got %v", err)
	}
}
