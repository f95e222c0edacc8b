package entry_test

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/protobuf/proto"

	"github.com/functionmesh/terraform-provider-functionmesh/runner/broker/pulsar/conn/pulsarpb"
	"github.com/functionmesh/terraform-provider-functionmesh/runner/broker/pulsar/entry"
)

// plain is a message as tests compare it.
type plain struct {
	Value, Key, Ordering string
	Null, NoKey, Coded   bool
	Compacted            bool
	EventTime            int64
	Sequence             uint64
	Properties           map[string]string
}

func flat(m *entry.Message) plain {
	return plain{
		Value: string(m.Value), Key: string(m.Key), Ordering: string(m.OrderingKey), Null: m.Value == nil, NoKey: m.Key == nil,
		Coded: m.KeyEncoded, Compacted: m.Compacted, EventTime: m.EventTime, Sequence: m.Sequence, Properties: m.Properties.Map(),
	}
}

func walk(t *testing.T, e *entry.Entry) []plain {
	t.Helper()
	var got []plain
	var m entry.Message
	w := e.Messages()
	for w.Next(&m) {
		if m.Index != len(got) {
			t.Fatalf("index %d of message %d", m.Index, len(got))
		}
		got = append(got, flat(&m))
	}
	if w.Err() != nil {
		t.Fatal(w.Err())
	}
	return got
}

// section is what follows the command in a frame.
func section(t testing.TB, frame []byte) (cmd *pulsarpb.BaseCommand, rest []byte) {
	t.Helper()
	if int(binary.BigEndian.Uint32(frame)) != len(frame)-4 {
		t.Fatalf("frame of %d bytes says %d", len(frame), binary.BigEndian.Uint32(frame))
	}
	n := binary.BigEndian.Uint32(frame[4:])
	cmd = &pulsarpb.BaseCommand{}
	if err := proto.Unmarshal(frame[8:8+n], cmd); err != nil {
		t.Fatal(err)
	}
	return cmd, frame[8+n:]
}

// metadata is that of a section, read by the generated code.
func metadata(t testing.TB, section []byte) *pulsarpb.MessageMetadata {
	t.Helper()
	n := binary.BigEndian.Uint32(section[6:])
	m := &pulsarpb.MessageMetadata{}
	if err := proto.Unmarshal(section[10:10+n], m); err != nil {
		t.Fatal(err)
	}
	return m
}

// seal forms a section from metadata and payload, with the right checksum.
func seal(t testing.TB, m *pulsarpb.MessageMetadata, payload []byte) []byte {
	t.Helper()
	meta, err := proto.Marshal(m)
	if err != nil {
		t.Fatal(err)
	}
	body := binary.BigEndian.AppendUint32(nil, uint32(len(meta)))
	body = append(append(body, meta...), payload...)
	b := []byte{0x0e, 0x01}
	b = binary.BigEndian.AppendUint32(b, crc32.Checksum(body, crc32.MakeTable(crc32.Castagnoli)))
	return append(b, body...)
}

func meta() *pulsarpb.MessageMetadata {
	return &pulsarpb.MessageMetadata{ProducerName: new("p"), SequenceId: proto.Uint64(7), PublishTime: proto.Uint64(1000)}
}

var everyCodec = []entry.Codec{entry.None, entry.LZ4, entry.Zlib, entry.Zstd, entry.Snappy}

// sample makes messages of many shapes; values compress well or not at all.
func sample(n int) []entry.Message {
	r := rand.New(rand.NewPCG(1, 2))
	out := make([]entry.Message, n)
	for i := range out {
		m := &out[i]
		m.Value = bytes.Repeat([]byte{byte(i)}, r.IntN(300))
		if i%3 == 0 {
			for j := range m.Value {
				m.Value[j] = byte(r.Uint32())
			}
		}
		switch i % 5 {
		case 1:
			m.Key = fmt.Appendf(nil, "key %d", i)
		case 2:
			m.OrderingKey, m.EventTime = []byte("o"), int64(i)
		case 3:
			m.Value = nil
		case 4:
			m.Key, m.KeyEncoded = []byte("a2V5"), true
		}
	}
	return out
}

func TestBatchesComeBack(t *testing.T) {
	var enc entry.Encoder
	var dec entry.Decoder
	var e entry.Entry
	for _, codec := range everyCodec {
		for _, n := range []int{1, 2, 100, 1000} {
			t.Run(fmt.Sprintf("%s/%d", codec, n), func(t *testing.T) {
				enc.Begin(entry.Header{Producer: "me", Codec: codec, Schema: []byte{0, 1}, Batched: true, PublishTime: 99, Sequence: 40, Numbered: true})
				var want []plain
				for i, m := range sample(n) {
					p := flat(&m)
					p.Sequence = 40 + uint64(i)
					if i%4 == 0 {
						enc.Property("k", fmt.Sprint(i))
						enc.Property("other", "")
						p.Properties = map[string]string{"k": fmt.Sprint(i), "other": ""}
					}
					enc.Append(&m)
					want = append(want, p)
				}
				out, err := enc.Finish()
				if err != nil {
					t.Fatal(err)
				}
				out.SetProducer(1<<35 - 1)
				cmd, rest := section(t, out.Frame)
				checkSend(t, cmd, &out, n)
				if got := len(rest) - 10; got != out.Size() {
					t.Errorf("size %d, want %d", out.Size(), got)
				}
				if err := dec.Decode(rest, &e); err != nil {
					t.Fatal(err)
				}
				if diff := cmp.Diff(want, walk(t, &e)); diff != "" {
					t.Error(diff)
				}
				if string(e.Producer) != "me" || e.PublishTime != 99 || e.Sequence != 40 || !bytes.Equal(e.Schema, []byte{0, 1}) || e.Highest != out.Highest {
					t.Errorf("%+v", e)
				}
			})
		}
	}
}

func checkSend(t *testing.T, cmd *pulsarpb.BaseCommand, out *entry.Encoded, n int) {
	t.Helper()
	send := cmd.GetSend()
	if cmd.GetType() != pulsarpb.Type_SEND || send.GetProducerId() != 1<<35-1 || send.GetSequenceId() != out.Sequence || send.GetHighestSequenceId() != out.Highest || send.NumMessages != nil && int(send.GetNumMessages()) != n || send.NumMessages == nil && n != 1 {
		t.Errorf("%v of %d messages, %+v", cmd, n, out.Highest)
	}
}

func TestSingleMessages(t *testing.T) {
	var enc entry.Encoder
	var dec entry.Decoder
	var e entry.Entry
	long := strings.Repeat("long ", 200)
	for name, m := range map[string]entry.Message{
		"Value":          {Value: []byte("v")},
		"Empty":          {Value: []byte{}},
		"Null":           {},
		"Key":            {Value: []byte("v"), Key: []byte("k"), EventTime: 5},
		"EncodedKey":     {Value: []byte("v"), Key: []byte("a2V5"), KeyEncoded: true, OrderingKey: []byte{0, 255}},
		"Compresses":     {Value: bytes.Repeat([]byte("x"), 5000)},
		"LongKey":        {Value: []byte("v"), Key: []byte(long)},
		"Incompressible": {Value: []byte("0123456789")},
	} {
		for _, codec := range everyCodec {
			t.Run(name+"/"+codec.String(), func(t *testing.T) {
				enc.Begin(entry.Header{Producer: "me", Codec: codec, PublishTime: 99, Sequence: 40})
				enc.Property("a", long)
				enc.Property("b", "2")
				enc.Append(&m)
				out, err := enc.Finish()
				if err != nil {
					t.Fatal(err)
				}
				want := flat(&m)
				want.Sequence, want.Properties = 40, map[string]string{"a": long, "b": "2"}
				_, rest := section(t, out.Frame)
				if err := dec.Decode(rest, &e); err != nil {
					t.Fatal(err)
				}
				if diff := cmp.Diff([]plain{want}, walk(t, &e)); diff != "" {
					t.Error(diff)
				}
				if e.Batched || metadata(t, rest).NumMessagesInBatch != nil {
					t.Error("framed as a batch")
				}
			})
		}
	}
}

// A key that is no text travels in base64 and comes back as it was.
func TestBinaryKeys(t *testing.T) {
	var enc entry.Encoder
	var dec entry.Decoder
	var e entry.Entry
	key := []byte{0xff, 0, 0xfe}
	for _, batched := range []bool{false, true} {
		enc.Begin(entry.Header{Producer: "me", Batched: batched})
		enc.Append(&entry.Message{Key: key, Value: []byte("v")})
		out, err := enc.Finish()
		if err != nil {
			t.Fatal(err)
		}
		_, rest := section(t, out.Frame)
		if m := metadata(t, rest); m.GetPartitionKey() != "/wD+" || !m.GetPartitionKeyBase64() {
			t.Errorf("metadata %v", m)
		}
		if err := dec.Decode(rest, &e); err != nil {
			t.Fatal(err)
		}
		var m entry.Message
		w := e.Messages()
		if !w.Next(&m) || !bytes.Equal(m.KeyBytes(), key) {
			t.Errorf("key %x, %v", m.KeyBytes(), w.Err())
		}
	}
}

// A batch is dispatched by a key only when all its messages have that key.
func TestKeyOfBatch(t *testing.T) {
	for name, c := range map[string]struct {
		keys []string
		want string
	}{
		"One":    {[]string{"a"}, "a"},
		"Shared": {[]string{"a", "a", "a"}, "a"},
		"Mixed":  {[]string{"a", "a", "b"}, ""},
		"Some":   {[]string{"a", "", "a"}, ""},
		"None":   {[]string{"", ""}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			var enc entry.Encoder
			enc.Begin(entry.Header{Producer: "me", Batched: true})
			for _, k := range c.keys {
				m := entry.Message{Value: []byte("v")}
				if k != "" {
					m.Key = []byte(k)
				}
				enc.Append(&m)
			}
			out, err := enc.Finish()
			if err != nil {
				t.Fatal(err)
			}
			_, rest := section(t, out.Frame)
			if got := metadata(t, rest).GetPartitionKey(); got != c.want {
				t.Errorf("key %q, want %q", got, c.want)
			}
		})
	}
}

func TestForwardedProperties(t *testing.T) {
	for _, from := range []bool{false, true} {
		for _, to := range []bool{false, true} {
			t.Run(fmt.Sprintf("%t to %t", from, to), func(t *testing.T) {
				var enc entry.Encoder
				enc.Begin(entry.Header{Producer: "me", Batched: from})
				enc.Property("a", "1")
				enc.Property("b", "2")
				enc.Append(&entry.Message{Value: []byte("in")})
				in, err := enc.Finish()
				if err != nil {
					t.Fatal(err)
				}
				var dec entry.Decoder
				var e, second entry.Entry
				_, rest := section(t, in.Frame)
				if err := dec.Decode(rest, &e); err != nil {
					t.Fatal(err)
				}
				var m entry.Message
				w := e.Messages()
				w.Next(&m)
				enc.Begin(entry.Header{Producer: "me", Batched: to})
				enc.Property("own", "3")
				enc.Forward(&m.Properties)
				enc.Append(&entry.Message{Value: []byte("out")})
				out, err := enc.Finish()
				if err != nil {
					t.Fatal(err)
				}
				_, rest = section(t, out.Frame)
				if err := dec.Decode(rest, &second); err != nil {
					t.Fatal(err)
				}
				got := walk(t, &second)[0].Properties
				if diff := cmp.Diff(map[string]string{"own": "3", "a": "1", "b": "2"}, got); diff != "" {
					t.Error(diff)
				}
			})
		}
	}
}

func TestDefects(t *testing.T) {
	var enc entry.Encoder
	enc.Begin(entry.Header{Producer: "me", Batched: true})
	for _, m := range sample(10) {
		enc.Append(&m)
	}
	out, err := enc.Finish()
	if err != nil {
		t.Fatal(err)
	}
	_, whole := section(t, out.Frame)
	flipped := bytes.Clone(whole)
	flipped[len(flipped)-3] ^= 1
	with := func(change func(m *pulsarpb.MessageMetadata), payload string) []byte {
		m := meta()
		change(m)
		return seal(t, m, []byte(payload))
	}
	for name, c := range map[string]struct {
		in   []byte
		want entry.Defect
	}{
		"Nothing":     {nil, entry.Truncated},
		"Flipped":     {flipped, entry.Checksum},
		"Cut":         {whole[:len(whole)-1], entry.Checksum},
		"CutMetadata": {[]byte{0, 0, 0, 9, 1}, entry.Truncated},
		"BrokerData":  {[]byte{0x0e, 0x02, 0, 0, 1, 0}, entry.Truncated},
		"NoMetadata":  {seal(t, &pulsarpb.MessageMetadata{}, nil), entry.Metadata},
		"BadMetadata": {[]byte{0, 0, 0, 2, 0x0a, 0x7f, 1}, entry.Metadata},
		"UnknownCodec": {with(func(m *pulsarpb.MessageMetadata) {
			m.Compression = pulsarpb.Compression(9).Enum()
			m.UncompressedSize = proto.Uint32(3)
		}, "abc"), entry.Compression},
		"Bomb": {with(func(m *pulsarpb.MessageMetadata) {
			m.Compression = pulsarpb.Compression_ZSTD.Enum()
			m.UncompressedSize = proto.Uint32(1 << 31)
		}, "abc"), entry.Oversize},
		"NotZstd": {with(func(m *pulsarpb.MessageMetadata) {
			m.Compression = pulsarpb.Compression_ZSTD.Enum()
			m.UncompressedSize = proto.Uint32(5)
		}, "abc"), entry.Decompress},
		"NotZlib": {with(func(m *pulsarpb.MessageMetadata) {
			m.Compression = pulsarpb.Compression_ZLIB.Enum()
			m.UncompressedSize = proto.Uint32(5)
		}, "abc"), entry.Decompress},
		"NotSnappy": {with(func(m *pulsarpb.MessageMetadata) {
			m.Compression = pulsarpb.Compression_SNAPPY.Enum()
			m.UncompressedSize = proto.Uint32(2)
		}, "abc"), entry.Decompress},
		"ShortLZ4": {with(func(m *pulsarpb.MessageMetadata) {
			m.Compression = pulsarpb.Compression_LZ4.Enum()
			m.UncompressedSize = proto.Uint32(9)
		}, "\x30abc"), entry.Decompress},
		"LongLZ4": {with(func(m *pulsarpb.MessageMetadata) {
			m.Compression = pulsarpb.Compression_LZ4.Enum()
			m.UncompressedSize = proto.Uint32(2)
		}, "\x30abc"), entry.Decompress},
		"NoSize":   {with(func(m *pulsarpb.MessageMetadata) { m.Compression = pulsarpb.Compression_LZ4.Enum() }, strings.Repeat("a", 40)), entry.Decompress},
		"TooMany":  {with(func(m *pulsarpb.MessageMetadata) { m.NumMessagesInBatch = proto.Int32(1 << 30) }, "abcdef"), entry.BatchFraming},
		"Negative": {with(func(m *pulsarpb.MessageMetadata) { m.NumMessagesInBatch = proto.Int32(-1) }, "abcdef"), entry.BatchFraming},
		"Encrypted": {with(func(m *pulsarpb.MessageMetadata) {
			m.EncryptionKeys = []*pulsarpb.EncryptionKey{{Key: new("k"), Value: []byte("v")}}
		}, "abc"), entry.Encrypted},
		"Chunked": {with(func(m *pulsarpb.MessageMetadata) {
			m.Uuid = new("u")
			m.NumChunks = proto.Int32(3)
			m.ChunkId = proto.Int32(1)
		}, "abc"), entry.Chunked},
		"Marker": {with(func(m *pulsarpb.MessageMetadata) { m.MarkerType = proto.Int32(10) }, "abc"), entry.Marker},
	} {
		t.Run(name, func(t *testing.T) {
			var dec entry.Decoder
			var e entry.Entry
			err := dec.Decode(c.in, &e)
			var typed *entry.Error
			if !errors.Is(err, c.want) || !errors.As(err, &typed) {
				t.Errorf("%v, want %v", err, c.want)
			}
		})
	}
}

// What does not add up inside a batch ends the walk with an error, not in silence.
func TestDefectsInsideBatch(t *testing.T) {
	for name, payload := range map[string]string{
		"Length":  "\x00\x00\x00\x7f\x18\x01aaaaaa",
		"NoSize":  "\x00\x00\x00\x02\x40\x01aaaaaa",
		"Size":    "\x00\x00\x00\x02\x18\x7faaaaaa",
		"Garbage": "\x00\x00\x00\x02\xff\xffaaaaaa",
		"Second":  "\x00\x00\x00\x02\x18\x00\x00\x00\x00\x09aa",
	} {
		t.Run(name, func(t *testing.T) {
			md := meta()
			md.NumMessagesInBatch = proto.Int32(2)
			var dec entry.Decoder
			var e entry.Entry
			if err := dec.Decode(seal(t, md, []byte(payload)), &e); err != nil {
				t.Fatal(err)
			}
			var m entry.Message
			w := e.Messages()
			for w.Next(&m) {
			}
			if !errors.Is(w.Err(), entry.BatchFraming) {
				t.Errorf("%v", w.Err())
			}
		})
	}
}

// All that the generated metadata knows is read as it is, broker metadata in front
// included.
func TestMetadataFields(t *testing.T) {
	md := meta()
	md.ReplicatedFrom, md.TxnidLeastBits, md.TxnidMostBits = new("eu"), proto.Uint64(0), proto.Uint64(4)
	md.HighestSequenceId, md.DeliverAtTime, md.EventTime = proto.Uint64(12), proto.Int64(77), proto.Uint64(55)
	md.NullPartitionKey, md.PartitionKey = new(true), new("x")
	in := append([]byte{0x0e, 0x02, 0, 0, 0, 2, 8, 1}, seal(t, md, []byte("v"))...)
	var dec entry.Decoder
	var e entry.Entry
	if err := dec.Decode(in, &e); err != nil {
		t.Fatal(err)
	}
	if string(e.Replicated) != "eu" || !e.InTxn || e.TxnMost != 4 || e.Highest != 12 || e.DeliverAt != 77 {
		t.Errorf("%+v", e)
	}
	got := walk(t, &e)
	if diff := cmp.Diff([]plain{{Value: "v", NoKey: true, EventTime: 55, Sequence: 7}}, got); diff != "" {
		t.Error(diff)
	}
}

func TestParseCodec(t *testing.T) {
	for name, want := range map[string]entry.Codec{"": entry.LZ4, "none": entry.None, "zlib": entry.Zlib, "zstd": entry.Zstd, "snappy": entry.Snappy} {
		if got, err := entry.ParseCodec(name); got != want || err != nil {
			t.Errorf("%q: %v, %v", name, got, err)
		}
	}
	if _, err := entry.ParseCodec("gzip"); !errors.Is(err, entry.ErrUnknownCodec) {
		t.Error(err)
	}
}

func compare(t *testing.T, want []plain, e *entry.Entry) {
	t.Helper()
	if diff := cmp.Diff(want, walk(t, e)); diff != "" {
		t.Error(diff)
	}
}

// Properties that are encoded once for many messages are as any other; those of one
// message never show in the next.
func TestMouldedProperties(t *testing.T) {
	form := func(batched bool, add func(enc *entry.Encoder, topic, id string)) []byte {
		var enc entry.Encoder
		var frames []byte
		for range 2 {
			enc.Begin(entry.Header{Producer: "p", Batched: batched, PublishTime: 1, Sequence: 7})
			for i, topic := range []string{"a", "a", "b", "", "a"} {
				if !batched && i > 0 {
					break
				}
				add(&enc, topic, fmt.Sprintf("of-%04d", i))
				enc.Append(&entry.Message{Value: []byte{byte(i)}})
			}
			e, err := enc.Finish()
			if err != nil {
				t.Fatal(err)
			}
			frames = append(frames, e.Frame...)
		}
		return frames
	}
	for name, batched := range map[string]bool{"Batched": true, "Single": false} {
		t.Run(name, func(t *testing.T) {
			want := form(batched, func(enc *entry.Encoder, topic, id string) {
				enc.Property("topic", topic)
				enc.Property("id", id)
			})
			var mould entry.Mould
			cast := ""
			got := form(batched, func(enc *entry.Encoder, topic, id string) {
				// What differs lies in the last four characters.
				if at := len(id) - 4; topic+id[:at] != cast {
					cast = topic + id[:at]
					mould.Reset()
					mould.Add("topic", []byte(topic), 0)
					mould.Add("id", []byte(id), at)
				}
				enc.Cast(&mould, binary.LittleEndian.Uint32([]byte(id[len(id)-4:])))
			})
			if d := cmp.Diff(want, got); d != "" {
				t.Error(d)
			}
		})
	}
}
