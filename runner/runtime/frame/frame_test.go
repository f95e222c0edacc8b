package frame_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"flag"
	"io"
	"math"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/functionmesh/terraform-provider-functionmesh/internal/wire"
	"github.com/functionmesh/terraform-provider-functionmesh/runner/pipeline"
	"github.com/functionmesh/terraform-provider-functionmesh/runner/runtime/frame"
)

var update = flag.Bool("update", false, "write the golden files that this side encodes")

// golden holds the files that the three codecs share.
func golden(name string) string { return filepath.Join("..", "process", "testdata", name) }

func read(t testing.TB, name string) []byte {
	t.Helper()
	data, err := os.ReadFile(golden(name))
	if err != nil {
		t.Fatal(err)
	}
	return data
}

func wantGolden(t *testing.T, name string, got []byte) {
	t.Helper()
	if *update {
		if err := os.WriteFile(golden(name), got, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if want := read(t, name); !bytes.Equal(want, got) {
		t.Errorf("%s: encoded %q, the file holds %q", name, got, want)
	}
}

// messages are what batch1.bin holds. A message has at most one property: maps have no
// order.
func messages() []pipeline.Message {
	return []pipeline.Message{
		{Topic: "persistent://public/default/orders", Partition: 3, Position: pipeline.Position{Ledger: 12, Entry: 5}, Key: []byte("k\x00"), Value: []byte("päyload"), Properties: map[string]string{"trace": "äb"}, EventTime: 1700000000123, PublishTime: 1700000000456, Redelivery: 2},
		{Topic: "persistent://public/default/orders", Position: pipeline.Position{Ledger: 12, Entry: 6}, Value: nil, EventTime: -1},
		{Topic: "persistent://public/default/orders", Position: pipeline.Position{Ledger: 12, Entry: 7}, Key: []byte{}, Value: []byte{}},
		{Topic: "persistent://public/default/orders", Position: pipeline.Position{Ledger: 12, Entry: 8}, Value: []byte{0xff, 0x00}},
	}
}

// messages2 are what batch2.bin holds: with all that protocol 2 adds.
func messages2() []pipeline.Message {
	in := messages()
	in[0].Position.Index, in[0].Position.Count, in[0].Schema = 1, 4, []byte{0, 9}
	in[1].Topic, in[1].Unpartitioned = "persistent://public/default/other", true
	in[2].Position = pipeline.Numbered(77)
	in[2].Schema = []byte{}
	return in
}

func TestBatchIsGolden(t *testing.T) {
	cases := map[string]struct {
		codec frame.Codec
		in    []pipeline.Message
	}{
		"batch1.bin":  {frame.Codec{Version: 1, ValuesOnly: true}, messages()},
		"batch2.bin":  {frame.Codec{Version: 2}, messages2()},
		"values2.bin": {frame.Codec{Version: 2, ValuesOnly: true}, messages2()},
	}
	for file, c := range cases {
		t.Run(file, func(t *testing.T) { wantGolden(t, file, c.codec.AppendBatch(nil, 7, c.in)) })
	}
}

func wantResults(key []byte, time int64) []pipeline.Result {
	return []pipeline.Result{
		{Outputs: []pipeline.Message{{Key: key, Value: []byte("päyload!"), EventTime: time}}},
		{},
		{Outputs: []pipeline.Message{
			{Topic: "elsewhere", Key: []byte("key"), Value: nil, Properties: map[string]string{"a": "ä"}, EventTime: -5},
			{Key: nil, Value: []byte{}},
		}},
		{Err: &frame.UserError{Text: "no: ä"}},
	}
}

func TestResultsAreGolden(t *testing.T) {
	metrics := []frame.Metric{{Name: "a", Values: []float64{1.5, math.Inf(1)}}, {Name: "ö", Values: []float64{-2}}}
	one, two := wantResults([]byte("k\x00"), 1700000000123), wantResults([]byte("k\x00"), 1700000000123)
	two[0].Done = true
	two[2].Acks = []pipeline.Ack{{Topic: "persistent://public/default/orders", Partition: 3, Position: pipeline.Position{Ledger: 12, Entry: 5, Index: 1, Count: 4}}}
	two[3].Acks = []pipeline.Ack{
		{Topic: "persistent://public/default/other", Position: pipeline.Position{Ledger: 12, Entry: 6}, Nack: true},
		{Topic: "persistent://public/default/orders", Position: pipeline.Numbered(77)},
	}
	logs := []frame.LogRecord{
		{Time: time.UnixMilli(1700000000789), Level: frame.Warn, Text: "wärn", Message: "12:5:3:1"},
		{Time: time.UnixMilli(0), Level: frame.Info},
	}
	cases := map[string]struct {
		version int
		in      []pipeline.Message
		want    frame.Results
	}{
		"results1.bin": {1, messages(), frame.Results{ID: 7, Results: one, Metrics: metrics}},
		"results2.bin": {2, messages2(), frame.Results{ID: 7, Results: two, Metrics: metrics, Logs: logs}},
	}
	for file, c := range cases {
		t.Run(file, func(t *testing.T) {
			got := frame.Results{}
			for range 2 { // the second time into used memory
				got.Payload = read(t, file)
				if err := (frame.Codec{Version: c.version}).Decode(c.in, &got); err != nil {
					t.Fatal(err)
				}
				if d := cmp.Diff(c.want, got, cmpopts.EquateEmpty(), cmpopts.IgnoreUnexported(frame.Results{}), cmpopts.IgnoreFields(frame.Results{}, "Payload")); d != "" {
					t.Error(d)
				}
				if got.Results[2].Outputs[0].Value != nil || got.Results[2].Outputs[1].Value == nil {
					t.Error("null and empty were confused")
				}
				if frame.Owner(got.Results) != &got || frame.Owner(got.Results[:2]) != nil || frame.Owner(nil) != nil {
					t.Error("the owner of results is not found, or found for a part of them")
				}
				for i := range got.Results { // what a pipeline may have written must not shine through
					got.Results[i].Err = errors.New("old")
					for j := range got.Results[i].Outputs {
						got.Results[i].Outputs[j] = pipeline.Message{Topic: "old", Key: []byte("old"), Cause: &c.in[0]}
					}
				}
			}
		})
	}
}

func TestLogIsGolden(t *testing.T) {
	want := []frame.LogRecord{
		{Time: time.UnixMilli(1700000000789), Level: frame.Error, Text: "ö", Message: "12:5:3:1"},
		{Time: time.UnixMilli(1), Level: frame.Trace, Text: "none"},
	}
	got, err := frame.DecodeLogs(read(t, "log2.bin"), func(id uint64) []pipeline.Message {
		if id != 7 {
			t.Errorf("batch %d", id)
		}
		return messages2()
	})
	if d := cmp.Diff(want, got); d != "" || err != nil {
		t.Error(d, err)
	}
	if got := want[0].Level.String() + frame.Level(0).String(); got != "ERRORINFO" {
		t.Error(got)
	}
}

func TestStartIsGolden(t *testing.T) {
	f := wire.File{
		Component: wire.Component{Kind: "function", Tenant: "acme", Namespace: "shop", Name: "enrich", Mesh: "lines"},
		Instance:  wire.Instance{ID: 1, Parallelism: 3},
		Source:    wire.Source{Inputs: []wire.Input{{Topic: "persistent://acme/shop/orders", Schema: "json"}}},
		Sink:      wire.Sink{Output: &wire.Output{Topic: "persistent://acme/shop/enriched", Partitions: 2}},
		Delivery:  wire.Delivery{Guarantee: "manual"},
		LogTopic:  &wire.Output{Topic: "persistent://acme/shop/log"},
		Function:  &wire.Function{Runtime: "python", File: "/code/enrich.py", SHA256: "abc", Class: "enrich.Enrich", UserConfig: `{"region":"eu"}`},
		Limits:    wire.Limits{CallTimeoutMs: 5000},
		Secrets:   map[string]string{"token": "s3cret"},
	}
	got, err := json.MarshalIndent(frame.NewStart(f), "", "  ")
	if err != nil {
		t.Fatal(err)
	}
	wantGolden(t, "start.json", append(got, '\n'))
}

func TestNegotiate(t *testing.T) {
	cases := map[string]struct {
		hello frame.Hello
		want  int
	}{
		"Same":        {frame.Hello{Min: frame.MinProtocol, Max: frame.MaxProtocol}, frame.MaxProtocol},
		"Older":       {frame.Hello{Min: 1, Max: 1}, 1},
		"NewerWorker": {frame.Hello{Min: 1, Max: 9}, frame.MaxProtocol},
		"TooNew":      {frame.Hello{Min: frame.MaxProtocol + 1, Max: 9}, 0},
		"TooOld":      {frame.Hello{Min: 0, Max: 0}, 0},
		"Nothing":     {frame.Hello{}, 0},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			got, err := frame.Negotiate(c.hello)
			if got != c.want || (err != nil) != (c.want == 0) {
				t.Errorf("got %d, %v; want %d", got, err, c.want)
			}
		})
	}
}

func TestFrames(t *testing.T) {
	var stream []byte
	for i, payload := range [][]byte{[]byte("one"), {}, []byte("three")} {
		stream = frame.Append(stream, frame.Type(i+1), payload)
	}
	dst, start := frame.Begin(stream, frame.TypeBatch)
	stream = frame.Finish(append(dst, "four"...), start)
	r := bytes.NewReader(stream)
	for i, want := range []string{"one", "", "three", "four"} {
		kind, payload, err := frame.Read(r, 100)
		if err != nil || string(payload) != want || kind != frame.Type(min(i+1, 5)) && kind != frame.TypeBatch {
			t.Errorf("frame %d: type %d, %q, %v", i, kind, payload, err)
		}
	}
	if _, _, err := frame.Read(r, 100); !errors.Is(err, io.EOF) {
		t.Errorf("at the end: %v", err)
	}
}

func TestBrokenFrames(t *testing.T) {
	cases := map[string]struct {
		stream []byte
		want   error
	}{
		"Length0":         {[]byte{0, 0, 0, 0, 1}, frame.ErrMalformed},
		"TooLarge":        {[]byte{0, 1, 0, 0, 5}, frame.ErrTooLarge},
		"HalfAHeader":     {[]byte{0, 0}, io.ErrUnexpectedEOF},
		"HalfAPayload":    {[]byte{0, 0, 0, 9, 5, 1, 2}, io.ErrUnexpectedEOF},
		"HeaderAndNoMore": {[]byte{0, 0, 0, 9, 5}, io.ErrUnexpectedEOF},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			if _, _, err := frame.Read(bytes.NewReader(c.stream), 1000); !errors.Is(err, c.want) {
				t.Errorf("got %v, want %v", err, c.want)
			}
		})
	}
}

func TestResultsOfAnotherBatch(t *testing.T) {
	r := frame.Results{Payload: read(t, "results1.bin")}
	if err := (frame.Codec{Version: 1}).Decode(messages()[:2], &r); !errors.Is(err, frame.ErrMalformed) {
		t.Errorf("got %v", err)
	}
}

func FuzzDecodeResults(f *testing.F) {
	for version, file := range map[int]string{1: "results1.bin", 2: "results2.bin"} {
		good := read(f, file)
		for _, cut := range []int{0, 8, 12, 16, 40, len(good) - 1, len(good)} {
			f.Add(version, good[:cut])
		}
	}
	in := messages2()
	r := frame.Results{}
	f.Fuzz(func(t *testing.T, version int, payload []byte) {
		r.Payload = payload
		if err := (frame.Codec{Version: version}).Decode(in, &r); err != nil {
			if !errors.Is(err, frame.ErrMalformed) {
				t.Errorf("unclassified: %v", err)
			}
			return
		}
		if len(r.Results) != len(in) {
			t.Errorf("%d results", len(r.Results))
		}
	})
}

func FuzzDecodeLogs(f *testing.F) {
	f.Add(read(f, "log2.bin"))
	f.Fuzz(func(t *testing.T, payload []byte) {
		_, err := frame.DecodeLogs(payload, func(uint64) []pipeline.Message { return nil })
		if err != nil && !errors.Is(err, frame.ErrMalformed) {
			t.Errorf("unclassified: %v", err)
		}
	})
}

func FuzzRead(f *testing.F) {
	f.Add([]byte{0, 0, 0, 2, 5, 1})
	f.Add([]byte{0xff, 0xff, 0xff, 0xff, 5})
	f.Fuzz(func(t *testing.T, stream []byte) {
		r := bytes.NewReader(stream)
		for {
			_, payload, err := frame.Read(r, 1000)
			if err != nil {
				return
			}
			if len(payload) > 1000 {
				t.Fatalf("a payload of %d bytes passed the limit", len(payload))
			}
		}
	})
}

func FuzzDecodeProgress(f *testing.F) {
	f.Add([]byte{0, 0, 0, 0, 0, 0, 0, 7, 0, 0, 0, 1})
	f.Fuzz(func(t *testing.T, payload []byte) {
		if _, index, err := frame.DecodeProgress(payload); err == nil && (index < 0 || len(payload) != 12) {
			t.Errorf("index %d of %d bytes", index, len(payload))
		}
	})
}
