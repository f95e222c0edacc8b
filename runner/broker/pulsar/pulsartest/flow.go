package pulsartest

import (
	"context"
	"fmt"
	"net/http"
	"sync"
	"testing"
	"time"

	pulsario "github.com/apache/pulsar-client-go/pulsar"
)

// Flow reads a topic from its beginning while it is written to.
//
// A disturbed reader may repeat or pass over messages: a Flow tells how far things are, and
// its Tally what became of them.
type Flow struct {
	server     *Server
	topic      string
	partitions int
	stop       func()

	mu    sync.Mutex
	tally *Tally
	at    []place                                 // per partition: the last message that was read
	keep  func(partition int, m pulsario.Message) // nil: only counted
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
		f.at = append(f.at, place{ledger: -1, entry: -1, whole: true})
		running.Go(func() { f.follow(ctx, client, p) })
	}
	return f
}

// silence is how long a reader may have nothing before another takes its place: the
// client's readers do not always come back when their topic was unloaded.
const silence = 5 * time.Second

func (f *Flow) follow(ctx context.Context, client pulsario.Client, partition int) {
	from := pulsario.EarliestMessageID()
	for ctx.Err() == nil {
		r, err := client.CreateReader(pulsario.ReaderOptions{Topic: Partition(f.topic, f.partitions, partition), StartMessageID: from, ReceiverQueueSize: 5000})
		if err != nil {
			pause(ctx, 100*time.Millisecond)
			continue
		}
		from = f.read(ctx, r, partition, from)
		r.Close()
	}
}

// read returns when nothing comes any more, with the last message that came.
func (f *Flow) read(ctx context.Context, r pulsario.Reader, partition int, last pulsario.MessageID) pulsario.MessageID {
	for {
		waiting, cancel := context.WithTimeout(ctx, silence)
		m, err := r.Next(waiting)
		cancel()
		if err != nil {
			return last
		}
		last = m.ID()
		f.mu.Lock()
		f.at[partition] = place{last.LedgerID(), last.EntryID(), last.BatchIdx()+1 >= last.BatchSize()}
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

// Seen is how often a message was read, while things were disturbed.
func (f *Flow) Seen(n int) int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.tally.Seen(n)
}

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
		now, read := f.tally.Distinct, f.tally.Read
		f.mu.Unlock()
		if now >= distinct {
			return
		}
		if read != last {
			last, changed = read, time.Now()
		}
		if time.Since(changed) > Patience {
			t.Fatalf("%d of %d messages arrived, none for %s", now, distinct, time.Since(changed).Round(time.Second))
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
	var internal struct {
		Last    string `json:"lastConfirmedEntry"` // ledger:entry, with entry -1 while the newest ledger is empty
		Ledgers []struct {
			Ledger  int64 `json:"ledgerId"`
			Entries int64 `json:"entries"`
		} `json:"ledgers"`
	}
	s.must(t, request{method: http.MethodGet, path: path(partition) + "/internalStats", out: &internal})
	end := place{-1, -1, true}
	if _, err := fmt.Sscanf(internal.Last, "%d:%d", &end.ledger, &end.entry); err != nil {
		t.Fatalf("%s ends at %q: %v", partition, internal.Last, err)
	}
	if end.entry >= 0 {
		return end
	}
	end = place{-1, -1, true}
	for _, l := range internal.Ledgers {
		if l.Entries > 0 {
			end = place{l.Ledger, l.Entries - 1, true}
		}
	}
	return end
}

// Stop ends the flow.
func (f *Flow) Stop() { f.stop() }

// Tally ends the flow, reads all that is stored by now once more, with readers that saw
// no disturbance, and returns the counts.
func (f *Flow) Tally(t testing.TB) *Tally {
	t.Helper()
	f.stop()
	return f.server.Read(t, f.topic, f.partitions, f.tally.Total)
}

// Read counts what a topic holds.
func (s *Server) Read(t testing.TB, topic string, partitions, total int) *Tally {
	t.Helper()
	f := s.Watch(t, topic, partitions, total)
	f.Sync(t)
	f.stop()
	return f.tally
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
