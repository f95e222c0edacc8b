package guard

import (
	"bytes"
	"io"
	"strings"
	"sync"
)

// Tail passes everything on to another writer and remembers the last bytes, so that
// an error can quote the last words of code that died.
type Tail struct {
	mu   sync.Mutex
	next io.Writer
	last []byte
}

const tailBytes = 4096

// NewTail returns a Tail in front of next.
func NewTail(next io.Writer) *Tail { return &Tail{next: next} }

// Write never fails: a log that cannot be written must not stop user code.
func (t *Tail) Write(p []byte) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.last = append(t.last, p[max(0, len(p)-tailBytes):]...)
	if over := len(t.last) - tailBytes; over > 0 {
		t.last = append(t.last[:0], t.last[over:]...)
	}
	if t.next != nil {
		_, _ = t.next.Write(p)
	}
	return len(p), nil
}

// Lines returns at most n of the last lines, in one string.
func (t *Tail) Lines(n int) string {
	t.mu.Lock()
	defer t.mu.Unlock()
	lines := bytes.Split(bytes.TrimSpace(t.last), []byte("\n"))
	lines = lines[max(0, len(lines)-n):]
	return strings.ToValidUTF8(string(bytes.Join(lines, []byte("\n"))), "�")
}

// Reset forgets what was remembered: a new process has its own last words.
func (t *Tail) Reset() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.last = t.last[:0]
}
