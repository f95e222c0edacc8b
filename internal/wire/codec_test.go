package wire

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/functionmesh/terraform-provider-functionmesh/internal/spec"
)

func golden(t *testing.T, name string) []byte {
	t.Helper()
	data, err := os.ReadFile(filepath.Join("testdata", name))
	if err != nil {
		t.Fatal(err)
	}
	return data
}

func complete() File {
	return File{
		Version:   Version,
		Component: Component{Kind: "function", Tenant: "public", Namespace: "default", Name: "lines-enrich", Mesh: "lines"},
		Instance:  Instance{ID: 1, Parallelism: 2, Platform: "local-7c1d"},
		Brokers: map[string]Broker{
			"": {Kind: "nats", URL: "nats://127.0.0.1:4222", User: "instance", Password: "hush"},
			"eu": {
				Kind: "pulsar", URL: "pulsar+ssl://a:6651,b:6651", AdminURL: "https://a:8443", TokenFile: "/run/secrets/token",
				CAFile: "/etc/ca.pem", CertFile: "/etc/tls.pem", KeyFile: "/etc/key.pem", ListenerName: "outside", AnyHostname: true,
			},
			"us": {Kind: "pulsar", URL: "pulsar://[::1]:6650", Token: "hush", Insecure: true},
			"sn": {
				Kind: "pulsar", URL: "pulsar+ssl://sn:6651",
				OAuth2: &OAuth2{IssuerURL: "https://issuer", Audience: "pulsar", Scope: "all", KeyFile: "/run/secrets/oauth.json"},
			},
		},
		Source: Source{
			Inputs: []Input{
				{Topic: "persistent://public/default/orders", Partitions: 4, Schema: "json", QueueSize: 500},
				{Topic: "persistent://public/default/returns"},
				{
					Broker: "eu", Topic: "persistent://public/default/orders-.*", Pattern: true, Compacted: true,
					Properties: map[string]string{"id": "public/default/lines-enrich"},
					Crypto:     &Crypto{PrivateKeyFile: "/run/secrets/private.pem", Failure: "discard"},
				},
			},
			Subscription: Subscription{Name: "public/default/lines-enrich", Mode: Failover, Position: "earliest", NackDelayMs: 1500},
		},
		Function: &Function{
			Runtime: "python", File: "/data/code/enrich.py", SHA256: strings.Repeat("ab", 32),
			Class: "enrich.Enrich", UserConfig: `{"region":"eu"}`,
		},
		Sink: Sink{Output: &Output{
			Broker: "us", Topic: "persistent://public/default/enriched", Partitions: 2,
			Producer: &Producer{
				Compression: "zstd", MaxPending: 500, Crypto: &Crypto{PublicKeyFile: "/etc/public.pem", Keys: []string{"k1"}, Failure: "send"},
				Batching: &Batching{Enabled: true, DelayMs: 20, MaxMessages: 300, MaxBytes: 65536, Builder: "key_based"},
			},
		}},
		Delivery: Delivery{
			Guarantee: "atleast_once", MaxRetries: 3, BackoffMs: 100, MaxBackoffMs: 10_000,
			DeadLetter:        &Output{Topic: "persistent://public/default/orders-dead"},
			ForwardProperties: true, Epoch: 2,
		},
		Limits:   DefaultLimits(),
		Secrets:  map[string]string{"API_KEY": "s3cret"},
		LogTopic: &Output{Topic: "persistent://public/default/logs"},
		Path:     CompatiblePath, PathNote: "source.inputs[2].pattern needs it",
		Probe:   "unix:/run/fm/enrich-1.sock",
		Control: "127.0.0.1:9093",
		WorkDir: "/data/instances/enrich-1", BaseDir: "/srv/project",
	}
}

func TestGoldenCurrent(t *testing.T) {
	t.Parallel()
	text, err := Encode(complete())
	if err != nil {
		t.Fatal(err)
	}
	if os.Getenv("UPDATE_GOLDEN") != "" {
		if err := os.WriteFile(filepath.Join("testdata", "v3.json"), text, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if diff := cmp.Diff(string(golden(t, "v3.json")), string(text)); diff != "" {
		t.Errorf("encoded (-want +got):\n%s", diff)
	}
	got, err := Decode(golden(t, "v3.json"))
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(complete(), got); diff != "" {
		t.Errorf("decoded (-want +got):\n%s", diff)
	}
}

// previous is what a file of version 2 could say of complete.
func previous() File {
	f := complete()
	f.Brokers = map[string]Broker{"": f.Brokers[""]}
	f.Source.Inputs = f.Source.Inputs[:2]
	f.Source.Subscription.NackDelayMs = 0
	f.Sink.Output.Broker, f.Sink.Output.Producer = "", nil
	f.Delivery.Epoch = 0
	f.LogTopic, f.Path, f.PathNote, f.Control = nil, "", "", ""
	return f
}

func TestGoldenPrevious(t *testing.T) {
	t.Parallel()
	got, err := Decode(golden(t, "v2.json"))
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(previous(), got); diff != "" {
		t.Errorf("upgraded (-want +got):\n%s", diff)
	}
}

func TestDecodeVersions(t *testing.T) {
	t.Parallel()
	cases := map[string]struct {
		text string
		want int
	}{
		"Newer":   {`{"version":4,"added":true}`, 4},
		"Older":   {`{"version":1}`, 1},
		"Missing": {`{}`, 0},
		"Text":    {`{"version":"3"}`, 0},
		"Part":    {`{"version":1.5}`, 0},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := Decode([]byte(tc.text))
			var version *VersionError
			if !errors.As(err, &version) || version.Version != tc.want {
				t.Errorf("got %v, want a version error of %d", err, tc.want)
			}
		})
	}
	if _, err := Encode(File{Version: 2}); !errors.As(err, new(*VersionError)) {
		t.Errorf("an old version was encoded: %v", err)
	}
}

func pathsOf(err error) []spec.Path {
	var invalid *InvalidError
	if !errors.As(err, &invalid) {
		return nil
	}
	var paths []spec.Path
	for _, p := range invalid.Problems {
		paths = append(paths, p.Path)
	}
	return paths
}

func TestDecodeRefuses(t *testing.T) {
	t.Parallel()
	cases := map[string]struct {
		file string
		edit func(string) string
		want []spec.Path
	}{
		"NoJSON":        {"v3.json", func(s string) string { return s[:len(s)/2] }, []spec.Path{""}},
		"NoObject":      {"v3.json", func(string) string { return "[]" }, []spec.Path{""}},
		"TwoDocuments":  {"v3.json", func(s string) string { return s + s }, []spec.Path{""}},
		"Repeated":      {"v3.json", replace(`"user": "instance"`, `"user": "a", "user": "b"`), []spec.Path{""}},
		"Unknown":       {"v3.json", replace(`"max_retries"`, `"retries"`), []spec.Path{"delivery.retries"}},
		"WrongType":     {"v3.json", replace(`"partitions": 4`, `"partitions": "4"`), []spec.Path{"source.inputs[0].partitions"}},
		"Invalid":       {"v3.json", replace(`"partitions": 4`, `"partitions": -4`), []spec.Path{"source.inputs[0].partitions"}},
		"OldUnknown":    {"v2.json", replace(`"max_retries"`, `"tries"`), []spec.Path{"delivery.tries"}},
		"OldInvalid":    {"v2.json", replace(`"partitions": 4`, `"partitions": -4`), []spec.Path{"source.inputs[0].partitions"}},
		"OldHasPath":    {"v2.json", replace(`"probe"`, `"path": "entry", "probe"`), []spec.Path{"path"}},
		"OldHasToken":   {"v2.json", replace(`"user"`, `"token": "x", "user"`), []spec.Path{`brokers[""].token`}},
		"OldHasPattern": {"v2.json", replace(`"partitions": 4`, `"pattern": true, "partitions": 4`), []spec.Path{"source.inputs[0].pattern"}},
		"OldHasEpoch":   {"v2.json", replace(`"max_retries"`, `"epoch": 1, "max_retries"`), []spec.Path{"delivery.epoch"}},
		"OldSourceList": {"v2.json", replace(`"source": {`, `"source": [], "was": {`), []spec.Path{"source", "was"}},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := Decode([]byte(tc.edit(string(golden(t, tc.file)))))
			if diff := cmp.Diff(tc.want, pathsOf(err)); diff != "" {
				t.Errorf("paths (-want +got):\n%s\n%v", diff, err)
			}
		})
	}
}

func replace(from, to string) func(string) string {
	return func(s string) string { return strings.Replace(s, from, to, 1) }
}

func broker(name string, edit func(*Broker)) func(*File) {
	return func(f *File) {
		b := f.Brokers[name]
		edit(&b)
		f.Brokers[name] = b
	}
}

// onPulsar leaves only what the entry path can do.
func onPulsar(edit func(*File)) func(*File) {
	return func(f *File) {
		f.Path = EntryPath
		delete(f.Brokers, "sn")
		f.Source.Inputs = []Input{{Broker: "us", Topic: "persistent://public/default/orders"}}
		f.Sink.Output.Producer.Crypto = nil
		edit(f)
	}
}

func TestEncodeRefuses(t *testing.T) {
	t.Parallel()
	topic := "persistent://public/default/orders"
	cases := map[string]struct {
		edit func(*File)
		want []spec.Path
	}{
		"Complete":      {func(*File) {}, nil},
		"NoVersion":     {func(f *File) { f.Version = 0 }, nil},
		"PassThrough":   {func(f *File) { f.Function = nil }, nil},
		"NoOutput":      {func(f *File) { f.Sink = Sink{} }, nil},
		"NoLimit":       {func(f *File) { f.Limits.CallTimeoutMs, f.Limits.MemoryBytes = 0, 0 }, nil},
		"TCPProbe":      {func(f *File) { f.Probe = "127.0.0.1:9090" }, nil},
		"Kind":          {func(f *File) { f.Component.Kind = "mesh" }, []spec.Path{"component.kind"}},
		"Name":          {func(f *File) { f.Component.Name, f.Component.Tenant, f.Component.Namespace = "", "", "" }, []spec.Path{"component.tenant", "component.namespace", "component.name"}},
		"Instance":      {func(f *File) { f.Instance.ID = 2 }, []spec.Path{"instance.id"}},
		"Negative":      {func(f *File) { f.Instance.ID = -1 }, []spec.Path{"instance.id"}},
		"Parallelism":   {func(f *File) { f.Instance.Parallelism = 0 }, []spec.Path{"instance.parallelism"}},
		"BrokerKind":    {func(f *File) { f.Brokers["xx"] = Broker{Kind: "kafka"} }, []spec.Path{`brokers["xx"].kind`, `brokers["xx"].url`}},
		"NATSURL":       {broker("xx", func(b *Broker) { b.Kind, b.URL = "nats", "pulsar://a:1" }), []spec.Path{`brokers["xx"].url`}},
		"NATSToken":     {broker("", func(b *Broker) { b.Token, b.AnyHostname = "t", true }), []spec.Path{`brokers[""].token`, `brokers[""].any_hostname`}},
		"PulsarURL":     {broker("us", func(b *Broker) { b.URL = "pulsar://a:6650,pulsar://b:6650" }), []spec.Path{`brokers["us"].url`}},
		"PulsarPort":    {broker("us", func(b *Broker) { b.URL = "pulsar://a" }), []spec.Path{`brokers["us"].url`}},
		"PulsarUser":    {broker("us", func(b *Broker) { b.User, b.Password = "u", "p" }), []spec.Path{`brokers["us"].user`, `brokers["us"].password`}},
		"TwoTokens":     {broker("us", func(b *Broker) { b.TokenFile = "/t" }), []spec.Path{`brokers["us"].token`}},
		"HalfMutual":    {broker("eu", func(b *Broker) { b.KeyFile = "" }), []spec.Path{`brokers["eu"].cert_file`}},
		"RelativeToken": {broker("eu", func(b *Broker) { b.TokenFile = "t" }), []spec.Path{`brokers["eu"].token_file`}},
		"AdminURL":      {broker("eu", func(b *Broker) { b.AdminURL = "a:8080" }), []spec.Path{`brokers["eu"].admin_url`}},
		"OAuth2":        {broker("sn", func(b *Broker) { b.OAuth2 = &OAuth2{IssuerURL: "x"} }), []spec.Path{`brokers["sn"].oauth2.issuer_url`, `brokers["sn"].oauth2.key_file`}},
		"EntryPath": {func(f *File) { f.Path = EntryPath }, []spec.Path{
			`brokers["sn"].oauth2`, "source.inputs[2].crypto", "source.inputs[2].pattern", "sink.output.producer.crypto",
		}},
		"Path":         {func(f *File) { f.Path = "fast" }, []spec.Path{`brokers["sn"].oauth2`, "source.inputs[2].crypto", "source.inputs[2].pattern", "sink.output.producer.crypto", "path"}},
		"Control":      {func(f *File) { f.Control = "x" }, []spec.Path{"control"}},
		"LogTopic":     {func(f *File) { f.LogTopic.Topic = "logs" }, []spec.Path{"log_topic.topic"}},
		"Pattern":      {func(f *File) { f.Source.Inputs[2].Topic = "(" }, []spec.Path{"source.inputs[2].topic"}},
		"NATSPattern":  {func(f *File) { f.Source.Inputs[2].Broker = "" }, []spec.Path{"source.inputs[2].pattern", "source.inputs[2].compacted", "source.inputs[2].crypto"}},
		"InputFailure": {func(f *File) { f.Source.Inputs[2].Crypto.Failure = "send" }, []spec.Path{"source.inputs[2].crypto.failure"}},
		"KeyFile":      {func(f *File) { f.Source.Inputs[2].Crypto.PrivateKeyFile = "k" }, []spec.Path{"source.inputs[2].crypto.private_key_file"}},
		"NATSMode":     {func(f *File) { f.Source.Subscription.Mode = KeyShared }, []spec.Path{"source.subscription.mode"}},
		"NATSSkip":     {func(f *File) { f.Source.Subscription.SkipToLatest = true }, []spec.Path{"source.subscription.skip_to_latest"}},
		"OnPulsar":     {onPulsar(func(f *File) { f.Source.Subscription.Mode, f.Source.Subscription.SkipToLatest = KeyShared, true }), nil},
		"Exclusive":    {onPulsar(func(f *File) { f.Source.Subscription.Mode = Exclusive }), []spec.Path{"source.subscription.mode"}},
		"NackDelay":    {func(f *File) { f.Source.Subscription.NackDelayMs = -1 }, []spec.Path{"source.subscription.nack_delay_ms"}},
		"NATSProducer": {func(f *File) { f.LogTopic.Producer = &Producer{} }, []spec.Path{"log_topic.producer"}},
		"Producer": {func(f *File) {
			f.Sink.Output.Producer = &Producer{Compression: "gzip", MaxPending: -1, Batching: &Batching{DelayMs: -1, MaxMessages: -1, MaxBytes: -1, Builder: "x"}}
		}, []spec.Path{
			"sink.output.producer.compression", "sink.output.producer.max_pending", "sink.output.producer.batching.delay_ms",
			"sink.output.producer.batching.max_messages", "sink.output.producer.batching.max_bytes", "sink.output.producer.batching.builder",
		}},
		"Manual":        {func(f *File) { f.Delivery.Guarantee = "manual" }, nil},
		"Effectively":   {onPulsar(func(f *File) { f.Delivery.Guarantee = "effectively_once" }), nil},
		"EffectivelyBy": {func(f *File) { f.Delivery.Guarantee = "effectively_once"; f.Source.Subscription.Mode = Shared }, []spec.Path{"delivery.guarantee", "delivery.guarantee"}},
		"Epoch":         {func(f *File) { f.Delivery.Epoch = -1 }, []spec.Path{"delivery.epoch"}},
		"NoBroker":      {func(f *File) { f.Sink.Output.Broker = "xx" }, []spec.Path{"sink.output.broker"}},
		"NoSource":      {func(f *File) { f.Source = Source{} }, []spec.Path{"source"}},
		"BothSources":   {func(f *File) { f.Source.Connector = &Connector{Name: "file"} }, []spec.Path{"source.inputs"}},
		"Connector":     {func(f *File) { f.Source = Source{Connector: &Connector{Config: "[]"}} }, []spec.Path{"source.connector.name", "source.connector.config"}},
		"ShortTopic":    {func(f *File) { f.Source.Inputs[0].Topic = "orders" }, []spec.Path{"source.inputs[0].topic"}},
		"OnePartition":  {func(f *File) { f.Sink.Output.Topic += "-partition-1" }, []spec.Path{"sink.output.topic"}},
		"SameTopic":     {func(f *File) { f.Source.Inputs[1].Topic = topic }, []spec.Path{"source.inputs[1].topic"}},
		"QueueSize":     {func(f *File) { f.Source.Inputs[0].QueueSize = -1 }, []spec.Path{"source.inputs[0].queue_size"}},
		"Subscription":  {func(f *File) { f.Source.Subscription = Subscription{Position: "x"} }, []spec.Path{"source.subscription.name", "source.subscription.mode", "source.subscription.position"}},
		"Runtime":       {func(f *File) { f.Function.Runtime = "java" }, []spec.Path{"function.runtime"}},
		"CodePath":      {func(f *File) { f.Function.File = "enrich.py" }, []spec.Path{"function.file"}},
		"Digest":        {func(f *File) { f.Function.SHA256 = "AB" }, []spec.Path{"function.sha256"}},
		"Class":         {func(f *File) { f.Function.Class = "" }, []spec.Path{"function.class"}},
		"UserConfig":    {func(f *File) { f.Function.UserConfig = "3" }, []spec.Path{"function.user_config"}},
		"BothSinks":     {func(f *File) { f.Sink.Connector = &Connector{Name: "file"} }, []spec.Path{"sink.output"}},
		"Guarantee":     {func(f *File) { f.Delivery.Guarantee = "twice" }, []spec.Path{"delivery.guarantee"}},
		"Retries":       {func(f *File) { f.Delivery.MaxRetries = -1 }, []spec.Path{"delivery.max_retries"}},
		"Backoff":       {func(f *File) { f.Delivery.BackoffMs = 20_000 }, []spec.Path{"delivery.max_backoff_ms"}},
		"DeadLetter":    {func(f *File) { f.Delivery.DeadLetter.Topic = "" }, []spec.Path{"delivery.dead_letter.topic"}},
		"Limits":        {func(f *File) { f.Limits = Limits{} }, []spec.Path{"limits.batch_messages", "limits.batch_bytes", "limits.in_flight_bytes"}},
		"NegativeLimit": {func(f *File) { f.Limits.CallTimeoutMs, f.Limits.MemoryBytes, f.Limits.GraceMs = -1, -1, -1 }, []spec.Path{"limits.call_timeout_ms", "limits.memory_bytes", "limits.grace_ms"}},
		"Probe":         {func(f *File) { f.Probe = "unix:relative" }, []spec.Path{"probe"}},
		"ProbePort":     {func(f *File) { f.Probe = "localhost:" }, []spec.Path{"probe"}},
		"Directories":   {func(f *File) { f.WorkDir, f.BaseDir = "", "project" }, []spec.Path{"work_dir", "base_dir"}},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := complete()
			tc.edit(&f)
			text, err := Encode(f)
			if diff := cmp.Diff(tc.want, pathsOf(err)); diff != "" {
				t.Errorf("paths (-want +got):\n%s\n%v", diff, err)
			}
			if err != nil && text != nil {
				t.Error("an invalid file was written")
			}
		})
	}
}

// R9: an error about a file shows none of its secrets.
func TestR9ErrorsShowNoSecret(t *testing.T) {
	t.Parallel()
	text := string(golden(t, "v3.json"))
	for _, broken := range []string{
		strings.Replace(text, `"password": "hush"`, `"password": ["hush"]`, 1),
		strings.Replace(text, `"API_KEY": "s3cret"`, `"API_KEY": {"s3cret": 1}`, 1),
		strings.Replace(text, `"token": "hush"`, `"token": {"hush": 1}`, 1),
		strings.Replace(text, `"token": "hush"`, `"token": "hush", "token_file": "/hush"`, 1),
		strings.Replace(text, `"secrets"`, `"screts"`, 1),
	} {
		_, err := Decode([]byte(broken))
		if err == nil || strings.Contains(err.Error(), "hush") || strings.Contains(err.Error(), "s3cret") {
			t.Errorf("got %v", err)
		}
	}
}

func FuzzDecode(f *testing.F) {
	for _, name := range []string{"v2.json", "v3.json"} {
		data, err := os.ReadFile(filepath.Join("testdata", name))
		if err != nil {
			f.Fatal(err)
		}
		f.Add(data)
	}
	f.Add([]byte(`{"version":3}`))
	f.Add([]byte(`{"version":2,"source":{"inputs":null},"brokers":[{"token":null}]}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		file, err := Decode(data)
		if err != nil {
			return
		}
		text, err := Encode(file)
		if err != nil {
			t.Fatalf("decoded but not encoded: %v", err)
		}
		again, err := Decode(text)
		if err != nil {
			t.Fatal(err)
		}
		second, err := Encode(again)
		if err != nil || !bytes.Equal(text, second) {
			t.Errorf("not stable: %v\n%s\n%s", err, text, second)
		}
	})
}
