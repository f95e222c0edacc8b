package guard

import (
	"bytes"
	"fmt"
	"io"
	"strings"
	"sync"
	"time"
)

const (
	tailBytes = 4096
	logBurst  = 8 << 20 // bytes that may come at once
	logRate   = 1 << 20 // bytes a second that may come for ever
	logRoom   = 64 << 10
)

// Tail passes the output of user code on to another writer, up to a rate, and remembers
// the last bytes, so that an error can quote the last words of code that died. It keeps
// nothing else: output beyond the rate is dropped, counted, and said in its place, so
// that code which prints without end costs neither memory nor the disk, nor stops.
type Tail struct {
	mu   sync.Mutex // guards last; never held while writing, which may take long
	last []byte

	writing sync.Mutex // guards what follows
	next    io.Writer
	room    float64 // bytes that may pass now
	since   time.Time
	dropped int64 // not told yet
}

// NewTail returns a Tail in front of next.
func NewTail(next io.Writer) *Tail { return &Tail{next: next, room: logBurst, since: time.Now()} }

// Write never fails: a log that cannot be written must not stop user code.
func (t *Tail) Write(p []byte) (int, error) {
	t.remember(p)
	t.writing.Lock()
	defer t.writing.Unlock()
	if t.next == nil {
		return len(p), nil
	}
	now := time.Now()
	t.room = min(t.room+now.Sub(t.since).Seconds()*logRate, logBurst)
	t.since = now
	needed := float64(len(p))
	if t.dropped > 0 {
		needed = max(needed, logRoom) // else every other line would be about a lost one
	}
	if t.room < needed {
		t.dropped += int64(len(p))
		return len(p), nil
	}
	t.room -= float64(len(p))
	t.tell()
	_, _ = t.next.Write(p)
	return len(p), nil
}

// tell says what was dropped before what is written next.
func (t *Tail) tell() {
	if t.dropped > 0 {
		_, _ = fmt.Fprintf(t.next, "\n… %d bytes of output were dropped here: user code printed more than %d bytes a second\n", t.dropped, logRate)
		t.dropped = 0
	}
}

// Flush says what was dropped last; nothing may follow that would.
func (t *Tail) Flush() {
	t.writing.Lock()
	defer t.writing.Unlock()
	if t.next != nil {
		t.tell()
	}
}

func (t *Tail) remember(p []byte) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.last = append(t.last, p[max(0, len(p)-tailBytes):]...)
	if over := len(t.last) - tailBytes; over > 0 {
		t.last = append(t.last[:0], t.last[over:]...)
	}
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
