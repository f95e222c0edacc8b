package compatible

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"

	"github.com/apache/pulsar-client-go/pulsar/log"

	"github.com/functionmesh/terraform-provider-functionmesh/runner/broker/pulsar/entry"
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

// passedOver is what the client logs of an entry that it acknowledges because it cannot
// open it.
func passedOver(message string) bool {
	return strings.HasPrefix(message, "Discarding corrupted message")
}

// Enabled implements slog.Handler.
func (h *handler) Enabled(ctx context.Context, l slog.Level) bool {
	return l >= slog.LevelWarn || h.to.Enabled(ctx, l-oneLevel)
}

// Handle implements slog.Handler.
func (h *handler) Handle(ctx context.Context, r slog.Record) error {
	if r.Level >= slog.LevelWarn && passedOver(r.Message) {
		h.report(h.passed(r.Message))
	}
	r.Level -= oneLevel
	if !h.to.Enabled(ctx, r.Level) {
		return nil
	}
	r.AddAttrs(h.attrs...)
	return h.to.Handle(ctx, r)
}

// passedError is about an entry that the client has acknowledged unread.
type passedError struct {
	topic  string // full name of the partition's
	text   string
	defect entry.Defect
}

// Error says what the client logs of it.
func (e *passedError) Error() string {
	return fmt.Sprintf("%v: %s: %v", errPassedOver, e.text, e.defect)
}

// Unwrap makes errors.Is see what was wrong.
func (e *passedError) Unwrap() []error { return []error{errPassedOver, e.defect} }

func (h *handler) passed(message string) *passedError {
	var about []string
	e := &passedError{defect: entry.Metadata}
	for _, a := range h.attrs {
		switch a.Key {
		case "topic":
			e.topic = a.Value.String()
			about = append(about, "topic "+e.topic)
		case "msgID":
			about = append(about, fmt.Sprintf("%s %v", a.Key, a.Value))
		case "validationError":
			e.defect = cmp.Or(defects[a.Value.String()], e.defect)
		}
	}
	e.text = fmt.Sprintf("%s (%s)", message, strings.Join(about, ", "))
	return e
}

// defects are what was wrong with an entry, by what the client calls it.
//
//nolint:gochecknoglobals // a table
var defects = map[string]entry.Defect{
	"ChecksumMismatch": entry.Checksum, "DecompressionError": entry.Decompress,
	"BatchDeSerializeError": entry.BatchFraming, "DecryptionError": entry.Encrypted,
}

// defectOf names what was wrong with an entry that could not be opened; "": it could.
func defectOf(err error) string {
	defect, _ := errors.AsType[entry.Defect](err)
	return string(defect)
}

// WithAttrs implements slog.Handler.
func (h *handler) WithAttrs(attrs []slog.Attr) slog.Handler {
	return &handler{to: h.to, attrs: slices.Concat(h.attrs, attrs), report: h.report}
}

// WithGroup implements slog.Handler; the client uses no groups.
func (h *handler) WithGroup(string) slog.Handler { return h }
