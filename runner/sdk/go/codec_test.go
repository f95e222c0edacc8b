package function

import (
	"bytes"
	"context"
	"errors"
	"flag"
	"math"
	"os"
	"path/filepath"
	"reflect"
	"testing"
)

var update = flag.Bool("update", false, "write the golden file that this side encodes")

// golden holds the files that this codec shares with the runner and with Python.
func golden(t testing.TB, name string) []byte {
	t.Helper()
	data, err := os.ReadFile(filepath.Join("..", "..", "runtime", "process", "testdata", name))
	if err != nil {
		t.Fatal(err)
	}
	return data
}

func wantMessages() []Message {
	const topic = "persistent://public/default/orders"
	return []Message{
		{Topic: topic, Partition: 3, ID: "12:5:3", Key: []byte("k\x00"), Value: []byte("päyload"), Properties: map[string]string{"trace": "äb"}, EventTime: 1700000000123, PublishTime: 1700000000456, Redelivery: 2},
		{Topic: topic, ID: "12:6:0", EventTime: -1},
		{Topic: topic, ID: "12:7:0", Key: []byte{}, Value: []byte{}},
		{Topic: topic, ID: "12:8:0", Value: []byte{0xff, 0x00}},
	}
}

func TestBatchIsGolden(t *testing.T) {
	b, err := decodeBatch(golden(t, "batch.bin"))
	if err != nil {
		t.Fatal(err)
	}
	got, err := b.messages(nil)
	if err != nil {
		t.Fatal(err)
	}
	if b.id != 7 || !reflect.DeepEqual(got, wantMessages()) {
		t.Errorf("got %d %+v", b.id, got)
	}
}

func TestResultsAreGolden(t *testing.T) {
	var e encoder
	e.reset(7, 1<<20)
	e.value([]byte("päyload!"))
	e.none()
	e.outputs([]Message{
		{Topic: "elsewhere", Key: []byte("key"), Properties: map[string]string{"a": "ä"}, EventTime: -5},
		{Value: []byte{}},
	})
	e.fail(errors.New("no: ä"))
	got := e.finish(map[string][]float64{"ö": {-2}, "a": {1.5, math.Inf(1)}})
	if *update {
		if err := os.WriteFile(filepath.Join("..", "..", "runtime", "process", "testdata", "results.bin"), got, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if want := golden(t, "results.bin"); !bytes.Equal(got, want) {
		t.Errorf("encoded %q, the file holds %q", got, want)
	}
}

func TestStartIsGolden(t *testing.T) {
	i, err := newInstance(golden(t, "start.json"))
	if err != nil {
		t.Fatal(err)
	}
	var config map[string]string
	if err := i.UserConfig(&config); err != nil {
		t.Fatal(err)
	}
	secret, _ := i.Secret("token")
	out, ok := i.Output()
	got := []any{i.Tenant(), i.Namespace(), i.Name(), i.ID(), i.Parallelism(), i.Inputs(), out, ok, config, secret, i.info.Limits.CallTimeoutMs}
	want := []any{
		"acme", "shop", "enrich", 1, 3,
		[]Topic{{"persistent://acme/shop/orders", "json"}},
		Topic{"persistent://acme/shop/enriched", ""},
		true,
		map[string]string{"region": "eu"},
		"s3cret", int64(5000),
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
}

func TestHugeResultsFailAlone(t *testing.T) {
	var e encoder
	e.reset(1, 200<<10)
	e.value([]byte("small"))
	e.value(make([]byte, 300<<10))
	e.value([]byte("small"))
	if want := []byte{kindValue, kindError, kindValue}; !bytes.Equal(e.kinds, want) {
		t.Errorf("kinds %v, want %v", e.kinds, want)
	}
	if got := e.finish(nil); len(got) > 200<<10 {
		t.Errorf("%d bytes pass the limit", len(got))
	}
}

func TestForms(t *testing.T) {
	cases := map[string]struct {
		program *program
		kinds   []byte
	}{
		"Value": {&program{value: func(in []byte) ([]byte, error) {
			switch {
			case in == nil:
				return nil, nil
			case len(in) == 0:
				return nil, errors.New("empty")
			case in[0] == 0xff:
				panic("binary")
			}
			return in, nil
		}}, []byte{kindValue, kindNone, kindError, kindError}},
		"Message": {&program{message: func(_ context.Context, m Message) ([]Message, error) {
			if m.ID == "12:8:0" {
				return nil, errors.New("eight")
			}
			if m.Key == nil {
				return nil, nil
			}
			return []Message{m.Reply(m.Value)}, nil
		}}, []byte{kindOutputs, kindNone, kindOutputs, kindError}},
		"Batch": {&program{batch: func(_ context.Context, in []Message) ([]Result, error) {
			out := make([]Result, len(in))
			out[1].Err = errors.New("one")
			out[2].Outputs = in[2:3]
			return out, nil
		}}, []byte{kindNone, kindError, kindOutputs, kindNone}},
		"BatchOfWrongLength": {&program{batch: func(context.Context, []Message) ([]Result, error) { return nil, nil }}, []byte{3, 3, 3, 3}},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			c.program.instance, c.program.ctx = &Instance{}, t.Context()
			if _, err := c.program.run(golden(t, "batch.bin")); err != nil {
				t.Fatal(err)
			}
			if !bytes.Equal(c.program.out.kinds, c.kinds) {
				t.Errorf("kinds %v, want %v", c.program.out.kinds, c.kinds)
			}
		})
	}
}

func TestFromOutsideOfAHandler(t *testing.T) {
	i := From(t.Context())
	if _, ok := i.Secret("a"); ok || i.Name() != "" {
		t.Error("an instance that knows nothing knows something")
	}
	i.RecordMetric("a", 1)
}

func FuzzDecodeBatch(f *testing.F) {
	good := golden(f, "batch.bin")
	f.Add(good)
	for _, cut := range []int{0, 8, 12, 20, 44, len(good) - 1} {
		f.Add(good[:cut])
	}
	f.Fuzz(func(t *testing.T, payload []byte) {
		b, err := decodeBatch(payload)
		if err == nil {
			_, err = b.messages(nil)
		}
		if err != nil && !errors.Is(err, errMalformed) {
			t.Errorf("unclassified: %v", err)
		}
	})
}
