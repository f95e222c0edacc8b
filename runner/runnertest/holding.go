package runnertest

import (
	"context"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/functionmesh/terraform-provider-functionmesh/runner/pipeline"
)

// holdCases check what lanes promise to a pipeline that has several batches under way.
func holdCases() map[string]func(*testing.T, SourceHarness) {
	return map[string]func(*testing.T, SourceHarness){
		"HoldsBatchesUntilReleased": holdsBatches,
		"SettlesBesideReads":        settlesBeside,
		"AcknowledgesByHand":        acknowledgesByHand,
		"KeptComesAgain":            keptComesAgain,
	}
}

func release(l pipeline.Lane, b pipeline.Batch) {
	if r, ok := l.(pipeline.Releaser); ok {
		r.Release(b)
	}
}

// batches reads at least want messages, at most most at a time.
func batches(t *testing.T, l pipeline.Lane, want, most int) []pipeline.Batch {
	t.Helper()
	var out []pipeline.Batch
	for n := 0; n < want; {
		b, err := l.Read(bounded(t), most, 1<<20)
		if err != nil {
			t.Fatalf("Read after %d messages: %v", n, err)
		}
		n += len(b.Messages)
		out = append(out, b)
	}
	return out
}

func valuesIn(all []pipeline.Batch) []string {
	var out []string
	for _, b := range all {
		out = append(out, valuesOf(b.Messages)...)
	}
	return out
}

func settleAll(ctx context.Context, t *testing.T, l pipeline.Lane, b pipeline.Batch) {
	t.Helper()
	if err := l.Settle(ctx, b, make([]pipeline.Verdict, len(b.Messages))); err != nil {
		t.Errorf("Settle: %v", err)
	}
}

// holdsBatches: a batch stays as it is while others are read, settled and released.
func holdsBatches(t *testing.T, h SourceHarness) {
	want := texts(values(120))
	l := open(t, h.New(t, values(120)))[0]
	first := batches(t, l, 30, 7)
	n := len(valuesIn(first))
	if diff := cmp.Diff(want[:n], valuesIn(first)); diff != "" {
		t.Fatal(diff)
	}
	gone := len(first[0].Messages)
	settleAll(bounded(t), t, l, first[0])
	release(l, first[0])
	second := batches(t, l, 30, 7)
	next := n + len(valuesIn(second))
	if diff := cmp.Diff(want[gone:n], valuesIn(first[1:])); diff != "" {
		t.Errorf("batches that are held have changed: %s", diff)
	}
	for _, b := range append(first[1:], second...) {
		settleAll(bounded(t), t, l, b)
		release(l, b)
	}
	if diff := cmp.Diff(want[next:], take(t, l, len(want)-next, 100, true)); diff != "" {
		t.Error(diff)
	}
}

// settlesBeside: one goroutine reads while another settles and releases.
func settlesBeside(t *testing.T, h SourceHarness) {
	want := texts(values(400))
	l := open(t, h.New(t, values(400)))[0]
	held := make(chan pipeline.Batch, 4)
	done := make(chan []string)
	ctx := bounded(t)
	go func() {
		var got []string
		for b := range held {
			got = append(got, valuesOf(b.Messages)...)
			settleAll(ctx, t, l, b)
			release(l, b)
		}
		done <- got
	}()
	for n := 0; n < len(want); {
		b, err := l.Read(ctx, 13, 1<<20)
		if err != nil {
			t.Errorf("Read: %v", err)
			break
		}
		n += len(b.Messages)
		held <- b
	}
	close(held)
	if diff := cmp.Diff(want, <-done); diff != "" {
		t.Error(diff)
	}
}

// kept reads all of n messages and leaves them to user code.
func kept(t *testing.T, l pipeline.Lane, n int) []pipeline.Message {
	t.Helper()
	var all []pipeline.Message
	for _, b := range batches(t, l, n, 100) {
		for i := range b.Messages {
			m := &b.Messages[i]
			all = append(all, pipeline.Message{Topic: m.Topic, Partition: m.Partition, Position: m.Position, Value: slices.Clone(m.Value)})
		}
		v := slices.Repeat([]pipeline.Verdict{{Keep: true}}, len(b.Messages))
		if err := l.Settle(bounded(t), b, v); err != nil {
			t.Fatalf("Settle: %v", err)
		}
		release(l, b)
	}
	return all
}

func decide(m pipeline.Message, nack bool) pipeline.Ack {
	return pipeline.Ack{Topic: m.Topic, Partition: m.Partition, Position: m.Position, Nack: nack}
}

func byHand(t *testing.T, l pipeline.Lane) pipeline.ByHand {
	t.Helper()
	hand, ok := l.(pipeline.ByHand)
	if !ok {
		t.Skip("this lane is not acknowledged by hand")
	}
	return hand
}

func waitFor(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for ctx := bounded(t); !ok(); time.Sleep(time.Millisecond) {
		if ctx.Err() != nil {
			t.Fatalf("never: %s", what)
		}
	}
}

func acknowledgesByHand(t *testing.T, h SourceHarness) {
	l := open(t, h.New(t, values(10)))[0]
	hand := byHand(t, l)
	all := kept(t, l, 10)
	if n := hand.Unacknowledged(); n != 10 {
		t.Errorf("%d messages are kept, want 10", n)
	}
	var acks []pipeline.Ack
	for i, m := range all {
		acks = append(acks, decide(m, i == 3))
	}
	// In two calls and out of order; what is said twice is no error.
	slices.Reverse(acks)
	for _, part := range [][]pipeline.Ack{acks[:4], acks[2:]} {
		if err := hand.Acknowledge(bounded(t), part); err != nil {
			t.Fatalf("Acknowledge: %v", err)
		}
	}
	waitFor(t, "all are decided over", func() bool { return hand.Unacknowledged() == 0 })
	if !h.NacksSoon {
		return
	}
	if diff := cmp.Diff([]string{string(all[3].Value)}, take(t, l, 1, 100, true)); diff != "" {
		t.Errorf("what was refused: %s", diff)
	}
}

// keptComesAgain: what user code said nothing about is delivered again to the next
// instance, and nothing else.
func keptComesAgain(t *testing.T, h SourceHarness) {
	if h.Again == nil {
		t.Skip("the source keeps no position")
	}
	s := h.New(t, values(6))
	l := open(t, s)[0]
	hand := byHand(t, l)
	all := kept(t, l, 6)
	var acks []pipeline.Ack
	want := []string{}
	for i, m := range all {
		if i%2 == 0 {
			acks = append(acks, decide(m, false))
		} else {
			want = append(want, string(m.Value))
		}
	}
	if err := hand.Acknowledge(bounded(t), acks); err != nil {
		t.Fatalf("Acknowledge: %v", err)
	}
	shut(t, s)
	got := take(t, open(t, h.Again(t))[0], len(want), 100, true)
	slices.Sort(got)
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("after a restart: %s", diff)
	}
}
