package admin_test

import (
	"net/http"
	"net/http/httptest"
	"slices"
	"testing"
	"time"

	"github.com/functionmesh/terraform-provider-functionmesh/internal/admin"
	"github.com/functionmesh/terraform-provider-functionmesh/internal/engine"
	"github.com/functionmesh/terraform-provider-functionmesh/runner/broker/pulsar/pulsartest"
)

func streams(t *testing.T, o admin.Options) *admin.Streams {
	t.Helper()
	s, err := admin.NewStreams(o)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestPulsarPreparesStreams(t *testing.T) {
	server := pulsartest.Need(t)
	s := streams(t, admin.Options{URL: server.AdminURL})
	n := server.Namespace(t, pulsartest.Policies{Retention: true})
	three := n.Topic(t, "three", 3)
	for name, tc := range map[string]struct {
		topic string
		want  int
	}{
		"Partitioned": {three, 3}, "Made": {n.Full("made"), 0}, "MadeAgain": {n.Full("made"), 0}, "OnePartition": {three + "-partition-1", 0},
	} {
		t.Run(name, func(t *testing.T) {
			if got, err := s.EnsureTopic(t.Context(), tc.topic); err != nil || got != tc.want {
				t.Errorf("%d partitions, %v, want %d", got, err, tc.want)
			}
		})
	}
	for _, topic := range []string{three, n.Full("made")} {
		for range 2 { // the second time it is there
			if err := s.Subscribe(t.Context(), topic, "public/default/f", false); err != nil {
				t.Fatal(err)
			}
		}
	}
	for _, topic := range []string{n.Full("made"), three + "-partition-2"} {
		if got := server.Subscriptions(t, topic); !slices.Equal(got, []string{"public/default/f"}) {
			t.Errorf("%s has the subscriptions %q", topic, got)
		}
	}
	for range 2 { // the second time it is gone
		if err := s.Unsubscribe(t.Context(), three, "public/default/f"); err != nil {
			t.Fatal(err)
		}
	}
	if err := s.Subscribe(t.Context(), three+"-partition-0", "one", true); err != nil {
		t.Fatal(err)
	}
	for partition, want := range [][]string{{"one"}, nil, nil} {
		if got := server.Subscriptions(t, pulsartest.Partition(three, 3, partition)); !slices.Equal(got, want) {
			t.Errorf("partition %d has the subscriptions %q, want %q", partition, got, want)
		}
	}
}

func TestPulsarRefusesToMakeATopic(t *testing.T) {
	server := pulsartest.Need(t)
	s := streams(t, admin.Options{URL: server.AdminURL})
	n := server.Namespace(t, pulsartest.Policies{})
	if err := server.Admin(t.Context(), http.MethodPost, "/admin/v2/namespaces/"+n.Name+"/autoTopicCreation", map[string]any{"allowAutoTopicCreation": false}, nil); err != nil {
		t.Fatal(err)
	}
	for name, topic := range map[string]string{"Forbidden": n.Full("orders"), "NoNamespace": "persistent://public/nowhere-at-all/orders"} {
		t.Run(name, func(t *testing.T) {
			pulsartest.Eventually(t, "the policy holds", func() bool {
				_, err := s.EnsureTopic(t.Context(), topic)
				return engine.Is(err, engine.NotFound)
			})
		})
	}
}

func TestPulsarSeeks(t *testing.T) {
	server := pulsartest.Need(t)
	s := streams(t, admin.Options{URL: server.AdminURL})
	n := server.Namespace(t, pulsartest.Policies{Retention: true})
	topic := n.Topic(t, "lines", 2)
	if err := s.Subscribe(t.Context(), topic, "f", false); err != nil {
		t.Fatal(err)
	}
	server.Fill(t, topic, 10, pulsartest.Fill{Partitions: 2})
	backlog := func() int64 {
		var sum int64
		for p := range 2 {
			var stats struct {
				Subscriptions map[string]struct {
					Backlog int64 `json:"msgBacklog"`
				} `json:"subscriptions"`
			}
			at := pulsartest.Partition(topic, 2, p)[len("persistent://"):]
			if err := server.Admin(t.Context(), http.MethodGet, "/admin/v2/persistent/"+at+"/stats", nil, &stats); err != nil {
				t.Fatal(err)
			}
			sum += stats.Subscriptions["f"].Backlog
		}
		return sum
	}
	all := backlog()
	for _, step := range []struct {
		to   string
		want int64
	}{{"latest", 0}, {"earliest", all}, {time.Now().Add(time.Hour).Format(time.RFC3339), 0}, {time.Now().Add(-time.Hour).Format(time.RFC3339), all}} {
		if err := s.Seek(t.Context(), topic, "f", step.to); err != nil {
			t.Fatalf("seek to %s: %v", step.to, err)
		}
		pulsartest.Eventually(t, "the backlog after "+step.to, func() bool { return backlog() == step.want })
	}
	if err := s.Seek(t.Context(), topic, "f", "tomorrow"); !engine.Is(err, engine.Invalid) {
		t.Errorf("seek to tomorrow: %v", err)
	}
	if err := s.Seek(t.Context(), topic, "nobody", "earliest"); !engine.Is(err, engine.NotFound) {
		t.Errorf("seek of a subscription that is not there: %v", err)
	}
}

func TestPulsarTellsDeduplication(t *testing.T) {
	server := pulsartest.Need(t)
	s := streams(t, admin.Options{URL: server.AdminURL})
	n := server.Namespace(t, pulsartest.Policies{})
	topic := n.Topic(t, "out", 0)
	for _, on := range []bool{false, true} {
		n.SetDeduplication(t, on)
		pulsartest.Eventually(t, "the policy", func() bool {
			got, known, err := s.Deduplicates(t.Context(), topic)
			return err == nil && known && got == on
		})
	}
}

// What a role may not read is not known, and no error.
func TestDeduplicationThatIsNotTold(t *testing.T) {
	for name, tc := range map[string]struct {
		status  int
		body    string
		on      bool
		known   bool
		refused engine.Class
	}{
		"On":           {status: http.StatusOK, body: "true", on: true, known: true},
		"Off":          {status: http.StatusOK, body: "false", known: true},
		"Empty":        {status: http.StatusOK},
		"Forbidden":    {status: http.StatusForbidden},
		"Unauthorized": {status: http.StatusUnauthorized},
		"NoPolicies":   {status: http.StatusMethodNotAllowed},
		"Away":         {status: http.StatusServiceUnavailable, refused: engine.Unavailable},
	} {
		t.Run(name, func(t *testing.T) {
			server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
				w.WriteHeader(tc.status)
				_, _ = w.Write([]byte(tc.body))
			}))
			t.Cleanup(server.Close)
			on, known, err := streams(t, admin.Options{URL: server.URL}).Deduplicates(t.Context(), "persistent://public/default/out")
			if on != tc.on || known != tc.known || engine.ClassOf(err) != tc.refused {
				t.Errorf("on %v, known %v, %v", on, known, err)
			}
		})
	}
}
