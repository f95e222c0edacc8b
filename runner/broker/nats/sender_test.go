package nats

import (
	"errors"
	"fmt"
	"io"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/functionmesh/terraform-provider-functionmesh/internal/wire"
	"github.com/functionmesh/terraform-provider-functionmesh/runner/broker/nats/natstest"
	"github.com/functionmesh/terraform-provider-functionmesh/runner/pipeline"
)

func numbered(prefix string, n int) (out []pipeline.Message, values []string) {
	for i := range n {
		values = append(values, fmt.Sprintf("%s-%03d", prefix, i))
		out = append(out, pipeline.Message{Value: []byte(values[i])})
	}
	return out, values
}

// R4: a connection that broke may have lost what was sent over it, so nothing goes over
// another one before that is known, even if nobody has asked yet.
func TestR4NothingPassesABrokenConnection(t *testing.T) {
	const topic = "persistent://public/default/broken"
	b := natstest.Start(t)
	natstest.EnsureTopic(t, b, topic, 0)
	sink, err := NewSink(SinkOptions{Broker: b, Output: wire.Output{Topic: topic}})
	if err != nil {
		t.Fatal(err)
	}
	defer sink.Close(t.Context())
	s := sink.sender()
	first, firstValues := numbered("first", 100)
	second, secondValues := numbered("second", 100)

	one := s.Send(t.Context(), first)
	s.way.p.nc.Close()
	two := s.Send(t.Context(), second)
	n, err := one.Wait(t.Context())
	if n < len(first) && err == nil {
		t.Errorf("the first Send: %d, no error", n)
	}
	if n, err := two.Wait(t.Context()); n != 0 || !errors.Is(err, pipeline.ErrUnsent) {
		t.Errorf("the second Send: %d, %v", n, err)
	}
	s.Resume()
	for _, out := range [][]pipeline.Message{first[n:], second} {
		if n, err := s.Send(t.Context(), out).Wait(t.Context()); n != len(out) || err != nil {
			t.Fatalf("sent again: %d of %d, %v", n, len(out), err)
		}
	}
	if diff := cmp.Diff(append(firstValues, secondValues...), firstOccurrences(t, b, topic)); diff != "" {
		t.Error(diff)
	}
}

// firstOccurrences are the different values of a topic as they appeared.
func firstOccurrences(t *testing.T, b wire.Broker, topic string) []string {
	t.Helper()
	r, err := NewReader(t.Context(), ReaderOptions{Broker: b, Topic: topic, Earliest: true})
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close(t.Context())
	var out []string
	seen := map[string]bool{}
	for {
		m, err := r.Next(t.Context())
		if errors.Is(err, io.EOF) {
			return out
		}
		if err != nil {
			t.Fatal(err)
		}
		if v := string(m.Value); !seen[v] {
			seen[v] = true
			out = append(out, v)
		}
	}
}
