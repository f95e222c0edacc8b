package function

import (
	"bytes"
	"context"
	"encoding/hex"
	"errors"
	"flag"
	"math"
	"os"
	"path/filepath"
	"reflect"
	"testing"
	"time"
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

// wantMessages are those of batch1.bin, or, in protocol 2, of batch2.bin.
func wantMessages(version int) []Message {
	const topic = "persistent://public/default/orders"
	in := []Message{
		{Topic: topic, Partition: 3, id: "12:5:3", Key: []byte("k\x00"), Value: []byte("päyload"), Properties: map[string]string{"trace": "äb"}, EventTime: 1700000000123, PublishTime: 1700000000456, Redelivery: 2},
		{Topic: topic, id: "12:6:0", EventTime: -1},
		{Topic: topic, id: "12:7:0", Key: []byte{}, Value: []byte{}},
		{Topic: topic, id: "12:8:0", Value: []byte{0xff, 0x00}},
	}
	if version == 1 {
		return in
	}
	for i := range in {
		in[i].id, in[i].Position = "", Position{Ledger: 12, Entry: int64(5 + i)}
	}
	in[0].Position.Index, in[0].Position.Count, in[0].Schema = 1, 4, []byte{0, 9}
	in[1].Topic, in[1].Unpartitioned = "persistent://public/default/other", true
	in[2].Position, in[2].Schema = Position{Ledger: -1, Entry: 77}, []byte{}
	return in
}

func TestBatchIsGolden(t *testing.T) {
	for version, file := range map[int]string{1: "batch1.bin", 2: "batch2.bin"} {
		b, err := decodeBatch(golden(t, file), version)
		if err != nil {
			t.Fatal(err)
		}
		got, err := b.messages(nil)
		if err != nil {
			t.Fatal(err)
		}
		if b.id != 7 || !reflect.DeepEqual(got, wantMessages(version)) {
			t.Errorf("%s: got %d %+v", file, b.id, got)
		}
	}
}

func TestValuesAreGolden(t *testing.T) {
	b, err := decodeBatch(golden(t, "values2.bin"), 2)
	if err != nil {
		t.Fatal(err)
	}
	for i, m := range wantMessages(2) {
		if got := b.next(i); !bytes.Equal(got, m.Value) || (got == nil) != (m.Value == nil) {
			t.Errorf("value %d: %q", i, got)
		}
	}
	if b.metas != nil {
		t.Error("metas where none were sent")
	}
}

func TestIDs(t *testing.T) {
	cases := map[string]struct {
		m      Message
		id     string
		pulsar string
	}{
		"Batched":       {Message{Partition: 2, Position: Position{Ledger: 12, Entry: 5, Index: 0, Count: 3}}, "12:5:2:0", "080c1005180220003003"},
		"Alone":         {Message{Partition: 2, Position: Position{Ledger: 12, Entry: 5}}, "12:5:2", "080c10051802"},
		"Unpartitioned": {Message{Unpartitioned: true, Position: Position{Ledger: 300, Entry: 5}}, "300:5:-1", "08ac021005"},
		"Numbered":      {Message{Position: Position{Ledger: -1, Entry: 77}}, "77", ""},
		"OldRunner":     {Message{id: "12:5"}, "12:5", ""},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			if got := c.m.ID(); got != c.id {
				t.Errorf("id %q, want %q", got, c.id)
			}
			if got := hex.EncodeToString(c.m.PulsarID()); got != c.pulsar {
				t.Errorf("serialised %s, want %s", got, c.pulsar)
			}
		})
	}
}

func TestResultsAreGolden(t *testing.T) {
	metrics := map[string][]float64{"ö": {-2}, "a": {1.5, math.Inf(1)}}
	in := wantMessages(2)
	two := said{metrics: metrics, ackN: 4, logN: 2}
	two.acks = appendAck(appendAck(appendAck(appendDone(nil, 0), 2, &in[0], false), 3, &in[1], true), 3, &in[2], false)
	two.logs = appendRecord(appendRecord(nil, 4, 0, time.UnixMilli(1700000000789), "wärn"), 3, none, time.UnixMilli(0), "")
	for file, version := range map[string]int{"results1.bin": 1, "results2.bin": 2} {
		var e encoder
		for range 2 { // the second time into used memory
			e.reset(7, 4, 1<<20)
			e.value([]byte("päyload!"))
			e.none()
			e.outputs([]Message{
				{Topic: "elsewhere", Key: []byte("key"), Properties: map[string]string{"a": "ä"}, EventTime: -5},
				{Value: []byte{}},
			})
			e.fail(errors.New("no: ä"))
			wantGolden(t, file, e.finish(&two, version)[frameLen:])
		}
	}
	logs := appendLen(append(make([]byte, 7), 7), 2)
	logs = appendRecord(appendRecord(logs, 5, 0, time.UnixMilli(1700000000789), "ö"), 1, none, time.UnixMilli(1), "none")
	wantGolden(t, "log2.bin", logs)
}

func wantGolden(t *testing.T, name string, got []byte) {
	t.Helper()
	if *update {
		if err := os.WriteFile(filepath.Join("..", "..", "runtime", "process", "testdata", name), got, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if want := golden(t, name); !bytes.Equal(got, want) {
		t.Errorf("%s: encoded %q, the file holds %q", name, got, want)
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
		[]Topic{{Topic: "persistent://acme/shop/orders", Schema: "json"}},
		Topic{Topic: "persistent://acme/shop/enriched", Partitions: 2},
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
	e.reset(1, 3, 200<<10)
	e.value([]byte("small"))
	e.value(make([]byte, 300<<10))
	e.value([]byte("small"))
	if got, want := kindsOf(&e), []byte{kindValue, kindError, kindValue}; !bytes.Equal(got, want) {
		t.Errorf("kinds %v, want %v", got, want)
	}
	if got := e.finish(&said{}, 1); len(got) > 200<<10 {
		t.Errorf("%d bytes pass the limit", len(got))
	}
}

func kindsOf(e *encoder) []byte { return e.buf[frameLen+12:][:e.of] }

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
			if m.ID() == "12:8:0" {
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
		"PlainOutput": {&program{message: func(_ context.Context, m Message) ([]Message, error) {
			switch {
			case m.Value == nil:
				return []Message{{Value: []byte("only")}}, nil
			case len(m.Value) == 0:
				return []Message{{}}, nil // a null value is no plain one
			case m.Value[0] == 0xff:
				return []Message{{Value: []byte("a"), EventTime: 1}}, nil
			}
			return []Message{{Value: []byte("b")}, {Value: []byte("c")}}, nil
		}}, []byte{kindOutputs, kindValue, kindOutputs, kindOutputs}},
		"BatchOfWrongLength": {&program{batch: func(context.Context, []Message) ([]Result, error) { return nil, nil }}, []byte{3, 3, 3, 3}},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			c.program.ctx = t.Context()
			for version, file := range map[int]string{1: "batch1.bin", 2: "batch2.bin"} {
				c.program.instance, c.program.version = From(t.Context()), version
				if _, err := c.program.run(golden(t, file)); err != nil {
					t.Fatal(err)
				}
				if got := kindsOf(&c.program.out); !bytes.Equal(got, c.kinds) {
					t.Errorf("kinds %v, want %v", got, c.kinds)
				}
			}
		})
	}
}

func TestManual(t *testing.T) {
	i := From(t.Context())
	if err := i.Ack(Message{}); !errors.Is(err, errNotManual) {
		t.Errorf("without the guarantee: %v", err)
	}
	i.info.Manual = true
	m := wantMessages(2)
	i.begin(7, m, 0)
	// What a goroutine says before the first message is at work must not come before what is
	// said of that one: they travel in the order of the messages.
	if err := errors.Join(i.Ack(m[1]), i.Ack(m[0])); err != nil {
		t.Fatal(err)
	}
	if s := i.take(said{}); s.ackN != 2 || !bytes.Equal(s.acks, appendDone(appendAck(nil, 0, &m[1], false), 0)) {
		t.Errorf("before the first: %d acknowledgements, %q", s.ackN, s.acks)
	}
	i.begin(7, m, 0)
	i.at(1)
	if err := errors.Join(i.Ack(m[0]), i.Nack(m[1]), i.Ack(m[1])); err != nil {
		t.Fatal(err)
	}
	want := appendDone(appendAck(appendAck(nil, 1, &m[0], false), 1, &m[1], true), 1)
	if s := i.take(said{}); s.ackN != 3 || !bytes.Equal(s.acks, want) {
		t.Errorf("%d acknowledgements, %q", s.ackN, s.acks)
	}
	// A handler of batches, most of which go from the first to the last.
	i.begin(8, m, none)
	if err := errors.Join(i.Ack(m[0]), i.Ack(m[2]), i.Ack(m[0]), i.Nack(m[1])); err != nil {
		t.Fatal(err)
	}
	want = appendAck(appendAck(appendDone(appendDone(nil, 0), 2), 2, &m[0], false), 2, &m[1], true)
	if s := i.take(said{}); s.ackN != 4 || !bytes.Equal(s.acks, want) {
		t.Errorf("of a batch: %d acknowledgements, %q", s.ackN, s.acks)
	}
	// Between two batches nothing is at work: what a goroutine of the function says then
	// must not be taken for a message of the next batch, nor count it beyond that one's end.
	if err := i.Ack(m[1]); err != nil {
		t.Fatal(err)
	}
	if s := i.take(said{}); s.ackN != 1 || !bytes.Equal(s.acks, appendAck(nil, 0, &m[1], false)) {
		t.Errorf("between two batches: %d acknowledgements, %q", s.ackN, s.acks)
	}
	if s := i.take(said{}); s.ackN != 0 {
		t.Error("told twice")
	}
}

func TestLogger(t *testing.T) {
	i := From(t.Context())
	i.info.Log = true
	sent := 0
	i.flush = func(_ uint64, n int, _ []byte) { sent += n }
	i.at(1)
	log := i.Logger().With("a", 1)
	log.Debug("not wanted")
	log.Warn("word", "b", 2)
	s := i.take(said{})
	if want := appendRecord(nil, 4, 1, time.Time{}, "msg=word a=1 b=2"); s.logN != 1 || !bytes.Equal(s.logs[:5], want[:5]) || !bytes.HasSuffix(s.logs, want[13:]) {
		t.Errorf("%d records: %q", s.logN, s.logs)
	}
	for range 100 {
		log.Info(string(make([]byte, 1000)))
	}
	if left := i.take(said{}).logN; sent == 0 || sent+left != 100 {
		t.Errorf("%d records were sent before the end of the batch and %d were left", sent, left)
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
	for file, version := range map[string]int{"batch1.bin": 1, "batch2.bin": 2, "values2.bin": 2} {
		good := golden(f, file)
		for _, cut := range []int{0, 8, 12, 13, 20, 44, len(good) - 1, len(good)} {
			f.Add(version, good[:cut])
		}
	}
	f.Fuzz(func(t *testing.T, version int, payload []byte) {
		b, err := decodeBatch(payload, version)
		if err == nil && b.metas != nil {
			_, err = b.messages(nil)
		}
		if err != nil && !errors.Is(err, errMalformed) {
			t.Errorf("unclassified: %v", err)
		}
	})
}
