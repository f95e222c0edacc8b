package redrive_test

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/functionmesh/terraform-provider-functionmesh/internal/spec"
	"github.com/functionmesh/terraform-provider-functionmesh/internal/wire"
	"github.com/functionmesh/terraform-provider-functionmesh/runner/broker/pulsar"
	"github.com/functionmesh/terraform-provider-functionmesh/runner/broker/pulsar/pulsartest"
	"github.com/functionmesh/terraform-provider-functionmesh/runner/broker/redrive"
	"github.com/functionmesh/terraform-provider-functionmesh/runner/pipeline"
)

func TestOriginal(t *testing.T) {
	cases := map[string]struct {
		letter, want pipeline.Message
	}{
		"Ours": {
			pipeline.Message{Key: []byte("k"), Value: []byte("v"), EventTime: 7, Properties: map[string]string{"own": "x", pipeline.DeadTopic: "t", pipeline.DeadReason: "odd"}},
			pipeline.Message{Key: []byte("k"), Value: []byte("v"), EventTime: 7, Topic: "t", Properties: map[string]string{"own": "x"}},
		},
		"OfPulsarsClients": {
			pipeline.Message{Properties: map[string]string{"own": "x", "REAL_TOPIC": "t", "RECONSUMETIMES": "3", "ORIGIN_MESSAGE_ID": "1:2"}},
			pipeline.Message{Topic: "t", Properties: map[string]string{"own": "x"}},
		},
		"Homeless": {pipeline.Message{Value: []byte("v")}, pipeline.Message{Value: []byte("v")}},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			if d := cmp.Diff(c.want, redrive.Original(&c.letter)); d != "" {
				t.Error(d)
			}
		})
	}
}

// letters are 60 dead letters of two topics: number 30 names one that cannot be, 31 none,
// 32 as Pulsar's own clients do.
func letters(first, second string) (all []pipeline.Message) {
	for i := range 60 {
		m := pipeline.Message{Key: fmt.Append(nil, i), Value: fmt.Append(nil, i), Properties: map[string]string{
			"own": "x", pipeline.DeadTopic: []string{first, second}[i%2], pipeline.DeadReason: "odd", "RECONSUMETIMES": "3",
		}}
		switch i {
		case 30:
			m.Properties[pipeline.DeadTopic] = "persistent://public/nowhere/x"
		case 31:
			delete(m.Properties, pipeline.DeadTopic)
		case 32:
			delete(m.Properties, pipeline.DeadTopic)
			m.Properties["REAL_TOPIC"] = first
		}
		all = append(all, m)
	}
	return all
}

func produce(t *testing.T, s *pulsartest.Server, topic string, partitions int, out []pipeline.Message) {
	t.Helper()
	sink, err := pulsar.NewSink(pulsar.SinkOptions{Broker: s.Broker(), Output: wire.Output{Topic: topic, Partitions: partitions}, Name: "letters"})
	if err != nil {
		t.Fatal(err)
	}
	defer sink.Close(t.Context())
	if n, err := sink.Write(t.Context(), out); err != nil {
		t.Fatal(n, err)
	}
}

func TestPulsarRedrive(t *testing.T) {
	s := pulsartest.Need(t)
	for _, partitions := range []int{0, 2} {
		t.Run(fmt.Sprint(partitions), func(t *testing.T) {
			n := s.Namespace(t, pulsartest.Policies{Retention: true})
			dead, first, second := n.Topic(t, "dead", partitions), n.Topic(t, "first", 0), n.Topic(t, "second", 2)
			produce(t, s, dead, partitions, letters(first, second))
			run := func(most int, to string) (sent, kept int) {
				t.Helper()
				o := redrive.Options{Max: most, To: to, Idle: 3 * time.Second}
				var err error
				if o.Source, err = pulsar.NewSource(pulsar.SourceOptions{
					Brokers: map[string]wire.Broker{"": s.Broker()}, Instance: wire.Instance{Parallelism: 1}, Limits: wire.DefaultLimits(), Name: "redrive",
					Source: wire.Source{
						Inputs:       []wire.Input{{Topic: dead, Partitions: partitions}},
						Subscription: wire.Subscription{Name: spec.RedriveSubscription, Mode: wire.Shared, Position: "earliest"},
					},
					Delivery: wire.DefaultDelivery(),
				}); err != nil {
					t.Fatal(err)
				}
				if o.Sink, err = pulsar.NewSink(pulsar.SinkOptions{Broker: s.Broker(), Name: "redrive"}); err != nil {
					t.Fatal(err)
				}
				counts, err := redrive.Run(t.Context(), o)
				if err != nil {
					t.Fatal(err)
				}
				for _, n := range counts.Sent {
					sent += n
				}
				return sent, counts.Kept
			}
			for i, step := range []struct {
				most       int
				to         string
				sent, kept int
			}{{10, "", 10, 0}, {0, "", 48, 2}, {0, "", 0, 2}, {0, first, 2, 0}, {0, first, 0, 0}} {
				if sent, kept := run(step.most, step.to); sent != step.sent || kept != step.kept {
					t.Errorf("run %d: sent %d, kept %d, want %+v", i, sent, kept, step)
				}
			}
			var values []string
			for topic, parts := range map[string]int{first: 0, second: 2} {
				for _, m := range s.ReadAll(t, topic, parts) {
					values = append(values, string(m.Value))
					if d := cmp.Diff(map[string]string{"own": "x"}, m.Properties); d != "" {
						t.Error(d)
					}
				}
			}
			slices.Sort(values)
			if len(values) != 60 || len(slices.Compact(values)) != 60 {
				t.Errorf("%d messages are back: %q", len(values), values)
			}
		})
	}
}
