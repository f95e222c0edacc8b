package entry_test

import (
	"encoding/binary"
	"encoding/hex"
	"hash/crc32"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/functionmesh/terraform-provider-functionmesh/runner/broker/pulsar/entry"
)

// FuzzDecode: whatever comes is opened or refused, and what was opened can be walked and
// formed again.
func FuzzDecode(f *testing.F) {
	var enc entry.Encoder
	for _, codec := range everyCodec {
		for _, batched := range []bool{false, true} {
			enc.Begin(entry.Header{Producer: "p", Codec: codec, Batched: batched, PublishTime: 1, Schema: []byte{1}})
			enc.Property("k", "v")
			enc.Append(&entry.Message{Value: []byte("value"), Key: []byte("k"), EventTime: 3})
			out, err := enc.Finish()
			if err != nil {
				f.Fatal(err)
			}
			_, rest := section(f, out.Frame)
			f.Add(rest)
		}
	}
	dec := entry.Decoder{MaxUnpacked: 1 << 20}
	var e entry.Entry
	f.Fuzz(func(t *testing.T, in []byte) {
		entry.Count(in)
		tryDecode(t, &dec, &e, in)
		if len(in) < 6 {
			return
		}
		// The same with a checksum that is right, so that more than the checksum is tried.
		right := append([]byte{0x0e, 0x01, 0, 0, 0, 0}, in[6:]...)
		binary.BigEndian.PutUint32(right[2:], crc32.Checksum(right[6:], crc32.MakeTable(crc32.Castagnoli)))
		tryDecode(t, &dec, &e, right)
	})
}

func tryDecode(t *testing.T, dec *entry.Decoder, e *entry.Entry, in []byte) {
	t.Helper()
	if dec.Decode(in, e) != nil {
		return
	}
	var enc entry.Encoder
	enc.Begin(entry.Header{Producer: "p", Batched: true})
	var m entry.Message
	n := 0
	for w := e.Messages(); w.Next(&m); n++ {
		m.Properties.Map()
		m.KeyBytes()
		enc.Append(&m)
	}
	if n == 0 {
		return
	}
	out, err := enc.Finish()
	if err != nil {
		t.Fatal(err)
	}
	var again entry.Entry
	_, rest := section(t, out.Frame)
	if err := dec.Decode(rest, &again); err != nil || again.Count != n {
		t.Fatalf("%d messages formed again: %d, %v", n, again.Count, err)
	}
}

// Golden entries were captured from what Pulsar's own Go client sent.
func TestGolden(t *testing.T) {
	for name, want := range map[string][]plain{
		"plain":  {{Value: "hello", Key: "key", Ordering: "ordering", EventTime: 1_600_000_000_123, Properties: map[string]string{"a": "1", "b": ""}}},
		"null":   {{Null: true, Key: "gone"}},
		"binary": {{Value: "\x00\xff", NoKey: true}},
		"batch":  {{Value: "message 0", Key: "k0", Properties: map[string]string{"n": "0"}}, {Value: "message 1", Key: "k1", Sequence: 1, Properties: map[string]string{"n": "1"}}, {Value: "message 2", Key: "k0", Sequence: 2, Properties: map[string]string{"n": "2"}}},
		"lz4":    {{Value: strings.Repeat("a", 500), NoKey: true}, {Value: strings.Repeat("b", 500), NoKey: true, Sequence: 1}},
		"zlib":   {{Value: strings.Repeat("a", 500), NoKey: true}, {Value: strings.Repeat("b", 500), NoKey: true, Sequence: 1}},
		"zstd":   {{Value: strings.Repeat("a", 500), NoKey: true}, {Value: strings.Repeat("b", 500), NoKey: true, Sequence: 1}},
		"snappy": {{Value: strings.Repeat("a", 500), NoKey: true}, {Value: strings.Repeat("b", 500), NoKey: true, Sequence: 1}},
	} {
		t.Run(name, func(t *testing.T) {
			text, err := os.ReadFile(filepath.Join("testdata", name+".hex"))
			if err != nil {
				t.Fatal(err)
			}
			data, err := hex.DecodeString(strings.Join(strings.Fields(string(text)), ""))
			if err != nil {
				t.Fatal(err)
			}
			var dec entry.Decoder
			var e entry.Entry
			if err := dec.Decode(data, &e); err != nil {
				t.Fatal(err)
			}
			compare(t, want, &e)
		})
	}
}
