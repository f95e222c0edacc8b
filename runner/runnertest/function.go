package runnertest

import (
	"context"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/functionmesh/terraform-provider-functionmesh/runner/pipeline"
)

// FunctionSuite checks the contract of pipeline.Function.
func FunctionSuite(t *testing.T, h FunctionHarness) {
	cases := map[string]func(*testing.T, FunctionHarness){
		"AnswersInOrder":          answersInOrder,
		"FailsAlone":              failsAlone,
		"ManyAndNone":             manyAndNone,
		"TakesLargeBatches":       takesLarge,
		"KeepsPropertiesAndNil":   keepsProperties,
		"StopsAtTheTimeLimit":     stopsAtLimit,
		"LanesAreIndependent":     lanesIndependent,
		"ReturnsWhenCancelled":    returnsWhenCancelled,
		"AnswersAnEmptyValue":     answersEmpty,
		"ClosesTwice":             functionClosesTwice,
		"KeepsNothingOfTheCaller": keepsNothing,
	}
	for name, run := range cases {
		t.Run(name, func(t *testing.T) { run(t, h) })
	}
}

func lane(t *testing.T, f pipeline.Functions, n int) pipeline.Function {
	t.Helper()
	got, err := f.ForLane(t.Context(), n)
	if err != nil {
		t.Fatalf("ForLane: %v", err)
	}
	t.Cleanup(func() {
		if err := got.Close(context.WithoutCancel(t.Context())); err != nil {
			t.Errorf("Close: %v", err)
		}
	})
	return got
}

func messages(values ...string) []pipeline.Message {
	out := make([]pipeline.Message, len(values))
	for i, v := range values {
		out[i] = pipeline.Message{Topic: "persistent://public/default/in", Position: pipeline.Numbered(int64(i)), Value: []byte(v)}
	}
	return out
}

// call invokes f and returns, per message, the values of its outputs, or "failed".
func call(t *testing.T, f pipeline.Function, values ...string) [][]string {
	t.Helper()
	results, err := f.Invoke(bounded(t), messages(values...))
	if err != nil {
		t.Fatalf("Invoke: %v", err)
	}
	if len(results) != len(values) {
		t.Fatalf("%d results for %d messages", len(results), len(values))
	}
	out := make([][]string, len(results))
	for i, r := range results {
		if r.Err != nil {
			out[i] = []string{"failed"}
			continue
		}
		for _, m := range r.Outputs {
			out[i] = append(out[i], string(m.Value))
		}
	}
	return out
}

func answersInOrder(t *testing.T, h FunctionHarness) {
	f := lane(t, h.New(t), 0)
	want := [][]string{{"a"}, {"b"}, {"c"}}
	for range 3 {
		if diff := cmp.Diff(want, call(t, f, "a", "b", "c")); diff != "" {
			t.Error(diff)
		}
	}
}

func failsAlone(t *testing.T, h FunctionHarness) {
	f := lane(t, h.New(t), 0)
	want := [][]string{{"a"}, {"failed"}, {"b"}, {"failed"}}
	if diff := cmp.Diff(want, call(t, f, "a", "fail", "b", "fail")); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff([][]string{{"c"}}, call(t, f, "c")); diff != "" {
		t.Errorf("after a failure: %s", diff)
	}
}

func manyAndNone(t *testing.T, h FunctionHarness) {
	f := lane(t, h.New(t), 0)
	want := [][]string{nil, {"two-1", "two-2"}, {"a"}, nil}
	if diff := cmp.Diff(want, call(t, f, "none", "two", "a", "none"), cmpopts.EquateEmpty()); diff != "" {
		t.Error(diff)
	}
}

func takesLarge(t *testing.T, h FunctionHarness) {
	f := lane(t, h.New(t), 0)
	in := texts(values(2000))
	want := make([][]string, len(in))
	for i := range in {
		in[i] += string(make([]byte, 200))
		want[i] = []string{in[i]}
	}
	if diff := cmp.Diff(want, call(t, f, in...)); diff != "" {
		t.Error(diff)
	}
}

func keepsProperties(t *testing.T, h FunctionHarness) {
	if !h.Properties {
		t.Skip("this function echoes values only")
	}
	f := lane(t, h.New(t), 0)
	in := []pipeline.Message{
		{Position: pipeline.Numbered(1), Key: []byte("k\x00"), Value: []byte("v"), Properties: map[string]string{"a": "ä\n", "": "empty"}},
		{Position: pipeline.Numbered(2), Value: nil},
	}
	results, err := f.Invoke(bounded(t), in)
	if err != nil || len(results) != 2 {
		t.Fatalf("Invoke: %d results, %v", len(results), err)
	}
	for i, r := range results {
		if r.Err != nil || len(r.Outputs) != 1 {
			t.Fatalf("message %d: %d outputs, %v", i, len(r.Outputs), r.Err)
		}
	}
	got := results[0].Outputs[0]
	if string(got.Key) != "k\x00" || !cmp.Equal(got.Properties, in[0].Properties) {
		t.Errorf("key %q, properties %q", got.Key, got.Properties)
	}
	if results[1].Outputs[0].Value != nil {
		t.Errorf("a nil value came back as %q", results[1].Outputs[0].Value)
	}
}

func stopsAtLimit(t *testing.T, h FunctionHarness) {
	if h.CallTimeout == 0 {
		t.Skip("no time limit is configured")
	}
	f := lane(t, h.New(t), 0)
	got := call(t, f, "a", "loop", "b")
	if diff := cmp.Diff([]string{"failed"}, got[1]); diff != "" {
		t.Errorf("a call over its limit: %s", diff)
	}
	if diff := cmp.Diff([][]string{{"c"}}, call(t, f, "c")); diff != "" {
		t.Errorf("after a call over its limit: %s", diff)
	}
}

func lanesIndependent(t *testing.T, h FunctionHarness) {
	functions := h.New(t)
	done := make(chan [][]string)
	for n := range 2 {
		f := lane(t, functions, n)
		go func() { done <- tryCall(t, f) }()
	}
	for range 2 {
		if diff := cmp.Diff([][]string{{"a"}, {"failed"}}, <-done); diff != "" {
			t.Error(diff)
		}
	}
}

// tryCall is call for other goroutines than the test's.
func tryCall(t *testing.T, f pipeline.Function) [][]string {
	results, err := f.Invoke(t.Context(), messages("a", "fail"))
	if err != nil || len(results) != 2 || results[1].Err == nil || len(results[0].Outputs) != 1 {
		t.Errorf("Invoke: %v, %v", results, err)
		return nil
	}
	return [][]string{{string(results[0].Outputs[0].Value)}, {"failed"}}
}

func returnsWhenCancelled(t *testing.T, h FunctionHarness) {
	if h.CallTimeout == 0 {
		t.Skip("no time limit is configured")
	}
	f := lane(t, h.New(t), 0)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	done := make(chan struct{})
	go func() {
		defer close(done)
		_, _ = f.Invoke(ctx, messages("loop")) // an error, or a result of a call cut short
	}()
	select {
	case <-done:
	case <-bounded(t).Done():
		t.Error("Invoke did not return when cancelled")
	}
}

func answersEmpty(t *testing.T, h FunctionHarness) {
	f := lane(t, h.New(t), 0)
	results, err := f.Invoke(bounded(t), messages(""))
	if err != nil || len(results) != 1 || results[0].Err != nil {
		t.Fatalf("Invoke: %v, %v", results, err)
	}
	for _, m := range results[0].Outputs {
		if m.Value == nil || len(m.Value) != 0 {
			t.Errorf("an empty value came back as %v", m.Value)
		}
	}
}

func functionClosesTwice(t *testing.T, h FunctionHarness) {
	f := lane(t, h.New(t), 0)
	call(t, f, "a")
	if err := f.Close(t.Context()); err != nil {
		t.Errorf("Close: %v", err)
	}
}

// keepsNothing: results stay what they were when the input's memory is used again.
func keepsNothing(t *testing.T, h FunctionHarness) {
	f := lane(t, h.New(t), 0)
	first, err := f.Invoke(bounded(t), messages("first"))
	if err != nil || len(first) != 1 || len(first[0].Outputs) != 1 {
		t.Fatalf("Invoke: %v, %v", first, err)
	}
	call(t, f, "other", "values")
	if got := string(first[0].Outputs[0].Value); got != "first" {
		t.Errorf("a later call changed an earlier result to %q", got)
	}
}
