package pulsar_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	pulsario "github.com/apache/pulsar-client-go/pulsar"
	"github.com/apache/pulsar-client-go/pulsar/crypto"

	"github.com/functionmesh/terraform-provider-functionmesh/internal/wire"
	"github.com/functionmesh/terraform-provider-functionmesh/runner/broker/pulsar"
	"github.com/functionmesh/terraform-provider-functionmesh/runner/broker/pulsar/entry"
	"github.com/functionmesh/terraform-provider-functionmesh/runner/broker/pulsar/pulsartest"
	"github.com/functionmesh/terraform-provider-functionmesh/runner/pipeline"
	"github.com/functionmesh/terraform-provider-functionmesh/runner/runnertest"
)

// reports keeps what was reported.
type reports struct {
	mu  sync.Mutex
	all []error
}

func (r *reports) add(err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.all = append(r.all, err)
}

func (r *reports) has(what error) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.ContainsFunc(r.all, func(err error) bool { return errors.Is(err, what) })
}

// What cannot be read is passed over, counted and reported; the rest arrives.
func TestPulsarMalformedEntries(t *testing.T) {
	s := pulsartest.Need(t)
	for _, c := range []cell{
		{"atleast_once", wire.Shared, 5, 0}, {"atleast_once", wire.Failover, 5, 0}, {"atmost_once", wire.Shared, 5, 0}, {"effectively_once", wire.Failover, 5, 0},
	} {
		t.Run(c.String(), func(t *testing.T) {
			n := s.Namespace(t, c.policies())
			j := c.job(t, n)
			var said reports
			j.Report = said.add
			s.Spoil(t, j.In, pulsartest.Sound, pulsartest.Short, pulsartest.Sound, pulsartest.Wild, pulsartest.Sound)
			stop := j.start(t)
			s.Settled(t, j.In, "sub")
			stop()
			got := len(s.ReadAll(t, j.Out, 0))
			want := 15 + 4 // of the half entry all but the last message
			if c.guarantee == "effectively_once" {
				want = 15 // an entry counts as a whole
			}
			if got != want {
				t.Errorf("%d messages, want %d", got, want)
			}
			if !said.has(pulsar.ErrPassedOver) || !said.has(entry.BatchFraming) {
				t.Errorf("reported: %v", said.all)
			}
		})
	}
}

// What only Pulsar's own client can read ends the instance, and says how to go on.
func TestPulsarChunkedEntries(t *testing.T) {
	s := pulsartest.Need(t)
	c := cell{"atleast_once", wire.Shared, 1, 0}
	n := s.Namespace(t, c.policies())
	j := c.job(t, n)
	p, err := s.Client(t).CreateProducer(pulsario.ProducerOptions{Topic: j.In, EnableChunking: true, DisableBatching: true, ChunkMaxMessageSize: 1000})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := p.Send(t.Context(), &pulsario.ProducerMessage{Payload: make([]byte, 5000)}); err != nil {
		t.Fatal(err)
	}
	err = j.run(t.Context(), nil, pulsar.SourceOptions{Logger: logger(t)}, pulsar.SinkOptions{})
	if stop, ok := errors.AsType[*pipeline.TerminalError](err); !ok || stop.Reason != "CompatiblePathNeeded" || !strings.Contains(err.Error(), `data_path = "compatible"`) {
		t.Errorf("want a terminal error, got %v", err)
	}
}

// What is encrypted ends the instance where nobody gave it a key: it is counted, the way
// out is said, and it stays in the subscription.
func TestPulsarEncryptedEntries(t *testing.T) {
	s := pulsartest.Need(t)
	c := cell{"atleast_once", wire.Shared, 1, 0}
	n := s.Namespace(t, c.policies())
	j := c.job(t, n)
	s.Subscribe(t, j.In, "sub", "earliest")
	public, private := pulsartest.Keys(t)
	p, err := s.Client(t).CreateProducer(pulsario.ProducerOptions{Topic: j.In, Encryption: &pulsario.ProducerEncryptionInfo{KeyReader: crypto.NewFileKeyReader(public, private), Keys: []string{"k"}}})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := p.Send(t.Context(), &pulsario.ProducerMessage{Payload: []byte("hush")}); err != nil {
		t.Fatal(err)
	}
	counted := map[string]int{}
	err = j.run(t.Context(), nil, pulsar.SourceOptions{Logger: logger(t), Malformed: func(defect string, entries int) { counted[defect] += entries }}, pulsar.SinkOptions{})
	if stop, ok := errors.AsType[*pipeline.TerminalError](err); !ok || stop.Reason != "KeyNeeded" || !strings.Contains(err.Error(), "cryptoConfig") {
		t.Errorf("want a terminal error, got %v", err)
	}
	if counted["encrypted"] != 1 || s.Backlog(t, j.In, "sub") != 1 {
		t.Errorf("counted %v, %d entries wait", counted, s.Backlog(t, j.In, "sub"))
	}
}

// Tombstones stay tombstones, and a compacted topic gives the newest of each key.
func TestPulsarNullsAndCompaction(t *testing.T) {
	s := pulsartest.Need(t)
	n := s.Namespace(t, pulsartest.Policies{Retention: true})
	in := n.Topic(t, "in", 0)
	produce(t, s, in, []pipeline.Message{
		{Key: []byte("a"), Value: []byte("1")}, {Key: []byte("b"), Value: []byte("2")}, {Key: []byte("a"), Value: []byte("3")}, {Key: []byte("c"), Value: []byte{}},
	})
	produce(t, s, in, []pipeline.Message{{Key: []byte("b"), Value: nil}})
	read := func(o wire.Input) (got []string) {
		source := newSource(t, pulsar.SourceOptions{
			Brokers: map[string]wire.Broker{"": s.Broker()}, Instance: wire.Instance{Parallelism: 1},
			Source: wire.Source{Inputs: []wire.Input{o}, Subscription: wire.Subscription{Name: fmt.Sprint("s", o.Compacted), Mode: wire.Exclusive, Position: "earliest"}},
		})
		defer source.Close(t.Context())
		lanes, err := source.Open(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		for {
			ctx, cancel := context.WithTimeout(t.Context(), 2*time.Second)
			b, err := lanes[0].Read(ctx, 100, 1<<20)
			cancel()
			if err != nil {
				return got
			}
			for _, m := range b.Messages {
				v := "nil"
				if m.Value != nil {
					v = fmt.Sprintf("%q", m.Value)
				}
				got = append(got, string(m.Key)+"="+v)
			}
			if err := lanes[0].Settle(t.Context(), b, make([]pipeline.Verdict, len(b.Messages))); err != nil {
				t.Fatal(err)
			}
		}
	}
	if got := read(wire.Input{Topic: in}); strings.Join(got, " ") != `a="1" b="2" a="3" c="" b=nil` {
		t.Error(got)
	}
	path := "/admin/v2/persistent/" + strings.TrimPrefix(in, "persistent://") + "/compaction"
	if err := s.Admin(t.Context(), "PUT", path, nil, nil); err != nil {
		t.Fatal(err)
	}
	pulsartest.Eventually(t, "the topic is compacted", func() bool {
		var status struct{ Status string }
		return s.Admin(t.Context(), "GET", path, nil, &status) == nil && status.Status == "SUCCESS"
	})
	if got := read(wire.Input{Topic: in, Compacted: true}); strings.Join(got, " ") != `a="3" c=""` && strings.Join(got, " ") != `a="3"` {
		t.Error(got)
	}
}

// The subscription, and then the topic, are deleted while messages move: the job goes on,
// and what was passed over is reported.
func TestPulsarDeletedUnderUs(t *testing.T) {
	s := pulsartest.Need(t)
	for _, mode := range []wire.Mode{wire.Shared, wire.Failover} {
		t.Run(string(mode), func(t *testing.T) {
			c := cell{"atleast_once", mode, 10, 0}
			n := s.Namespace(t, pulsartest.Policies{})
			j := c.job(t, n)
			n.Subscribe(t, j.Out, "keep", "earliest")
			stop := j.start(t)
			processed := func(least int) {
				t.Helper()
				pulsartest.Eventually(t, fmt.Sprint(least, " messages are processed"), func() bool {
					_, done, _ := j.Counts.Totals()
					return done >= least
				})
			}
			s.Fill(t, j.In, 100, c.fill())
			processed(100)
			s.Unsubscribe(t, j.In, "sub")
			pulsartest.Eventually(t, "the subscription is there again", func() bool { return slices.Contains(s.Subscriptions(t, j.In), "sub") })
			before, _, _ := j.Counts.Totals()
			s.Fill(t, j.In, 100, c.fill())
			processed(before + 100)
			s.Delete(t, j.In)
			before, _, _ = j.Counts.Totals()
			s.Fill(t, j.In, 100, c.fill())
			processed(before + 100)
			stop()
		})
	}
}

// A refused message comes again after its delay, with a count.
func TestPulsarRedeliveryDelay(t *testing.T) {
	s := pulsartest.Need(t)
	for _, per := range []int{1, 10} {
		c := cell{"atleast_once", wire.Shared, per, 0}
		t.Run(c.String(), func(t *testing.T) {
			n := s.Namespace(t, c.policies())
			j := c.job(t, n)
			j.MaxRetries, j.NackDelayMs = 5, 700
			var mu sync.Mutex
			var at []time.Time
			var counts []int32
			j.Function = runnertest.Each(func(ctx context.Context, m pipeline.Message) pipeline.Result {
				if !strings.HasPrefix(string(m.Value), "3/") {
					return runnertest.Echo(ctx, m)
				}
				mu.Lock()
				defer mu.Unlock()
				at, counts = append(at, time.Now()), append(counts, m.Redelivery)
				if len(at) < 3 {
					return pipeline.Result{Err: errOdd}
				}
				return runnertest.Echo(ctx, m)
			})
			s.Fill(t, j.In, 10, c.fill())
			stop := j.start(t)
			s.Settled(t, j.In, "sub")
			stop()
			if !slices.Equal(counts, []int32{0, 1, 2}) {
				t.Errorf("redelivery counts %v", counts)
			}
			for i := 1; i < len(at); i++ {
				if d := at[i].Sub(at[i-1]); d < 700*time.Millisecond {
					t.Errorf("redelivered after %s", d)
				}
			}
			if all := s.ReadAll(t, j.Out, 0); len(all) != 10 {
				t.Errorf("%d messages", len(all))
			}
		})
	}
}
