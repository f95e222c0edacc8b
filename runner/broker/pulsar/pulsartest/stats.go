package pulsartest

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	pulsario "github.com/apache/pulsar-client-go/pulsar"
)

// Stats are what a broker says about one topic, or about all partitions of one.
type Stats struct {
	MsgInCounter  int64                        `json:"msgInCounter"` // repeats that were dropped included
	MsgOutCounter int64                        `json:"msgOutCounter"`
	Publishers    []Publisher                  `json:"publishers"`
	Subscriptions map[string]SubscriptionStats `json:"subscriptions"`
	Deduplication string                       `json:"deduplicationStatus"`
}

// Publisher is one producer that is connected.
type Publisher struct {
	Name string `json:"producerName"`
}

// SubscriptionStats are those of one subscription.
type SubscriptionStats struct {
	Backlog   int64      `json:"msgBacklog"` // entries not acknowledged
	Unacked   int64      `json:"unackedMessages"`
	Type      string     `json:"type"` // Shared, Failover, Key_Shared, Exclusive
	Consumers []Consumer `json:"consumers"`
}

// Consumer is one that is connected.
type Consumer struct {
	Name     string            `json:"consumerName"`
	Address  string            `json:"address"` // its end of the connection
	Metadata map[string]string `json:"metadata"`
}

// Cursor is where a subscription of one partition stands.
type Cursor struct {
	MarkDelete string `json:"markDeletePosition"`          // ledger:entry, the last of those acknowledged without a gap
	Individual string `json:"individuallyDeletedMessages"` // ranges beyond it
}

// Stats of a topic; of the sum of its partitions when it has any.
func (s *Server) Stats(t testing.TB, topic string) Stats {
	t.Helper()
	var stats Stats
	where := "/stats"
	if s.Partitions(t, topic) > 0 {
		where = "/partitioned-stats?perPartition=false"
	}
	s.must(t, request{method: http.MethodGet, path: path(topic) + where, out: &stats})
	return stats
}

// Sent is how many messages one partition was sent since it was loaded, repeats that
// were dropped included: one cheap question.
func (s *Server) Sent(t testing.TB, partition string) int64 {
	t.Helper()
	var stats Stats
	s.must(t, request{method: http.MethodGet, path: path(partition) + "/stats", out: &stats})
	return stats.MsgInCounter
}

// Backlog is how many entries a subscription has not acknowledged, over all partitions.
func (s *Server) Backlog(t testing.TB, topic, subscription string) int64 {
	t.Helper()
	return s.Stats(t, topic).Subscriptions[subscription].Backlog
}

// Settled waits until a subscription has acknowledged everything.
func (s *Server) Settled(t testing.TB, topic, subscription string) {
	t.Helper()
	Eventually(t, "everything in "+topic+" acknowledged", func() bool {
		sub, ok := s.Stats(t, topic).Subscriptions[subscription]
		return ok && sub.Backlog == 0
	})
}

// Cursors are the places of a topic's subscriptions in one partition.
func (s *Server) Cursors(t testing.TB, partition string) map[string]Cursor {
	t.Helper()
	var internal struct {
		Cursors map[string]Cursor `json:"cursors"`
	}
	s.must(t, request{method: http.MethodGet, path: path(partition) + "/internalStats", out: &internal})
	return internal.Cursors
}

// Standing is how a broker sees one subscription of one partition, as it says it: permits,
// positions and reads that wait. It is for the text of a failure, and never fails itself.
func (s *Server) Standing(t testing.TB, partition, subscription string) string {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.WithoutCancel(t.Context()), 5*time.Second)
	defer cancel()
	var stats struct {
		Subscriptions map[string]json.RawMessage `json:"subscriptions"`
	}
	var internal struct {
		Last    string                     `json:"lastConfirmedEntry"`
		Waiting int                        `json:"waitingCursorsCount"`
		Cursors map[string]json.RawMessage `json:"cursors"`
	}
	err := errors.Join(
		s.Admin(ctx, http.MethodGet, path(partition)+"/stats", nil, &stats),
		s.Admin(ctx, http.MethodGet, path(partition)+"/internalStats", nil, &internal),
	)
	return fmt.Sprintf("%s, last entry %s, %d waiting cursors, error %v\nsubscription %s\ncursor %s", partition, internal.Last, internal.Waiting, err,
		stats.Subscriptions[subscription], internal.Cursors[subscription])
}

// Serves reports whether this very broker serves a topic now; it does not take it over.
func (s *Server) Serves(t testing.TB, topic string) bool {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Second)
	defer cancel()
	var owned map[string]any
	at, ok := strings.CutPrefix(s.AdminURL, "http://")
	if !ok {
		at = strings.TrimPrefix(s.AdminURL, "https://")
	}
	var bundle string
	if s.Admin(ctx, http.MethodGet, "/lookup/v2/topic/"+strings.TrimPrefix(path(topic), "/admin/v2/")+"/bundle", nil, &bundle) != nil ||
		s.Admin(ctx, http.MethodGet, "/admin/v2/brokers/"+s.cluster(ctx)+"/"+at+"/ownedNamespaces", nil, &owned) != nil {
		return false
	}
	namespace := strings.Join(strings.Split(strings.TrimPrefix(topic, "persistent://"), "/")[:2], "/")
	_, ok = owned[namespace+"/"+strings.TrimSpace(bundle)]
	return ok
}

func (s *Server) cluster(ctx context.Context) string {
	var names []string
	if s.Admin(ctx, http.MethodGet, "/admin/v2/clusters", nil, &names) != nil || len(names) == 0 {
		return ""
	}
	return names[0]
}

// endMark begins what is published only to be the last message of a topic.
const endMark = "end of "

// Unacknowledged are the values of the messages that a subscription delivers to its next
// consumer, which leaves them as they are. No consumer may be on it.
func (s *Server) Unacknowledged(t testing.TB, topic string, partitions int, subscription string) (values [][]byte) {
	t.Helper()
	client := s.Client(t)
	ctx, cancel := context.WithTimeout(t.Context(), Patience)
	defer cancel()
	last := endMark + subscription
	for p := range max(partitions, 1) {
		name := Partition(topic, partitions, p)
		producer, err := client.CreateProducer(pulsario.ProducerOptions{Topic: name, DisableBatching: true})
		if err == nil {
			_, err = producer.Send(ctx, &pulsario.ProducerMessage{Payload: []byte(last)})
			producer.Close()
		}
		if err != nil {
			t.Fatal(err)
		}
		consumer, err := client.Subscribe(pulsario.ConsumerOptions{Topic: name, SubscriptionName: subscription, Type: pulsario.Exclusive})
		if err != nil {
			t.Fatal(err)
		}
		for {
			m, err := consumer.Receive(ctx)
			if err != nil {
				t.Fatalf("%s after %d messages: %v", name, len(values), err)
			}
			if string(m.Payload()) == last {
				break
			}
			if !strings.HasPrefix(string(m.Payload()), endMark) {
				values = append(values, m.Payload())
			}
		}
		consumer.Close()
	}
	return values
}
