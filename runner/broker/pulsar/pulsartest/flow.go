package pulsartest

import (
	"context"
	"net/http"
	"sync"
	"testing"
	"time"

	pulsario "github.com/apache/pulsar-client-go/pulsar"
)

// Flow reads a topic from its beginning while it is written to, and keeps the tally.
type Flow struct {
	server     *Server
	topic      string
	partitions int
	stop       func()

	mu     sync.Mutex
	tally  *Tally
	at     []place // per partition: the last message that was read
	failed error
	keep   func(partition int, m pulsario.Message) // nil: only counted
}

// place is a message within a partition.
type place struct {
	ledger, entry int64
	whole         bool // all of the entry
}

// Watch begins to read; it ends with the test. total is how many numbered messages are
// expected.
func (s *Server) Watch(t testing.TB, topic string, partitions, total int) *Flow {
	t.Helper()
	return s.watch(t, &Flow{topic: topic, partitions: partitions, tally: NewTally(total)})
}

func (s *Server) watch(t testing.TB, f *Flow) *Flow {
	t.Helper()
	f.server = s
	client := s.Client(t)
	ctx, cancel := context.WithCancel(t.Context())
	var running sync.WaitGroup
	f.stop = func() { cancel(); running.Wait() }
	t.Cleanup(f.stop)
	for p := range max(f.partitions, 1) {
		reader, err := client.CreateReader(pulsario.ReaderOptions{
			Topic: Partition(f.topic, f.partitions, p), StartMessageID: pulsario.EarliestMessageID(), ReceiverQueueSize: 5000,
		})
		if err != nil {
			t.Fatal(err)
		}
		f.at = append(f.at, place{ledger: -1, entry: -1, whole: true})
		running.Go(func() { f.read(ctx, p, reader) })
	}
	return f
}

func (f *Flow) read(ctx context.Context, partition int, r pulsario.Reader) {
	defer r.Close()
	for {
		m, err := r.Next(ctx)
		if ctx.Err() != nil {
			return
		}
		f.mu.Lock()
		if err != nil {
			f.failed = err
			f.mu.Unlock()
			return
		}
		id := m.ID()
		f.at[partition] = place{id.LedgerID(), id.EntryID(), id.BatchIdx()+1 >= id.BatchSize()}
		if f.keep != nil {
			f.keep(partition, m)
		} else {
			f.tally.Add(partition, m.Payload())
		}
		f.mu.Unlock()
	}
}

// Total is how many messages are expected.
func (f *Flow) Total() int { return f.tally.Total }

// Distinct is how many different messages were read.
func (f *Flow) Distinct() int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.tally.Distinct
}

// Until waits for so many different messages.
func (f *Flow) Until(t testing.TB, distinct int) {
	t.Helper()
	last, changed := -1, time.Now()
	for {
		f.mu.Lock()
		now, read, err := f.tally.Distinct, f.tally.Read, f.failed
		f.mu.Unlock()
		if now >= distinct {
			return
		}
		if read != last {
			last, changed = read, time.Now()
		}
		if err != nil || time.Since(changed) > Patience {
			t.Fatalf("%d of %d messages arrived, none for %s: %v", now, distinct, time.Since(changed).Round(time.Second), err)
		}
		time.Sleep(2 * time.Millisecond)
	}
}

// Sync reads all that is stored by now. The last message of a partition must be one
// that is delivered.
func (f *Flow) Sync(t testing.TB) {
	t.Helper()
	ends := make([]place, len(f.at))
	for p := range ends {
		ends[p] = f.server.end(t, Partition(f.topic, f.partitions, p))
	}
	Eventually(t, "read "+f.topic+" to the end", func() bool {
		f.mu.Lock()
		defer f.mu.Unlock()
		if f.failed != nil {
			t.Fatal(f.failed)
		}
		for p, end := range ends {
			at := f.at[p]
			if at.ledger < end.ledger || at.ledger == end.ledger && (at.entry < end.entry || at.entry == end.entry && !at.whole) {
				return false
			}
		}
		return true
	})
}

// end is the last message of one partition.
func (s *Server) end(t testing.TB, partition string) place {
	t.Helper()
	var id struct {
		Ledger int64 `json:"ledgerId"`
		Entry  int64 `json:"entryId"`
	}
	s.must(t, request{method: http.MethodGet, path: path(partition) + "/lastMessageId", out: &id})
	if id.Entry < 0 {
		return place{-1, -1, true}
	}
	return place{id.Ledger, id.Entry, true}
}

// Tally reads all that is stored by now, ends the flow and returns the counts.
func (f *Flow) Tally(t testing.TB) *Tally {
	t.Helper()
	f.Sync(t)
	f.stop()
	return f.tally
}

// Read counts what a topic holds.
func (s *Server) Read(t testing.TB, topic string, partitions, total int) *Tally {
	t.Helper()
	return s.Watch(t, topic, partitions, total).Tally(t)
}

// Stored is one message that a topic holds.
type Stored struct {
	Partition  int
	Key        string
	Value      []byte // nil for a null value
	Properties map[string]string
	EventTime  time.Time
	ID         pulsario.MessageID
}

// ReadAll returns what a topic holds, partition by partition in order.
func (s *Server) ReadAll(t testing.TB, topic string, partitions int) []Stored {
	t.Helper()
	lanes := make([][]Stored, max(partitions, 1))
	f := s.watch(t, &Flow{topic: topic, partitions: partitions, keep: func(p int, m pulsario.Message) {
		lanes[p] = append(lanes[p], Stored{Partition: p, Key: m.Key(), Value: m.Payload(), Properties: m.Properties(), EventTime: m.EventTime(), ID: m.ID()})
	}})
	f.Sync(t)
	f.stop()
	var all []Stored
	for _, lane := range lanes {
		all = append(all, lane...)
	}
	return all
}
