package supervisor

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	lumberjack "gopkg.in/natefinch/lumberjack.v2"

	"github.com/functionmesh/terraform-provider-functionmesh/internal/engine"
)

const (
	logFile    = "instance.log"
	logSizeMB  = 10
	logBackups = 3
	longLine   = 64 << 10
	followPoll = 100 * time.Millisecond
	// followChunk bounds what one look at a file takes; more than a file grows to.
	followChunk = 2 * logSizeMB << 20
	shortest    = 4 // a secret of fewer letters would turn every log into stars
)

// mask hides known secret values in text.
type mask struct{ replacer *strings.Replacer }

func newMask(secrets []string) *mask {
	// Longer first: one value may be the beginning of another.
	slices.SortFunc(secrets, func(x, y string) int { return len(y) - len(x) })
	var pairs []string
	for _, s := range secrets {
		if len(s) >= shortest {
			pairs = append(pairs, s, "***")
		}
		for line := range strings.Lines(s) { // a value of several lines appears line by line
			if line = strings.TrimRight(line, "\r\n"); len(line) >= shortest && line != s {
				pairs = append(pairs, line, "***")
			}
		}
	}
	return &mask{replacer: strings.NewReplacer(pairs...)}
}

func (m *mask) apply(text string) string {
	if m == nil {
		return text
	}
	return m.replacer.Replace(text)
}

// journal is the log of one process: whole lines, masked, in a file that rotates.
type journal struct {
	mu      sync.Mutex
	file    *lumberjack.Logger
	masks   *mask
	partial []byte
}

func newJournal(path string, masks *mask) *journal {
	return &journal{masks: masks, file: &lumberjack.Logger{Filename: path, MaxSize: logSizeMB, MaxBackups: logBackups}}
}

// Write never fails: a full disk must not stop an instance over its log.
func (j *journal) Write(p []byte) (int, error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.partial = append(j.partial, p...)
	end := bytes.LastIndexByte(j.partial, '\n') + 1
	if end == 0 && len(j.partial) >= longLine {
		end = len(j.partial)
	}
	if end > 0 {
		j.flush(j.partial[:end])
		j.partial = append(j.partial[:0], j.partial[end:]...)
	}
	return len(p), nil
}

func (j *journal) flush(lines []byte) {
	_, _ = j.file.Write([]byte(j.masks.apply(string(lines))))
}

// Close writes an unfinished line and releases the file.
func (j *journal) Close() error {
	j.mu.Lock()
	defer j.mu.Unlock()
	if len(j.partial) > 0 {
		j.flush(append(j.partial, '\n'))
		j.partial = nil
	}
	return j.file.Close()
}

// LogQuery selects lines of one component.
type LogQuery struct {
	Instance int // -1: all, each line prefixed with its instance
	Tail     int // lines from the end; -1: all that is kept
	Follow   bool
}

// Logs writes log lines to w. NotFound when the component has no such log.
func (s *Supervisor) Logs(ctx context.Context, key engine.Key, q LogQuery, w io.Writer) error {
	ids, err := s.logged(key, q.Instance)
	if err != nil {
		return err
	}
	if _, err := w.Write(nil); err != nil { // tells a client that there is a log, before its first line
		return err
	}
	out := &lines{to: w}
	followed := map[int]*follower{}
	for _, id := range ids {
		f := &follower{path: filepath.Join(s.dir(key), strconv.Itoa(id), logFile)}
		defer f.close()
		f.skipToEnd() // before the tail: a line may be shown twice, never lost
		followed[id] = f
		text, err := tail(filepath.Dir(f.path), q.Tail)
		if err != nil {
			return err
		}
		for _, line := range text {
			out.write(prefix(q, id), line)
		}
	}
	for q.Follow && out.err == nil {
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(followPoll):
		}
		for _, id := range ids {
			followed[id].next(func(line string) { out.write(prefix(q, id), line) })
		}
	}
	return out.err
}

func prefix(q LogQuery, id int) string {
	if q.Instance >= 0 {
		return ""
	}
	return fmt.Sprintf("[%d] ", id)
}

type lines struct {
	to  io.Writer
	err error
}

func (l *lines) write(prefix, line string) {
	if l.err == nil {
		_, l.err = io.WriteString(l.to, prefix+line+"\n")
	}
}

func (s *Supervisor) logged(key engine.Key, instance int) ([]int, error) {
	entries, err := os.ReadDir(s.dir(key))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	var ids []int
	for _, e := range entries {
		if id, err := strconv.Atoi(e.Name()); err == nil && (instance < 0 || instance == id) {
			ids = append(ids, id)
		}
	}
	slices.Sort(ids)
	if len(ids) == 0 {
		return nil, engine.New(engine.NotFound, fmt.Errorf("%s %s has no log of that instance", key.Kind, key))
	}
	return ids, nil
}

// tail reads the last n lines of an instance's log, older files included; n < 0 reads
// all.
func tail(dir string, n int) ([]string, error) {
	files, err := filepath.Glob(filepath.Join(glob(dir), "instance*.log"))
	if err != nil {
		return nil, err
	}
	// Rotated files carry their time in the name, so that they sort; the live one is last.
	slices.Sort(files)
	live := filepath.Join(dir, logFile)
	files = slices.DeleteFunc(files, func(f string) bool { return f == live })
	files = append(files, live)
	var last []string
	for _, f := range slices.Backward(files) {
		if n >= 0 && len(last) >= n {
			break
		}
		text, err := os.ReadFile(f)
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return nil, err
		}
		if len(text) > 0 {
			last = append(strings.Split(strings.TrimSuffix(string(text), "\n"), "\n"), last...)
		}
	}
	if n >= 0 && len(last) > n {
		last = last[len(last)-n:]
	}
	return last, nil
}

// glob quotes a path for filepath.Glob.
func glob(path string) string {
	return strings.NewReplacer(`*`, `\*`, `?`, `\?`, `[`, `\[`).Replace(path)
}

// follower reads what is appended to a file that may be rotated away.
type follower struct {
	path    string
	file    *os.File
	partial string
}

// skipToEnd shows nothing of what is there already.
func (f *follower) skipToEnd() {
	if f.open() {
		_, _ = f.file.Seek(0, io.SeekEnd)
	}
}

func (f *follower) open() bool {
	if f.file == nil {
		file, err := os.Open(f.path)
		if err != nil {
			return false
		}
		f.file = file
	}
	return true
}

func (f *follower) close() {
	if f.file != nil {
		_ = f.file.Close()
		f.file = nil
	}
}

// next hands over the lines that came since the last call. The rest of a rotated file
// is read before the new one.
func (f *follower) next(line func(string)) {
	if !f.open() {
		return
	}
	f.read(line)
	live, err := os.Stat(f.path)
	mine, mineErr := f.file.Stat()
	if err == nil && mineErr == nil && !os.SameFile(live, mine) {
		f.read(line)
		f.close()
		if f.open() {
			f.read(line)
		}
	}
}

func (f *follower) read(line func(string)) {
	text, err := io.ReadAll(io.LimitReader(f.file, followChunk))
	if err != nil {
		return
	}
	f.partial += string(text)
	for {
		one, rest, ok := strings.Cut(f.partial, "\n")
		if !ok {
			return
		}
		line(one)
		f.partial = rest
	}
}
