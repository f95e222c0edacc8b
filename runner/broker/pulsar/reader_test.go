package pulsar_test

import (
	"context"
	"errors"
	"fmt"
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
