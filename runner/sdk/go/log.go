package function

import (
	"bytes"
	"context"
	"log/slog"
	"os"
	"time"
)

const (
	flushBytes = 32 << 10 // of records, then they are sent before the batch is done
	keepBytes  = 1 << 20  // of records where they cannot be
)

// handler is the instance's: a line on standard error, which is the instance's log, and
// a record for the log topic where there is one.
type handler struct {
	instance *Instance
	lines    slog.Handler // formats into text
	text     *bytes.Buffer
}

func newHandler(i *Instance) slog.Handler {
	text := &bytes.Buffer{}
	return &handler{instance: i, text: text, lines: slog.NewTextHandler(text, &slog.HandlerOptions{
		// Level and time travel beside the text.
		ReplaceAttr: func(groups []string, a slog.Attr) slog.Attr {
			if len(groups) == 0 && (a.Key == slog.TimeKey || a.Key == slog.LevelKey) {
				return slog.Attr{}
			}
			return a
		},
	})}
}

// Enabled is so from Info on.
func (h *handler) Enabled(_ context.Context, l slog.Level) bool { return l >= slog.LevelInfo }

// Handle writes one record.
func (h *handler) Handle(ctx context.Context, r slog.Record) error {
	i := h.instance
	i.mu.Lock()
	defer i.mu.Unlock()
	h.text.Reset()
	err := h.lines.Handle(ctx, r)
	line := bytes.TrimSpace(h.text.Bytes())
	_, _ = os.Stderr.WriteString(r.Time.UTC().Format(time.RFC3339) + " " + r.Level.String() + " " + string(line) + "\n")
	if !i.info.Log || len(i.said.logs) > keepBytes {
		return err
	}
	i.said.logs = appendRecord(i.said.logs, levelOf(r.Level), i.index, r.Time, string(line))
	i.said.logN++
	if len(i.said.logs) > flushBytes && i.flush != nil {
		i.flush(i.batch, i.said.logN, i.said.logs)
		i.said.logs, i.said.logN = i.said.logs[:0], 0
	}
	return err
}

// WithAttrs adds attributes to every record.
func (h *handler) WithAttrs(attrs []slog.Attr) slog.Handler {
	return &handler{instance: h.instance, lines: h.lines.WithAttrs(attrs), text: h.text}
}

// WithGroup qualifies the attributes that follow.
func (h *handler) WithGroup(name string) slog.Handler {
	return &handler{instance: h.instance, lines: h.lines.WithGroup(name), text: h.text}
}

// levelOf is the level as frames number it.
func levelOf(l slog.Level) byte {
	switch {
	case l < slog.LevelDebug:
		return 1
	case l < slog.LevelInfo:
		return 2
	case l < slog.LevelWarn:
		return 3
	case l < slog.LevelError:
		return 4
	default:
		return 5
	}
}
