package pulsartest

import (
	"bytes"
	"fmt"
	"math"
	"strconv"
	"sync"
	"testing"
	"time"

	pulsario "github.com/apache/pulsar-client-go/pulsar"

	"github.com/functionmesh/terraform-provider-functionmesh/internal/wire"
)

// Fill says what a topic is filled with: messages numbered from 0, whose value is
// number/lane/key/ and padding. The lane is the partition; entries go to the partitions
// in turn, and keys are such that each belongs to the partition it is in.
type Fill struct {
	Partitions  int    // of the topic; 0 is unpartitioned
	PerEntry    int    // messages of an entry; up to 1: each alone, without batch framing
	Keys        int    // for each partition; 0: no keys
	Size        int    // bytes of a value, at least
	Compression string // none, lz4, zlib, zstd; "": none
	KeyBased    bool   // one key per entry; PerEntry is then the messages of all keys together
	Properties  map[string]string
	From        int // the first number
}

// Feeder publishes numbered messages to one topic with Pulsar's own client.
type Feeder struct {
	fill      Fill
	producers []pulsario.Producer
	keys      [][]string
	next      int

	mu     sync.Mutex
	failed error
}

// NewFeeder connects to a topic. It is closed with the test.
func (s *Server) NewFeeder(t testing.TB, topic string, f Fill) *Feeder {
	t.Helper()
	feeder, client := &Feeder{fill: f, next: f.From}, s.Client(t)
	for p := range max(f.Partitions, 1) {
		o := pulsario.ProducerOptions{
			Topic: Partition(topic, f.Partitions, p), MaxPendingMessages: 20_000, SendTimeout: -1,
			DisableBatching: f.PerEntry <= 1, BatchingMaxMessages: uint(max(f.PerEntry, 1)), BatchingMaxSize: 4 << 20,
			BatchingMaxPublishDelay: time.Hour, CompressionType: compression(t, f.Compression),
		}
		if f.KeyBased {
			o.BatcherBuilderType = pulsario.KeyBasedBatchBuilder
		}
		producer, err := client.CreateProducer(o)
		if err != nil {
			t.Fatal(err)
		}
		feeder.producers = append(feeder.producers, producer)
		feeder.keys = append(feeder.keys, keysOf(p, f))
	}
	return feeder
}

func compression(t testing.TB, name string) pulsario.CompressionType {
	t.Helper()
	switch name {
	case "", "none":
		return pulsario.NoCompression
	case "lz4":
		return pulsario.LZ4
	case "zlib":
		return pulsario.ZLib
	case "zstd":
		return pulsario.ZSTD
	}
	t.Fatalf("Pulsar's client writes no %q", name)
	return 0
}

// keysOf are keys that belong to a partition.
func keysOf(partition int, f Fill) []string {
	var keys []string
	for n := 0; len(keys) < f.Keys; n++ {
		if key := "k" + strconv.Itoa(n); wire.PartitionFor([]byte(key), f.Partitions) == partition {
			keys = append(keys, key)
		}
	}
	return keys
}

// Sent is the number of the next message: how many were published, if the first was 0.
func (f *Feeder) Sent() int { return f.next }

// Send publishes n more messages and waits until they are stored. An entry that is not
// full ends with the call.
func (f *Feeder) Send(t testing.TB, n int) {
	t.Helper()
	per := max(f.fill.PerEntry, 1)
	for i := range n {
		lane := i / per % len(f.producers)
		f.producers[lane].SendAsync(t.Context(), f.message(f.next, lane), func(_ pulsario.MessageID, _ *pulsario.ProducerMessage, err error) {
			if err == nil {
				return
			}
			f.mu.Lock()
			defer f.mu.Unlock()
			f.failed = err
		})
		f.next++
	}
	f.flush(t)
}

func (f *Feeder) flush(t testing.TB) {
	t.Helper()
	for _, p := range f.producers {
		if err := p.FlushWithCtx(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.failed != nil {
		t.Fatal(f.failed)
	}
}

func (f *Feeder) message(n, lane int) *pulsario.ProducerMessage {
	m := &pulsario.ProducerMessage{Properties: f.fill.Properties}
	if keys := f.keys[lane]; len(keys) > 0 {
		m.Key = keys[(n/len(f.producers))%len(keys)]
	}
	m.Payload = Value(n, lane, m.Key, f.fill.Size)
	return m
}

// Fill publishes n messages.
func (s *Server) Fill(t testing.TB, topic string, n int, f Fill) {
	t.Helper()
	s.NewFeeder(t, topic, f).Send(t, n)
}

// Value is the value of one numbered message.
func Value(n, lane int, key string, size int) []byte {
	v := fmt.Appendf(make([]byte, 0, size+24), "%d/%d/%s/", n, lane, key)
	if missing := size - len(v); missing > 0 {
		v = append(v, bytes.Repeat([]byte{'.'}, missing)...)
	}
	return v
}

// parse is the reverse of Value, whatever stands behind the last slash.
func parse(v []byte) (n, lane int, key string, err error) {
	parts := bytes.SplitN(v, []byte("/"), 4)
	if len(parts) < 4 {
		return 0, 0, "", fmt.Errorf("%.40q is no numbered message", v)
	}
	if n, err = strconv.Atoi(string(parts[0])); err != nil || n < 0 || n > math.MaxInt32 {
		return 0, 0, "", fmt.Errorf("%.40q has no number", v)
	}
	lane, err = strconv.Atoi(string(parts[1]))
	return n, lane, string(parts[2]), err
}
