package compatible

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"

	"github.com/apache/pulsar-client-go/pulsar/log"
)

// handler takes in the client's log: it is chatty, so everything is a level lower, and
// what it passes over is told nowhere else, so that is reported.
type handler struct {
	to     slog.Handler
	attrs  []slog.Attr
	report func(error)
}

func newLogger(to *slog.Logger, report func(error)) log.Logger {
	return log.NewLoggerWithSlog(slog.New(&handler{to: to.Handler(), report: report}))
}

const oneLevel = slog.LevelInfo - slog.LevelDebug

// passedOver are the beginnings of what the client logs instead of an error.
func passedOver(message string) bool {
	for _, p := range []string{
		"Discarding corrupted message", "consuming message failed due to decryption",
		"unable to decompress", "discarding message", "consuming encrypted message",
	} {
		if strings.HasPrefix(strings.ToLower(message), strings.ToLower(p)) {
			return true
		}
	}
	return false
}

// Enabled implements slog.Handler.
func (h *handler) Enabled(ctx context.Context, l slog.Level) bool {
	return l >= slog.LevelWarn || h.to.Enabled(ctx, l-oneLevel)
}

// Handle implements slog.Handler.
func (h *handler) Handle(ctx context.Context, r slog.Record) error {
	if r.Level >= slog.LevelWarn && passedOver(r.Message) {
		h.report(h.text(r.Message))
	}
	r.Level -= oneLevel
	if !h.to.Enabled(ctx, r.Level) {
		return nil
	}
	r.AddAttrs(h.attrs...)
	return h.to.Handle(ctx, r)
}

func (h *handler) text(message string) error {
	var about []string
	for _, a := range h.attrs {
		switch a.Key {
		case "topic", "msgID", "validationError":
			about = append(about, fmt.Sprintf("%s %v", a.Key, a.Value))
		}
	}
	return fmt.Errorf("%w: %s (%s)", errPassedOver, message, strings.Join(about, ", "))
}

// defectOf names what was wrong with an entry that was passed over; "": it was not.
func defectOf(err error) string {
	switch {
	case !errors.Is(err, errPassedOver):
		return ""
	case strings.Contains(strings.ToLower(err.Error()), "decrypt"), strings.Contains(err.Error(), "encrypted"):
		return "encrypted"
	default:
		return "corrupted"
	}
}

// WithAttrs implements slog.Handler.
func (h *handler) WithAttrs(attrs []slog.Attr) slog.Handler {
	return &handler{to: h.to, attrs: slices.Concat(h.attrs, attrs), report: h.report}
}

// WithGroup implements slog.Handler; the client uses no groups.
func (h *handler) WithGroup(string) slog.Handler { return h }
