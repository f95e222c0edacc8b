package file_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/functionmesh/terraform-provider-functionmesh/runner/connector/file"
	"github.com/functionmesh/terraform-provider-functionmesh/runner/connector/settings"
	"github.com/functionmesh/terraform-provider-functionmesh/runner/pipeline"
	"github.com/functionmesh/terraform-provider-functionmesh/runner/runnertest"
)

func TestSourceSuite(t *testing.T) {
	for _, mode := range []string{"tail", "whole"} {
		t.Run(mode, func(t *testing.T) {
			var again func(t *testing.T) pipeline.Source
			runnertest.SourceSuite(t, runnertest.SourceHarness{
				New: func(t *testing.T, values [][]byte) pipeline.Source {
					w := newWorld(t, `"mode": "`+mode+`"`)
					w.write("in", string(bytes.Join(append(values, nil), []byte("\n"))))
					again = func(t *testing.T) pipeline.Source { return w.source(t) }
					return again(t)
				},
				Again: func(t *testing.T) pipeline.Source { return again(t) },
			})
		})
	}
}

func TestSinkSuite(t *testing.T) {
	var w *world
	runnertest.SinkSuite(t, runnertest.SinkHarness{
		New: func(t *testing.T) pipeline.Sink {
			w = newWorld(t, `"format": "lines"`)
			return w.sink(t)
		},
		Written: func(t *testing.T) []pipeline.Message {
			var out []pipeline.Message
			for line := range strings.Lines(w.read("in")) {
				out = append(out, pipeline.Message{Value: []byte(strings.TrimSuffix(line, "\n"))})
			}
			return out
		},
	})
}

// world is a directory with a file "in", and connectors configured on it.
type world struct {
	t       *testing.T
	dir     string
	config  string
	mu      sync.Mutex
	reports []error
}

func newWorld(t *testing.T, config string) *world {
	t.Helper()
	if config != "" {
		config = ", " + config
	}
	return &world{t: t, dir: t.TempDir(), config: `{"path": "in"` + config + `}`}
}

func (w *world) place() settings.Place {
	work := filepath.Join(w.dir, "work")
	if err := os.MkdirAll(work, 0o700); err != nil {
		w.t.Fatal(err)
	}
	return settings.Place{BaseDir: w.dir, WorkDir: work, Parallelism: 1, Report: func(err error) {
		w.mu.Lock()
		defer w.mu.Unlock()
		w.reports = append(w.reports, err)
	}}
}

func (w *world) reported() int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return len(w.reports)
}

func (w *world) source(t *testing.T) *file.Source {
	t.Helper()
	s, err := file.NewSource(w.config, w.place())
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func (w *world) sink(t *testing.T) *file.Sink {
	t.Helper()
	s, err := file.NewSink(w.config, w.place())
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func (w *world) path(name string) string { return filepath.Join(w.dir, name) }

func (w *world) write(name, text string) {
	w.t.Helper()
	f, err := os.OpenFile(w.path(name), os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
	if err == nil {
		_, err = f.WriteString(text)
		err = errors.Join(err, f.Close())
	}
	if err != nil {
		w.t.Fatal(err)
	}
}

func (w *world) read(name string) string {
	w.t.Helper()
	data, err := os.ReadFile(w.path(name))
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		w.t.Fatal(err)
	}
	return string(data)
}

func (w *world) rename(from, to string) {
	w.t.Helper()
	if err := os.Rename(w.path(from), w.path(to)); err != nil {
		w.t.Fatal(err)
	}
}

// reader is an open source.
type reader struct {
	t      *testing.T
	source *file.Source
	lane   pipeline.Lane
}

func (w *world) open() *reader {
	w.t.Helper()
	s := w.source(w.t)
	lanes, err := s.Open(w.t.Context())
	if err != nil || len(lanes) != 1 {
		w.t.Fatalf("%d lanes, %v", len(lanes), err)
	}
	r := &reader{t: w.t, source: s, lane: lanes[0]}
	w.t.Cleanup(r.close)
	return r
}

func (r *reader) close() {
	if err := r.source.Close(context.WithoutCancel(r.t.Context())); err != nil {
		r.t.Error(err)
	}
}

// want reads and settles until these values have come.
func (r *reader) want(values ...string) {
	r.t.Helper()
	var got []string
	for len(got) < len(values) {
		ctx, cancel := context.WithTimeout(r.t.Context(), 30*time.Second)
		b, err := r.lane.Read(ctx, 100, 1<<20)
		cancel()
		if err != nil {
			r.t.Fatalf("after %q: %v", got, err)
		}
		for _, m := range b.Messages {
			got = append(got, string(m.Value))
		}
		if err := r.lane.Settle(r.t.Context(), b, make([]pipeline.Verdict, len(b.Messages))); err != nil {
			r.t.Fatal(err)
		}
	}
	if d := cmp.Diff(values, got); d != "" {
		r.t.Fatal(d)
	}
}

// nothing checks that no message is there now.
func (r *reader) nothing() {
	r.t.Helper()
	ctx, cancel := context.WithTimeout(r.t.Context(), 250*time.Millisecond)
	defer cancel()
	if b, err := r.lane.Read(ctx, 100, 1<<20); err == nil {
		r.t.Fatalf("%d messages, first %q", len(b.Messages), b.Messages[0].Value)
	}
}

func TestTailFollows(t *testing.T) {
	w := newWorld(t, "")
	r := w.open()
	r.nothing() // the file does not exist yet
	w.write("in", "a\r\n\nb")
	r.want("a", "")
	r.nothing() // the line has no end yet
	w.write("in", "c\n")
	r.want("bc")
}

func TestTailSurvivesRotation(t *testing.T) {
	w := newWorld(t, "")
	w.write("in", "a\n")
	r := w.open()
	r.want("a")
	w.write("in", "b\nunfinished")
	w.rename("in", "in.1")
	w.write("in.1", " line") // still written to by its owner
	w.write("in", "c\n")
	r.want("b", "unfinished line", "c")
	w.rename("in", "in.2")
	r.nothing()
	w.write("in", "d\n")
	r.want("d")
}

func TestTailSurvivesRotationWhileDown(t *testing.T) {
	w := newWorld(t, "")
	w.write("in", "a\nb\n")
	r := w.open()
	r.want("a", "b")
	r.close()
	w.write("in", "c\n")
	w.rename("in", "in.1")
	w.write("in", "d\n")
	w.open().want("c", "d")
	if n := w.reported(); n != 0 {
		t.Errorf("%d reports: %v", n, w.reports)
	}
}

func TestTailReportsWhatIsGone(t *testing.T) {
	w := newWorld(t, "")
	w.write("in", "a\n")
	r := w.open()
	r.want("a")
	r.close()
	if err := os.Remove(w.path("in")); err != nil {
		t.Fatal(err)
	}
	w.write("in", "other\n")
	w.open().want("other")
	if w.reported() != 1 {
		t.Errorf("reports: %v", w.reports)
	}
}

func TestTailSurvivesTruncation(t *testing.T) {
	w := newWorld(t, "")
	w.write("in", "a long line\nb\n")
	r := w.open()
	r.want("a long line", "b")
	if err := os.Truncate(w.path("in"), 0); err != nil {
		t.Fatal(err)
	}
	r.nothing()
	w.write("in", "c\n")
	r.want("c")
}

func TestWholeEndsWhereItBegan(t *testing.T) {
	w := newWorld(t, `"mode": "whole"`)
	w.write("in", "a\nb")
	r := w.open()
	r.want("a", "b")
	w.write("in", "later\n")
	r.nothing()
	r.close()
	w.open().nothing()
}

func TestNDJSONSkipsWhatIsNone(t *testing.T) {
	w := newWorld(t, `"format": "ndjson"`)
	w.write("in", `{"a":1}`+"\nnot json\n"+`[2]`+"\n\n3\n")
	w.open().want(`{"a":1}`, "[2]", "3")
	if w.reported() != 1 {
		t.Errorf("reports: %v", w.reports)
	}
}

func TestLongLinesAreReported(t *testing.T) {
	w := newWorld(t, "")
	w.write("in", "a\n"+strings.Repeat("x", 9<<20)+"\nb\n")
	w.open().want("a", "b")
	if w.reported() != 1 {
		t.Errorf("reports: %v", w.reports)
	}
}

func TestOnlyTheFirstInstanceReads(t *testing.T) {
	w := newWorld(t, "")
	place := w.place()
	place.Instance, place.Parallelism = 1, 2
	s, err := file.NewSource(w.config, place)
	if err != nil {
		t.Fatal(err)
	}
	if lanes, err := s.Open(t.Context()); err != nil || len(lanes) != 0 {
		t.Errorf("%d lanes, %v", len(lanes), err)
	}
}

func messages(values ...string) []pipeline.Message {
	out := make([]pipeline.Message, len(values))
	for i, v := range values {
		out[i].Value = []byte(v)
	}
	return out
}

func (w *world) append(s *file.Sink, values ...string) {
	w.t.Helper()
	if n, err := s.Write(w.t.Context(), messages(values...)); err != nil || n != len(values) {
		w.t.Fatalf("%d of %d: %v", n, len(values), err)
	}
}

func TestSinkRepairsATornLine(t *testing.T) {
	cases := map[string]struct {
		before, torn bool
		want         string
	}{
		"Foreign":     {false, true, "torn\na\n"},
		"Ours":        {true, true, "first\na\n"},
		"OursAndFine": {true, false, "first\na\n"},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, "")
			if c.before {
				w.append(w.sink(t), "first")
			}
			if c.torn {
				w.write("in", "torn")
			}
			w.append(w.sink(t), "a")
			if d := cmp.Diff(c.want, w.read("in")); d != "" {
				t.Error(d)
			}
		})
	}
}

func TestSinkRepairsWhatAnotherWriterLeft(t *testing.T) {
	w := newWorld(t, "")
	s := w.sink(t)
	w.append(s, "a")
	w.write("in", strings.Repeat("torn", 50_000)) // longer than one look back
	w.append(s, "b")
	if d := cmp.Diff("a\nb\n", w.read("in")); d != "" {
		t.Error(d)
	}
}

func TestSinkFollowsRotation(t *testing.T) {
	w := newWorld(t, "")
	s := w.sink(t)
	w.append(s, "a")
	w.rename("in", "old")
	w.append(s, "b")
	if w.read("old") != "a\n" || w.read("in") != "b\n" {
		t.Errorf("old %q, new %q", w.read("old"), w.read("in"))
	}
}

func TestSinksShareAFile(t *testing.T) {
	w := newWorld(t, `"format": "ndjson"`)
	line := `{"text":"` + strings.Repeat("x", 10_000) + `"}`
	var group sync.WaitGroup
	for range 4 {
		s := w.sink(t)
		group.Go(func() {
			for range 20 {
				w.append(s, line)
			}
		})
	}
	group.Wait()
	n := 0
	for got := range strings.Lines(w.read("in")) {
		n++
		if got != line+"\n" {
			t.Fatalf("a line was torn: %d bytes", len(got))
		}
	}
	if n != 80 {
		t.Errorf("%d lines of 80", n)
	}
}

func TestSinkRefusesWhatIsNoLine(t *testing.T) {
	cases := map[string]struct {
		format string
		value  []byte
	}{
		"Null":      {"lines", nil},
		"LineBreak": {"lines", []byte("a\nb")},
		"NotJSON":   {"ndjson", []byte("{")},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, `"format": "`+c.format+`"`)
			n, err := w.sink(t).Write(t.Context(), []pipeline.Message{{Value: []byte("1")}, {Value: c.value}, {Value: []byte("2")}})
			var refused *pipeline.MessageError
			if n != 1 || !errors.As(err, &refused) || w.read("in") != "1\n" {
				t.Errorf("%d written, %v, file %q", n, err, w.read("in"))
			}
		})
	}
}

func TestSinkCompactsJSON(t *testing.T) {
	w := newWorld(t, `"format": "ndjson"`)
	w.append(w.sink(t), "{\n  \"a\": \"x y\"\n}")
	if got := w.read("in"); got != `{"a":"x y"}`+"\n" || !json.Valid([]byte(got)) {
		t.Errorf("got %q", got)
	}
}

func TestSinkNeedsItsDirectory(t *testing.T) {
	w := newWorld(t, "")
	w.config = `{"path": "missing/in"}`
	s := w.sink(t)
	if err := s.Connect(t.Context()); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("Connect: %v", err)
	}
	if n, err := s.Write(t.Context(), messages("a")); n != 0 || !errors.Is(err, pipeline.ErrUnsent) {
		t.Errorf("Write: %d, %v", n, err)
	}
}

func TestR8SettingsAreRefused(t *testing.T) {
	for name, config := range map[string]string{
		"NoPath": `{}`, "UnknownFormat": `{"path":"a","format":"csv"}`, "UnknownSetting": `{"path":"a","tail":true}`, "WrongType": `{"path":1}`,
	} {
		t.Run(name, func(t *testing.T) {
			place := settings.Place{WorkDir: t.TempDir()}
			_, sourceErr := file.NewSource(config, place)
			_, sinkErr := file.NewSink(config, place)
			for _, err := range []error{sourceErr, sinkErr} {
				var terminal *pipeline.TerminalError
				if !errors.As(err, &terminal) || terminal.Reason != "InvalidConfig" {
					t.Errorf("got %v", err)
				}
			}
		})
	}
}
