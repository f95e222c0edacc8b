package entry_test

import (
	"fmt"
	"testing"

	"github.com/functionmesh/terraform-provider-functionmesh/runner/broker/pulsar/entry"
)

// benchEntry is an entry of n messages of 100 bytes.
func benchEntry(b *testing.B, n int, codec entry.Codec) []byte {
	b.Helper()
	var enc entry.Encoder
	enc.Begin(entry.Header{Producer: "me", Codec: codec, Batched: true, Numbered: true, PublishTime: 1_700_000_000_000})
	for range n {
		enc.Append(&entry.Message{Value: make([]byte, 100)})
	}
	out, err := enc.Finish()
	if err != nil {
		b.Fatal(err)
	}
	_, rest := section(b, out.Frame)
	return rest
}

// BenchmarkCopy decodes an entry, checks it, and forms the same one again.
func BenchmarkCopy(b *testing.B) {
	for _, n := range []int{1, 100, 1000} {
		for _, codec := range everyCodec {
			b.Run(fmt.Sprintf("%s/%d", codec, n), func(b *testing.B) {
				in := benchEntry(b, n, codec)
				var pool entry.Pool
				enc := entry.Encoder{Pool: &pool}
				var dec entry.Decoder
				var e entry.Entry
				var m entry.Message
				b.ReportAllocs()
				for b.Loop() {
					if err := dec.Decode(in, &e); err != nil {
						b.Fatal(err)
					}
					enc.Begin(entry.Header{Producer: "me", Codec: codec, Batched: true, Numbered: true, PublishTime: 1_700_000_000_000, Sequence: 100_000})
					w := e.Messages()
					for w.Next(&m) {
						enc.Append(&m)
					}
					out, err := enc.Finish()
					if err != nil || w.Err() != nil {
						b.Fatal(err, w.Err())
					}
					out.Release()
				}
				b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*n), "ns/message")
			})
		}
	}
}
