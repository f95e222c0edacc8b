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
		},
		Source: Source{
			Inputs: []Input{
				{Topic: "persistent://public/default/orders", Partitions: 4, Schema: "json", QueueSize: 500},
				{Topic: "persistent://public/default/returns"},
			},
			Subscription: Subscription{Name: "public/default/lines-enrich", Mode: Failover, Position: "earliest"},
		},
		Function: &Function{
			Runtime: "python", File: "/data/code/enrich.py", SHA256: strings.Repeat("ab", 32),
			Class: "enrich.Enrich", UserConfig: `{"region":"eu"}`,
		},
		Sink: Sink{Output: &Output{Topic: "persistent://public/default/enriched", Partitions: 2}},
		Delivery: Delivery{
			Guarantee: "atleast_once", MaxRetries: 3, BackoffMs: 100, MaxBackoffMs: 10_000,
			DeadLetter:        &Output{Topic: "persistent://public/default/orders-dead"},
			ForwardProperties: true,
		},
		Limits:  DefaultLimits(),
		Secrets: map[string]string{"API_KEY": "s3cret"},
		Probe:   "unix:/run/fm/enrich-1.sock",
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
		if err := os.WriteFile(filepath.Join("testdata", "v2.json"), text, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if diff := cmp.Diff(string(golden(t, "v2.json")), string(text)); diff != "" {
		t.Errorf("encoded (-want +got):\n%s", diff)
	}
	got, err := Decode(golden(t, "v2.json"))
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(complete(), got); diff != "" {
		t.Errorf("decoded (-want +got):\n%s", diff)
	}
}

func TestGoldenPrevious(t *testing.T) {
	t.Parallel()
	want := complete()
	want.Source.Inputs = want.Source.Inputs[:1]
	want.Delivery.MaxRetries = 5
	got, err := Decode(golden(t, "v1.json"))
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("upgraded (-want +got):\n%s", diff)
	}
}

func TestGoldenPreviousConnector(t *testing.T) {
	t.Parallel()
	got, err := Decode(golden(t, "v1-source.json"))
	if err != nil {
		t.Fatal(err)
	}
	if got.Source.Connector == nil || got.Source.Inputs != nil || got.Limits != DefaultLimits() {
		t.Errorf("a source without an input was upgraded to %+v", got.Source)
	}
}

func TestDecodeVersions(t *testing.T) {
	t.Parallel()
	cases := map[string]struct {
		text string
		want int
	}{
		"Newer":   {`{"version":3,"added":true}`, 3},
		"Older":   {`{"version":-1}`, -1},
		"Missing": {`{}`, 0},
		"Text":    {`{"version":"2"}`, 0},
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
	if _, err := Encode(File{Version: 1}); !errors.As(err, new(*VersionError)) {
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
		"NoJSON":        {"v2.json", func(s string) string { return s[:len(s)/2] }, []spec.Path{""}},
		"NoObject":      {"v2.json", func(string) string { return "[]" }, []spec.Path{""}},
		"TwoDocuments":  {"v2.json", func(s string) string { return s + s }, []spec.Path{""}},
		"Repeated":      {"v2.json", replace(`"user": "instance"`, `"user": "a", "user": "b"`), []spec.Path{""}},
		"Unknown":       {"v2.json", replace(`"max_retries"`, `"retries"`), []spec.Path{"delivery.retries"}},
		"WrongType":     {"v2.json", replace(`"partitions": 4`, `"partitions": "4"`), []spec.Path{"source.inputs[0].partitions"}},
		"Invalid":       {"v2.json", replace(`"partitions": 4`, `"partitions": -4`), []spec.Path{"source.inputs[0].partitions"}},
		"OldUnknown":    {"v1.json", replace(`"retries"`, `"tries"`), []spec.Path{"delivery.tries"}},
		"OldHasNew":     {"v1.json", replace(`"retries"`, `"max_retries"`), []spec.Path{"delivery.max_retries"}},
		"OldHasLimits":  {"v1.json", replace(`"probe"`, `"limits": {}, "probe"`), []spec.Path{"limits"}},
		"OldHasInputs":  {"v1.json", replace(`"input":`, `"inputs": [], "input":`), []spec.Path{"source.inputs"}},
		"OldPathInput":  {"v1.json", replace(`"partitions": 4`, `"partitions": -4`), []spec.Path{"source.input.partitions"}},
		"OldPathRetry":  {"v1.json", replace(`"retries": 5`, `"retries": -5`), []spec.Path{"delivery.retries"}},
		"OldSourceList": {"v1.json", replace(`"source": {`, `"source": [], "was": {`), []spec.Path{"source", "was"}},
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
		"BrokerKind":    {func(f *File) { f.Brokers["eu"] = Broker{Kind: "kafka"} }, []spec.Path{`brokers["eu"].kind`, `brokers["eu"].url`}},
		"NoBroker":      {func(f *File) { f.Sink.Output.Broker = "eu" }, []spec.Path{"sink.output.broker"}},
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
		"Guarantee":     {func(f *File) { f.Delivery.Guarantee = "manual" }, []spec.Path{"delivery.guarantee"}},
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
	text := string(golden(t, "v2.json"))
	for _, broken := range []string{
		strings.Replace(text, `"password": "hush"`, `"password": ["hush"]`, 1),
		strings.Replace(text, `"API_KEY": "s3cret"`, `"API_KEY": {"s3cret": 1}`, 1),
		strings.Replace(text, `"secrets"`, `"screts"`, 1),
	} {
		_, err := Decode([]byte(broken))
		if err == nil || strings.Contains(err.Error(), "hush") || strings.Contains(err.Error(), "s3cret") {
			t.Errorf("got %v", err)
		}
	}
}

func FuzzDecode(f *testing.F) {
	for _, name := range []string{"v1.json", "v1-source.json", "v2.json"} {
		data, err := os.ReadFile(filepath.Join("testdata", name))
		if err != nil {
			f.Fatal(err)
		}
		f.Add(data)
	}
	f.Add([]byte(`{"version":2}`))
	f.Add([]byte(`{"version":1,"source":{"input":null},"delivery":{"retries":null}}`))
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
