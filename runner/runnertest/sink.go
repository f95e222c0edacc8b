package runnertest

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/functionmesh/terraform-provider-functionmesh/runner/pipeline"
)

// SinkSuite checks the contract of pipeline.Sink, and of pipeline.Asynchronous where the
// sink is.
func SinkSuite(t *testing.T, h SinkHarness) {
	cases := map[string]func(*testing.T, SinkHarness){
		"WritesInOrder":          writesInOrder,
		"WritesNothing":          writesNothing,
		"KeepsEverything":        keepsEverything,
		"TakesSeveralLanes":      takesLanes,
		"DurableWhenItReturns":   durable,
		"ClosesTwice":            sinkClosesTwice,
		"RefusesWhenClosed":      refusesClosed,
		"ReportsPrefixCancelled": reportsPrefix,
	}
	maps.Copy(cases, sendCases())
	for name, run := range cases {
		t.Run(name, func(t *testing.T) { run(t, h) })
	}
}

func sink(t *testing.T, h SinkHarness) pipeline.Sink {
	t.Helper()
	s := h.New(t)
	t.Cleanup(func() {
		if err := s.Close(context.WithoutCancel(t.Context())); err != nil {
			t.Errorf("Close: %v", err)
		}
	})
	return s
}

func write(t *testing.T, s pipeline.Sink, out []pipeline.Message) {
	t.Helper()
	if n, err := s.Write(bounded(t), out); err != nil {
		t.Fatalf("Write: %d of %d, %v", n, len(out), err)
	}
}

func outputs(prefix string, n int) []pipeline.Message {
	out := make([]pipeline.Message, n)
	for i := range out {
		out[i].Value = fmt.Appendf(nil, "%s-%04d", prefix, i)
	}
	return out
}

func written(t *testing.T, h SinkHarness) []string {
	t.Helper()
	var out []string
	for _, m := range h.Written(t) {
		out = append(out, string(m.Value))
	}
	return out
}

func valuesOf(out []pipeline.Message) []string {
	var v []string
	for _, m := range out {
		v = append(v, string(m.Value))
	}
	return v
}

func writesInOrder(t *testing.T, h SinkHarness) {
	s := sink(t, h)
	first, second := outputs("first", 1500), outputs("second", 3)
	write(t, s, first)
	write(t, s, second)
	if diff := cmp.Diff(append(valuesOf(first), valuesOf(second)...), written(t, h)); diff != "" {
		t.Error(diff)
	}
}

func writesNothing(t *testing.T, h SinkHarness) {
	s := sink(t, h)
	write(t, s, nil)
	if got := written(t, h); len(got) != 0 {
		t.Errorf("nothing was written, got %q", got)
	}
}

func keepsEverything(t *testing.T, h SinkHarness) {
	if !h.Properties {
		t.Skip("this sink keeps values only")
	}
	want := []pipeline.Message{
		{Value: []byte{}, Key: []byte{}},
		{Value: nil, Key: []byte("key\x00\n")},
		{Value: []byte("v"), EventTime: 1234567890123},
		{Value: []byte("v"), Properties: map[string]string{"a b": "ä\r\nb", "": "x", "c": ""}},
	}
	write(t, sink(t, h), want)
	got := h.Written(t)
	if len(got) != len(want) {
		t.Fatalf("%d messages of %d", len(got), len(want))
	}
	for i, m := range got {
		kept := pipeline.Message{Key: m.Key, Value: m.Value, EventTime: m.EventTime, Properties: m.Properties}
		if diff := cmp.Diff(want[i], kept); diff != "" {
			t.Errorf("message %d: %s", i, diff)
		}
	}
}

func takesLanes(t *testing.T, h SinkHarness) {
	s := sink(t, h)
	const lanes, writes = 4, 10
	var all sync.WaitGroup
	for l := range lanes {
		all.Go(func() {
			for w := range writes {
				if _, err := s.Write(t.Context(), outputs(fmt.Sprintf("%d-%04d", l, w), 20)); err != nil {
					t.Errorf("Write: %v", err)
				}
			}
		})
	}
	all.Wait()
	got := written(t, h)
	if len(got) != lanes*writes*20 {
		t.Errorf("%d messages of %d", len(got), lanes*writes*20)
	}
	last := map[byte]string{}
	for _, v := range got {
		if v <= last[v[0]] {
			t.Fatalf("lane %c: %q after %q", v[0], v, last[v[0]])
		}
		last[v[0]] = v
	}
}

func durable(t *testing.T, h SinkHarness) {
	s := sink(t, h)
	out := outputs("now", 1)
	write(t, s, out)
	if diff := cmp.Diff(valuesOf(out), written(t, h)); diff != "" {
		t.Errorf("before Close: %s", diff)
	}
}

func sinkClosesTwice(t *testing.T, h SinkHarness) {
	s := sink(t, h)
	if err := s.Close(t.Context()); err != nil {
		t.Errorf("Close before a write: %v", err)
	}
}

func refusesClosed(t *testing.T, h SinkHarness) {
	s := sink(t, h)
	write(t, s, outputs("a", 1))
	if err := s.Close(t.Context()); err != nil {
		t.Fatalf("Close: %v", err)
	}
	if n, err := s.Write(bounded(t), outputs("b", 1)); err == nil {
		t.Errorf("a closed sink took %d messages", n)
	}
}

func reportsPrefix(t *testing.T, h SinkHarness) {
	s := sink(t, h)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	out := outputs("a", 100)
	n, err := s.Write(ctx, out)
	if err == nil && n != len(out) {
		t.Errorf("no error, but only %d of %d are durable", n, len(out))
	}
	if n < 0 || n > len(out) {
		t.Fatalf("%d of %d", n, len(out))
	}
	got := written(t, h)
	if len(got) < n || !slices.Equal(valuesOf(out)[:n], got[:n]) {
		t.Errorf("Write reported %d durable messages, the place holds %d", n, len(got))
	}
}
