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

// messages are what batch.bin holds. A message has at most one property: maps have no
// order.
func messages() []pipeline.Message {
	return []pipeline.Message{
		{Topic: "persistent://public/default/orders", Partition: 3, Position: pipeline.Position{Ledger: 12, Entry: 5}, Key: []byte("k\x00"), Value: []byte("päyload"), Properties: map[string]string{"trace": "äb"}, EventTime: 1700000000123, PublishTime: 1700000000456, Redelivery: 2},
		{Topic: "persistent://public/default/orders", Position: pipeline.Position{Ledger: 12, Entry: 6}, Value: nil, EventTime: -1},
		{Topic: "persistent://public/default/orders", Position: pipeline.Position{Ledger: 12, Entry: 7}, Key: []byte{}, Value: []byte{}},
		{Topic: "persistent://public/default/orders", Position: pipeline.Position{Ledger: 12, Entry: 8}, Value: []byte{0xff, 0x00}},
	}
}

func TestBatchIsGolden(t *testing.T) {
	in := messages()
	got := frame.AppendBatch(nil, 7, in)
	wantGolden(t, "batch.bin", got)
	if size := frame.BatchSize(in); size != int64(len(got)) {
		t.Errorf("BatchSize is %d, the batch has %d bytes", size, len(got))
	}
}

func TestResultsAreGolden(t *testing.T) {
	got, err := frame.DecodeResults(read(t, "results.bin"), messages())
	if err != nil {
		t.Fatal(err)
	}
	want := frame.Results{
		ID: 7,
		Results: []pipeline.Result{
			{Outputs: []pipeline.Message{{Key: []byte("k\x00"), Value: []byte("päyload!"), EventTime: 1700000000123}}},
			{},
			{Outputs: []pipeline.Message{
				{Topic: "elsewhere", Key: []byte("key"), Value: nil, Properties: map[string]string{"a": "ä"}, EventTime: -5},
				{Key: nil, Value: []byte{}},
			}},
			{Err: &frame.UserError{Text: "no: ä"}},
		},
		Metrics: []frame.Metric{{Name: "a", Values: []float64{1.5, math.Inf(1)}}, {Name: "ö", Values: []float64{-2}}},
	}
	if d := cmp.Diff(want, got, cmpopts.EquateEmpty()); d != "" {
		t.Error(d)
	}
	if got.Results[2].Outputs[0].Value != nil || got.Results[2].Outputs[1].Value == nil {
		t.Error("null and empty were confused")
	}
}

func TestStartIsGolden(t *testing.T) {
	f := wire.File{
		Component: wire.Component{Kind: "function", Tenant: "acme", Namespace: "shop", Name: "enrich", Mesh: "lines"},
		Instance:  wire.Instance{ID: 1, Parallelism: 3},
		Source:    wire.Source{Inputs: []wire.Input{{Topic: "persistent://acme/shop/orders", Schema: "json"}}},
		Sink:      wire.Sink{Output: &wire.Output{Topic: "persistent://acme/shop/enriched"}},
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
		"Same":        {frame.Hello{Min: 1, Max: 1}, 1},
		"NewerWorker": {frame.Hello{Min: 1, Max: 9}, 1},
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
	if _, err := frame.DecodeResults(read(t, "results.bin"), messages()[:2]); !errors.Is(err, frame.ErrMalformed) {
		t.Errorf("got %v", err)
	}
}

func FuzzDecodeResults(f *testing.F) {
	good := read(f, "results.bin")
	f.Add(good)
	for _, cut := range []int{0, 8, 12, 16, 40, len(good) - 1} {
		f.Add(good[:cut])
	}
	in := messages()
	f.Fuzz(func(t *testing.T, payload []byte) {
		got, err := frame.DecodeResults(payload, in)
		if err != nil {
			if !errors.Is(err, frame.ErrMalformed) {
				t.Errorf("unclassified: %v", err)
			}
			return
		}
		if len(got.Results) != len(in) {
			t.Errorf("%d results", len(got.Results))
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
