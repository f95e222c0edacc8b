package runnertest

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/functionmesh/terraform-provider-functionmesh/runner/pipeline"
)

// SourceSuite checks the contract of pipeline.Source.
func SourceSuite(t *testing.T, h SourceHarness) {
	cases := map[string]func(*testing.T, SourceHarness){
		"ReadsAllInOrder":        readsAll,
		"ReadsAtMostMax":         readsAtMost,
		"ReadsOneOverTheBytes":   readsOne,
		"EndsWhenCancelled":      endsWhenCancelled,
		"ClosesTwiceAndUnopened": closesTwice,
		"KeepsWhatIsSettled":     keepsSettled,
		"GivesUnsettledAgain":    givesAgain,
		"RefusesForeignBatch":    refusesForeign,
	}
	maps.Copy(cases, holdCases())
	if h.Once {
		for _, name := range []string{"ReadsAtMostMax", "ReadsOneOverTheBytes", "AcknowledgesByHand", "KeptComesAgain"} {
			delete(cases, name)
		}
	}
	for name, run := range cases {
		t.Run(name, func(t *testing.T) { run(t, h) })
	}
}

func values(n int) [][]byte {
	out := make([][]byte, n)
	for i := range out {
		out[i] = fmt.Appendf(nil, "value-%04d", i)
	}
	return out
}

// open opens s and returns its lanes; it is closed with the test.
func open(t *testing.T, s pipeline.Source) []pipeline.Lane {
	t.Helper()
	lanes, err := s.Open(t.Context())
	if err != nil {
		t.Fatalf("Open: %v", err)
	}
	t.Cleanup(func() { shut(t, s) })
	if len(lanes) == 0 {
		t.Fatal("Open gave no lane")
	}
	return lanes
}

func shut(t *testing.T, s pipeline.Source) {
	t.Helper()
	if err := s.Close(context.WithoutCancel(t.Context())); err != nil {
		t.Errorf("Close: %v", err)
	}
}

func bounded(t *testing.T) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	t.Cleanup(cancel)
	return ctx
}

// take reads want messages from one lane and settles them when asked.
func take(t *testing.T, l pipeline.Lane, want, most int, settle bool) []string {
	t.Helper()
	ctx := bounded(t)
	got := make([]string, 0, want)
	for len(got) < want {
		b, err := l.Read(ctx, most, 1<<20)
		if err != nil {
			t.Fatalf("Read after %d messages: %v", len(got), err)
		}
		if len(b.Messages) > most {
			t.Fatalf("Read gave %d messages, asked for at most %d", len(b.Messages), most)
		}
		for _, m := range b.Messages {
			got = append(got, string(m.Value))
		}
		if !settle {
			continue
		}
		if err := l.Settle(ctx, b, make([]pipeline.Verdict, len(b.Messages))); err != nil {
			t.Fatalf("Settle: %v", err)
		}
	}
	return got
}

func texts(in [][]byte) []string {
	out := make([]string, len(in))
	for i, v := range in {
		out[i] = string(v)
	}
	return out
}

func readsAll(t *testing.T, h SourceHarness) {
	want := values(50)
	l := open(t, h.New(t, want))[0]
	if diff := cmp.Diff(texts(want), take(t, l, len(want), 100, true)); diff != "" {
		t.Error(diff)
	}
	if !h.Finite {
		return
	}
	if _, err := l.Read(bounded(t), 100, 1<<20); !errors.Is(err, io.EOF) {
		t.Errorf("after the last message: want io.EOF, got %v", err)
	}
}

func readsAtMost(t *testing.T, h SourceHarness) {
	want := values(20)
	l := open(t, h.New(t, want))[0]
	if diff := cmp.Diff(texts(want), take(t, l, len(want), 3, true)); diff != "" {
		t.Error(diff)
	}
}

func readsOne(t *testing.T, h SourceHarness) {
	l := open(t, h.New(t, values(3)))[0]
	b, err := l.Read(bounded(t), 10, 1)
	if err != nil || len(b.Messages) != 1 {
		t.Errorf("want one message over a bound of one byte, got %d, %v", len(b.Messages), err)
	}
}

func endsWhenCancelled(t *testing.T, h SourceHarness) {
	if h.Finite {
		t.Skip("a finite source does not wait")
	}
	l := open(t, h.New(t, nil))[0]
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() {
		_, err := l.Read(ctx, 10, 1<<20)
		done <- err
	}()
	cancel()
	select {
	case err := <-done:
		if err == nil {
			t.Error("Read of an empty place gave no error when cancelled")
		}
	case <-bounded(t).Done():
		t.Error("Read did not end when cancelled")
	}
}

func closesTwice(t *testing.T, h SourceHarness) {
	shut(t, h.New(t, values(1)))
	s := h.New(t, values(1))
	open(t, s)
	shut(t, s)
	shut(t, s)
}

func keepsSettled(t *testing.T, h SourceHarness) {
	if h.Again == nil {
		t.Skip("the source keeps no position")
	}
	want := values(10)
	s := h.New(t, want)
	l := open(t, s)[0]
	ctx := bounded(t)
	b, err := l.Read(ctx, 4, 1<<20)
	if err != nil || len(b.Messages) == 0 {
		t.Fatalf("Read: %d messages, %v", len(b.Messages), err)
	}
	n := len(b.Messages)
	// In two parts: a verdict is for the first messages not settled yet.
	for _, v := range []int{1, n - 1} {
		if err := l.Settle(ctx, b, make([]pipeline.Verdict, v)); err != nil {
			t.Fatalf("Settle: %v", err)
		}
	}
	shut(t, s)
	got := take(t, open(t, h.Again(t))[0], len(want)-n, 100, true)
	if diff := cmp.Diff(texts(want[n:]), got); diff != "" {
		t.Errorf("after a restart: %s", diff)
	}
}

func givesAgain(t *testing.T, h SourceHarness) {
	if h.Again == nil {
		t.Skip("the source keeps no position")
	}
	want := values(5)
	s := h.New(t, want)
	take(t, open(t, s)[0], len(want), 100, false)
	shut(t, s)
	l := open(t, h.Again(t))[0]
	got := take(t, l, len(want), 100, true)
	if !l.Ordered() {
		slices.Sort(got) // redelivery promises no order
	}
	if diff := cmp.Diff(texts(want), got); diff != "" {
		t.Errorf("what was not settled: %s", diff)
	}
}

func refusesForeign(t *testing.T, h SourceHarness) {
	l := open(t, h.New(t, values(1)))[0]
	foreign := pipeline.Batch{Token: struct{ foreign bool }{true}, Messages: make([]pipeline.Message, 1)}
	if err := l.Settle(bounded(t), foreign, make([]pipeline.Verdict, 1)); err == nil && h.Again != nil {
		t.Error("a batch of another lane was settled")
	}
}
