package instance

import (
	"context"
	"errors"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/functionmesh/terraform-provider-functionmesh/runner/pipeline"
	"github.com/functionmesh/terraform-provider-functionmesh/runner/runtime/frame"
)

// heldSink takes messages once it is let go, and fails the first writes.
type heldSink struct {
	let  chan struct{}
	fail int

	mu  sync.Mutex
	got []pipeline.Message
}

func (s *heldSink) Write(ctx context.Context, out []pipeline.Message) (int, error) {
	select {
	case <-s.let:
	case <-ctx.Done():
		return 0, ctx.Err()
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.fail > 0 {
		s.fail--
		return 0, errors.New("the broker is away")
	}
	s.got = append(s.got, out...)
	return len(out), nil
}

func (s *heldSink) Close(context.Context) error { return nil }

func open(t *testing.T, s *heldSink) (*logTopic, *[]error) {
	t.Helper()
	var failures []error
	l := newLogTopic(t.Context(), &logTopic{
		sink: s, name: "acme/shop/enrich", id: "2", logger: slog.New(slog.DiscardHandler),
		mask:   func(text string) string { return strings.ReplaceAll(text, "s3cret", "***") },
		failed: func(err error) { failures = append(failures, err) },
	})
	return l, &failures
}

func TestLogTopicMessages(t *testing.T) {
	sink := &heldSink{let: make(chan struct{})}
	close(sink.let)
	l, _ := open(t, sink)
	at := time.UnixMilli(1700000000123)
	l.Log(frame.LogRecord{Time: at, Level: frame.Warn, Text: "a s3cret", Message: "7:1:2"})
	l.Log(frame.LogRecord{Time: at, Level: frame.Info, Text: strings.Repeat("x", 2*logText)})
	if err := l.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	if len(sink.got) != 2 || len(sink.got[1].Value) > logText+8 {
		t.Fatalf("%d messages", len(sink.got))
	}
	want := pipeline.Message{Value: []byte("a ***"), EventTime: 1700000000123, Properties: map[string]string{
		"loglevel": "WARN", "instance": "2", "fqn": "acme/shop/enrich", "message_id": "7:1:2",
	}}
	if d := cmp.Diff(want, sink.got[0]); d != "" {
		t.Error(d)
	}
}

// TestLogTopicNeverBlocks: with a broker that takes nothing user code goes on, memory
// stays bounded, and what was lost is told as soon as somebody listens.
func TestLogTopicNeverBlocks(t *testing.T) {
	sink := &heldSink{let: make(chan struct{})}
	l, _ := open(t, sink)
	const n = 3 * logQueue
	for range n {
		l.Log(frame.LogRecord{Text: "word"})
	}
	close(sink.let)
	if err := l.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	words, told := 0, 0
	for _, m := range sink.got {
		switch text := string(m.Value); {
		case text == "word":
			words++
		case strings.Contains(text, "were dropped"):
			told++
		}
	}
	if words < logQueue || words >= n || told == 0 {
		t.Errorf("%d of %d records, losses were told %d times", words, n, told)
	}
}

func TestLogTopicTriesAgain(t *testing.T) {
	sink := &heldSink{let: make(chan struct{}), fail: 1}
	close(sink.let)
	l, failures := open(t, sink)
	l.Log(frame.LogRecord{Text: "word"})
	if err := l.Close(t.Context()); err != nil || len(sink.got) != 1 || len(*failures) != 0 {
		t.Errorf("%d messages, %v, %v", len(sink.got), *failures, err)
	}
}

// TestLogTopicEndsWithItsBroker: closing waits no longer than it may.
func TestLogTopicEndsWithItsBroker(t *testing.T) {
	l, failures := open(t, &heldSink{let: make(chan struct{})})
	l.Log(frame.LogRecord{Text: "word"})
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := l.Close(ctx); err != nil {
		t.Fatal(err)
	}
	if len(*failures) > 1 {
		t.Errorf("%v", *failures)
	}
}
