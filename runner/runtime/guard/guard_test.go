package guard_test

import (
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/functionmesh/terraform-provider-functionmesh/runner/pipeline"
	"github.com/functionmesh/terraform-provider-functionmesh/runner/runtime/guard"
)

func batch(values ...string) []pipeline.Message {
	in := make([]pipeline.Message, len(values))
	for i, v := range values {
		in[i].Value = []byte(v)
	}
	return in
}

// call passes a limit when the batch holds "bad" and fails when it holds "broken".
func call(calls *int) guard.Call {
	return func(_ context.Context, in []pipeline.Message) ([]pipeline.Result, error) {
		*calls++
		for _, m := range in {
			switch string(m.Value) {
			case "bad":
				return nil, &guard.LimitError{Text: "too slow"}
			case "large":
				if len(in) > 1 {
					return nil, guard.TooLarge(1 << 30)
				}
			case "broken":
				return nil, errors.New("the runtime failed")
			}
		}
		return make([]pipeline.Result, len(in)), nil
	}
}

func TestR5Isolate(t *testing.T) {
	cases := map[string]struct {
		in    []pipeline.Message
		rerun bool
		want  string // ! for each failure
		calls int
		fails bool
	}{
		"Good":          {batch("a", "b"), true, "..", 1, false},
		"OneBad":        {batch("a", "bad", "b"), true, ".!.", 4, false},
		"OnlyBad":       {batch("bad"), true, "!", 1, false},
		"NoSecondLook":  {batch("a", "bad"), false, "!!", 1, false},
		"Unseen":        {batch("a", "large", "b"), false, "...", 4, false},
		"UnseenThenBad": {batch("a", "large", "bad"), false, "..!", 4, false},
		"Broken":        {batch("broken"), true, "", 1, true},
		"BrokenOnRerun": {batch("bad", "broken"), true, "", 3, true},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			calls := 0
			results, err := guard.Isolate(t.Context(), c.in, c.rerun, call(&calls))
			var got strings.Builder
			for _, r := range results {
				if r.Err != nil {
					got.WriteString("!")
				} else {
					got.WriteString(".")
				}
			}
			if (err != nil) != c.fails || got.String() != c.want || calls != c.calls {
				t.Errorf("got %q after %d calls, %v", got.String(), calls, err)
			}
		})
	}
}

func TestTail(t *testing.T) {
	var out strings.Builder
	tail := guard.NewTail(&out)
	for range 1000 {
		if _, err := tail.Write([]byte("line\n")); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := tail.Write([]byte("last \xff\n")); err != nil {
		t.Fatal(err)
	}
	if got := tail.Lines(2); got != "line\nlast �" {
		t.Errorf("got %q", got)
	}
	if out.Len() != 1000*5+7 {
		t.Errorf("%d bytes were passed on", out.Len())
	}
	tail.Reset()
	if got := tail.Lines(2); got != "" {
		t.Errorf("after a reset: %q", got)
	}
}

// TestFloodIsBounded: user code that prints without end is not stopped, and what passes
// is bounded and says what did not.
func TestFloodIsBounded(t *testing.T) {
	var out strings.Builder
	tail := guard.NewTail(&out)
	line := []byte(strings.Repeat("x", 1023) + "\n")
	const lines = 32 << 10
	for range lines {
		if n, err := tail.Write(line); n != len(line) || err != nil {
			t.Fatal(n, err)
		}
	}
	tail.Flush()
	passed := strings.Count(out.String(), string(line))
	if passed < 8<<10 || passed == lines {
		t.Errorf("%d of %d lines passed", passed, lines)
	}
	if !strings.Contains(out.String(), "were dropped here") {
		t.Error("the loss is not told")
	}
}
