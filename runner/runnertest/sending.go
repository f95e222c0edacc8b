package runnertest

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/functionmesh/terraform-provider-functionmesh/runner/pipeline"
)

// sendCases check the contract of pipeline.Asynchronous, where a sink has it.
func sendCases() map[string]func(*testing.T, SinkHarness) {
	return map[string]func(*testing.T, SinkHarness){
		"SendsAreStoredInOrder":     sendsInOrder,
		"SendsNothing":              sendsNothing,
		"WaitsBesideSends":          waitsBeside,
		"SendersOfSeveralLanes":     sendsOfLanes,
		"RefusalEndsWhatIsUnderWay": refusalEnds,
		"WaitEndsWhenCancelled":     waitCancelled,
		"ClosesWithSendsUnderWay":   closesUnderWay,
	}
}

const manySends = 30

// sender opens one way into a new sink.
func sender(t *testing.T, h SinkHarness) pipeline.Sender {
	t.Helper()
	return senderOf(t, sink(t, h), 0)
}

func senderOf(t *testing.T, s pipeline.Sink, lane int) pipeline.Sender {
	t.Helper()
	a, ok := s.(pipeline.Asynchronous)
	if !ok {
		t.Skip("this sink takes one write at a time")
	}
	got, err := a.Sender(bounded(t), lane)
	if err != nil {
		t.Fatalf("Sender: %v", err)
	}
	t.Cleanup(func() {
		if err := got.Close(context.WithoutCancel(t.Context())); err != nil {
			t.Errorf("Close: %v", err)
		}
	})
	return got
}

func mustWait(t *testing.T, p pipeline.Pending, want int) {
	t.Helper()
	if n, err := p.Wait(bounded(t)); n != want || err != nil {
		t.Errorf("Wait: %d of %d, %v", n, want, err)
	}
}

func sendsInOrder(t *testing.T, h SinkHarness) {
	s := sender(t, h)
	var want []string
	for range 2 { // the second time with memory of the first
		var under []pipeline.Pending
		for i := range manySends {
			out := outputs(fmt.Sprintf("%04d", len(want)), 1+i*7%40)
			want = append(want, valuesOf(out)...)
			under = append(under, s.Send(bounded(t), out))
			if len(under) > 5 {
				mustWait(t, under[0], 1+(i-5)*7%40)
				under = under[1:]
			}
		}
		for k, p := range under {
			mustWait(t, p, 1+(manySends-5+k)*7%40)
		}
	}
	if diff := cmp.Diff(want, written(t, h)); diff != "" {
		t.Error(diff)
	}
}

func sendsNothing(t *testing.T, h SinkHarness) {
	s := sender(t, h)
	mustWait(t, s.Send(bounded(t), nil), 0)
	mustWait(t, s.Send(bounded(t), outputs("a", 1)), 1)
}

func waitsBeside(t *testing.T, h SinkHarness) {
	s := sender(t, h)
	under := make(chan pipeline.Pending, 4)
	var all sync.WaitGroup
	all.Go(func() {
		for p := range under {
			if n, err := p.Wait(t.Context()); n != 20 || err != nil {
				t.Errorf("Wait: %d, %v", n, err)
			}
		}
	})
	var want []string
	for i := range manySends {
		out := outputs(fmt.Sprintf("%04d", i), 20)
		want = append(want, valuesOf(out)...)
		under <- s.Send(bounded(t), out)
	}
	close(under)
	all.Wait()
	if diff := cmp.Diff(want, written(t, h)); diff != "" {
		t.Error(diff)
	}
}

func sendsOfLanes(t *testing.T, h SinkHarness) {
	s := sink(t, h)
	var all sync.WaitGroup
	const lanes, each = 4, 10
	for lane := range lanes {
		way := senderOf(t, s, lane)
		all.Go(func() {
			var under []pipeline.Pending
			for i := range each {
				under = append(under, way.Send(t.Context(), outputs(fmt.Sprintf("%d-%04d", lane, i), 20)))
			}
			for _, p := range under {
				if n, err := p.Wait(t.Context()); n != 20 || err != nil {
					t.Errorf("Wait: %d, %v", n, err)
				}
			}
		})
	}
	all.Wait()
	got := written(t, h)
	if len(got) != lanes*each*20 {
		t.Errorf("%d messages of %d", len(got), lanes*each*20)
	}
	last := map[byte]string{}
	for _, v := range got {
		if v <= last[v[0]] {
			t.Fatalf("lane %c: %q after %q", v[0], v, last[v[0]])
		}
		last[v[0]] = v
	}
}

// refusalEnds: a refused message ends its Send where it is, and those behind it, also
// after they were waited for; after Resume the rest can be written and is in order.
func refusalEnds(t *testing.T, h SinkHarness) {
	if h.Refused == nil {
		t.Skip("the harness knows no message that is refused")
	}
	s := sender(t, h)
	first, second := outputs("first", 10), outputs("second", 10)
	broken := slices.Concat(first[:4], []pipeline.Message{h.Refused()}, first[4:])
	one, two := s.Send(bounded(t), broken), s.Send(bounded(t), second)
	n, err := one.Wait(bounded(t))
	var refused *pipeline.MessageError
	if n != 4 || !errors.As(err, &refused) || refused.At != 0 {
		t.Fatalf("Wait: %d, %v, want 4 and a refusal", n, err)
	}
	done, err := two.Wait(bounded(t))
	if done < len(second) && err == nil {
		t.Errorf("the Send behind: %d, no error", done)
	}
	if errors.As(err, &refused) {
		t.Errorf("the Send behind holds no message that is refused: %v", err)
	}
	late, err := s.Send(bounded(t), second).Wait(bounded(t))
	if done += late; err == nil {
		t.Error("a Send behind one that failed has succeeded, before Resume")
	}
	if done == 0 { // nothing of it is stored, so that order holds
		s.Resume()
		mustWait(t, s.Send(bounded(t), first[4:]), 6)
		mustWait(t, s.Send(bounded(t), second), 10)
		if diff := cmp.Diff(append(valuesOf(first), valuesOf(second)...), written(t, h)); diff != "" {
			t.Error(diff)
		}
		return
	}
	t.Errorf("%d messages of a Send behind a refused message are stored", done)
}

func waitCancelled(t *testing.T, h SinkHarness) {
	s := sender(t, h)
	ctx, cancel := context.WithCancel(t.Context())
	out := outputs("a", 100)
	p := s.Send(ctx, out)
	cancel()
	n, err := p.Wait(ctx)
	if err == nil && n != len(out) {
		t.Errorf("no error, but only %d of %d are durable", n, len(out))
	}
	got := written(t, h)
	if len(got) < n || !slices.Equal(valuesOf(out)[:n], got[:n]) {
		t.Errorf("Wait reported %d durable messages, the place holds %d", n, len(got))
	}
	s.Resume()
	mustWait(t, s.Send(bounded(t), outputs("b", 3)), 3)
}

func closesUnderWay(t *testing.T, h SinkHarness) {
	s := sender(t, h)
	for range 3 {
		s.Send(bounded(t), outputs("a", 100))
	}
	if err := s.Close(bounded(t)); err != nil {
		t.Errorf("Close: %v", err)
	}
}
