package pulsar_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/functionmesh/terraform-provider-functionmesh/runner/broker/pulsar"
	"github.com/functionmesh/terraform-provider-functionmesh/runner/broker/pulsar/pulsartest"
	"github.com/functionmesh/terraform-provider-functionmesh/runner/pipeline"
)

func valuesOf(all []pipeline.Message) (v []string) {
	for _, m := range all {
		v = append(v, string(m.Value))
	}
	return v
}

func produce(t testing.TB, s *pulsartest.Server, topic string, out []pipeline.Message) {
	t.Helper()
	p, err := pulsar.NewProducer(t.Context(), s.Broker(), topic)
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close(t.Context())
	if n, err := p.Produce(t.Context(), out); err != nil {
		t.Fatal(n, err)
	}
}

func TestPulsarReader(t *testing.T) {
	s := pulsartest.Need(t)
	n := s.Namespace(t, pulsartest.Policies{Retention: true})
	for _, partitions := range []int{0, 3} {
		topic := n.Topic(t, fmt.Sprint("read", partitions), partitions)
		var want []string
		for round := range 4 {
			out := texts(fmt.Sprint(round, "-"), 50)
			produce(t, s, topic, out)
			want = append(want, valuesOf(out)...)
		}
		cases := map[string]struct {
			options pulsar.ReaderOptions
			want    []string
		}{
			"All":     {pulsar.ReaderOptions{Earliest: true}, want},
			"Last":    {pulsar.ReaderOptions{Last: 60}, want[140:]},
			"TooMany": {pulsar.ReaderOptions{Last: 1000}, want},
			"New":     {pulsar.ReaderOptions{}, nil},
		}
		for name, c := range cases {
			t.Run(fmt.Sprint(name, partitions), func(t *testing.T) {
				c.options.Broker, c.options.Topic = s.Broker(), topic
				r, err := pulsar.NewReader(t.Context(), c.options)
				if err != nil {
					t.Fatal(err)
				}
				defer r.Close(t.Context())
				if diff := cmp.Diff(c.want, valuesOf(rest(t, r))); diff != "" {
					t.Error(diff)
				}
			})
		}
		t.Run(fmt.Sprint("Follow", partitions), func(t *testing.T) {
			for _, last := range []int{0, 1} {
				r, err := pulsar.NewReader(t.Context(), pulsar.ReaderOptions{Broker: s.Broker(), Topic: topic, Last: last, Follow: true})
				if err != nil {
					t.Fatal(err)
				}
				if last > 0 {
					if _, err := r.Next(t.Context()); err != nil {
						t.Fatal(err)
					}
				}
				produce(t, s, topic, texts("more", 2))
				for range 2 {
					if m, err := r.Next(t.Context()); err != nil || !strings.HasPrefix(string(m.Value), "more") {
						t.Fatalf("%q %v", m.Value, err)
					}
				}
				ctx, cancel := context.WithCancel(t.Context())
				cancel()
				if _, err := r.Next(ctx); !errors.Is(err, context.Canceled) {
					t.Errorf("cancelled: %v", err)
				}
				if err := r.Close(t.Context()); err != nil {
					t.Error(err)
				}
			}
		})
		pulsartest.Eventually(t, "no subscription is left", func() bool { return len(s.Subscriptions(t, topic)) == 0 })
	}
}

func TestPulsarRedrive(t *testing.T) {
	s := pulsartest.Need(t)
	for _, partitions := range []int{0, 2} {
		t.Run(fmt.Sprint(partitions), func(t *testing.T) {
			n := s.Namespace(t, pulsartest.Policies{Retention: true})
			dead, first, second := n.Topic(t, "dead", partitions), n.Topic(t, "first", 0), n.Topic(t, "second", 2)
			var letters []pipeline.Message
			for i := range 60 {
				m := pipeline.Message{Key: fmt.Append(nil, i), Value: fmt.Append(nil, i), EventTime: int64(i + 1), Properties: map[string]string{
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
				letters = append(letters, m)
			}
			produce(t, s, dead, letters)
			o := pulsar.RedriveOptions{Broker: s.Broker(), Topic: dead, Limit: 10, Logger: logger(t)}
			redrive := func(want pulsar.Redriven) {
				t.Helper()
				got, err := pulsar.Redrive(t.Context(), o)
				if err != nil {
					t.Fatal(err)
				}
				if diff := cmp.Diff(want, got); diff != "" {
					t.Error(diff)
				}
			}
			got, err := pulsar.Redrive(t.Context(), o)
			if err != nil || got.Sent != 10 {
				t.Fatal(got, err)
			}
			o.Limit = 0
			o.Match = func(m pipeline.Message) bool { return m.EventTime != 1+59 }
			redrive(pulsar.Redriven{Sent: 47, Passed: 1, Homeless: 2})
			redrive(pulsar.Redriven{Passed: 1, Homeless: 2})
			o.Match, o.To = nil, first
			redrive(pulsar.Redriven{Sent: 3})
			redrive(pulsar.Redriven{})
			back := append(stored(t, s, first), stored(t, s, second)...)
			if len(back) != 60 {
				t.Errorf("%d messages are back", len(back))
			}
			for _, m := range back {
				if diff := cmp.Diff(map[string]string{"own": "x", "Fm-Redriven": "1"}, m.Properties); diff != "" {
					t.Fatal(diff)
				}
			}
			v := valuesOf(back)
			slices.Sort(v)
			if len(slices.Compact(v)) != 60 {
				t.Error("some are back twice")
			}
		})
	}
}
