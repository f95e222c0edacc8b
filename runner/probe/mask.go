package probe

import (
	"bytes"
	"encoding/json"
	"io"
	"slices"
	"strings"
	"sync"
)

const (
	masked = "********"
	// Shorter values would garble every line; they are no secrets worth the name.
	minSecret = 4
	// Lines of a secret such as a PEM key count on their own, when they are long
	// enough not to be words.
	minSecretLine = 8
	// A line without an end is written when it is this long, so that memory is bounded.
	maxLine = 64 << 10
)

// Masker replaces known secret values wherever they appear (R9).
type Masker struct{ replace *strings.Replacer }

// NewMasker makes a Masker for these values, in plain and in JSON's spelling.
func NewMasker(secrets ...string) *Masker {
	var patterns []string
	for _, s := range secrets {
		if len(s) < minSecret {
			continue
		}
		patterns = append(patterns, s)
		for line := range strings.Lines(s) {
			if line = strings.TrimSpace(line); len(line) >= minSecretLine {
				patterns = append(patterns, line)
			}
		}
	}
	for _, p := range slices.Clone(patterns) {
		if quoted, err := json.Marshal(p); err == nil {
			patterns = append(patterns, string(quoted[1:len(quoted)-1]))
		}
	}
	slices.SortFunc(patterns, func(a, b string) int { return len(b) - len(a) })
	pairs := make([]string, 0, 2*len(patterns))
	for _, p := range slices.Compact(patterns) {
		pairs = append(pairs, p, masked)
	}
	return &Masker{replace: strings.NewReplacer(pairs...)}
}

// String returns text without the secrets.
func (m *Masker) String(text string) string {
	return m.replace.Replace(text) // R9: what is logged, reported or dead-lettered passes here
}

// MaskedWriter masks line by line. It is safe for concurrent use.
type MaskedWriter struct {
	masker *Masker
	mu     sync.Mutex
	next   io.Writer
	line   []byte
}

// Writer returns a writer that masks what it passes to next. Flush it at the end.
func (m *Masker) Writer(next io.Writer) *MaskedWriter {
	return &MaskedWriter{masker: m, next: next}
}

// Write passes complete lines on and keeps the rest until its end is seen.
func (w *MaskedWriter) Write(p []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	end := bytes.LastIndexByte(p, '\n') + 1
	if end == 0 && len(w.line)+len(p) < maxLine {
		w.line = append(w.line, p...)
		return len(p), nil
	}
	if end == 0 {
		end = len(p)
	}
	text := w.masker.String(string(w.line) + string(p[:end]))
	w.line = append(w.line[:0], p[end:]...)
	if _, err := io.WriteString(w.next, text); err != nil {
		return 0, err
	}
	return len(p), nil
}

// Flush writes a last line that has no end.
func (w *MaskedWriter) Flush() error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if len(w.line) == 0 {
		return nil
	}
	_, err := io.WriteString(w.next, w.masker.String(string(w.line))+"\n")
	w.line = w.line[:0]
	return err
}
