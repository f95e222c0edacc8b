package file

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"sync"

	"github.com/gofrs/flock"

	"github.com/functionmesh/terraform-provider-functionmesh/internal/spec"
	"github.com/functionmesh/terraform-provider-functionmesh/runner/connector/settings"
	"github.com/functionmesh/terraform-provider-functionmesh/runner/pipeline"
)

const (
	sinkMode  = 0o600
	tailChunk = 64 << 10
)

// Sink appends to one file. Several instances may append to the same one: each write
// holds the file's lock.
type Sink struct {
	config config
	path   string
	owned  settings.Position // present once this instance has written to the path

	mu   sync.Mutex
	lock *flock.Flock
	file *os.File // nil: not open
	ours bool     // this instance has written to the path before
	shut bool
	buf  []byte
}

// owner is what Sink.owned holds.
type owner struct {
	Path string `json:"path"`
}

// NewSink reads the connector's config and opens nothing.
func NewSink(configJSON string, place settings.Place) (*Sink, error) {
	place = place.Checked()
	s := &Sink{owned: settings.NewPosition(place, "file-sink")}
	if err := settings.Decode("file", spec.KindSink, configJSON, &s.config); err != nil {
		return nil, err
	}
	path, err := place.Resolve(s.config.Path)
	if err != nil {
		return nil, &pipeline.TerminalError{Reason: "InvalidConfig", Err: err}
	}
	s.path = path
	s.lock = flock.New(path, flock.SetPermissions(sinkMode))
	return s, nil
}

// Connect opens the file, so that a path that cannot be written is known before the
// first message.
func (s *Sink) Connect(context.Context) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.locked(func() error { return nil })
}

// Write appends one line per message and syncs. A message that cannot be a line of the
// format ends the write before it.
func (s *Sink) Write(_ context.Context, out []pipeline.Message) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.buf = s.buf[:0]
	n, refused := 0, error(nil)
	for ; n < len(out) && refused == nil; n++ {
		s.buf, refused = s.appendLine(s.buf, out[n].Value)
	}
	if refused != nil {
		n--
	}
	if len(s.buf) > 0 {
		if err := s.locked(s.flush); err != nil {
			return 0, fmt.Errorf("%w: %w", pipeline.ErrUnsent, err)
		}
	}
	return n, refused
}

// Close closes the file.
func (s *Sink) Close(context.Context) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.shut = true
	if s.file == nil {
		return nil
	}
	err := s.file.Close()
	s.file = nil
	return err
}

func (s *Sink) appendLine(buf, value []byte) ([]byte, error) {
	refuse := func(format string, args ...any) error {
		return &pipeline.MessageError{Err: fmt.Errorf("file %s, format %s: "+format, append([]any{s.path, s.config.Format}, args...)...)}
	}
	if value == nil {
		return buf, refuse("a null value cannot be a line")
	}
	line := value
	if s.config.Format == formatNDJSON {
		var compact bytes.Buffer
		if err := json.Compact(&compact, value); err != nil {
			return buf, refuse("the value is not a JSON document: %w", err)
		}
		line = compact.Bytes()
	} else if bytes.ContainsRune(value, '\n') {
		return buf, refuse("the value has a line break; ndjson can hold it as a JSON string")
	}
	return append(append(buf, line...), '\n'), nil
}

// locked opens the file if it must, under the lock that all writers of it take.
func (s *Sink) locked(do func() error) (err error) {
	if s.shut {
		return fs.ErrClosed
	}
	if err := s.lock.Lock(); err != nil {
		return s.unwritable(err)
	}
	// Unlocking also closes the lock's own descriptor, which matters after a rotation.
	defer func() { err = errors.Join(err, s.lock.Close()) }()
	if err := s.reopen(); err != nil {
		return s.unwritable(err)
	}
	if err := s.repair(); err != nil {
		return err
	}
	return do()
}

func (s *Sink) unwritable(err error) error {
	if errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("%w (the directory %s must exist)", err, filepath.Dir(s.path))
	}
	return err
}

// reopen opens the file at the path unless it is the one that is open.
func (s *Sink) reopen() error {
	if s.file != nil {
		open, err := s.file.Stat()
		if err != nil {
			return err
		}
		if at, err := os.Stat(s.path); err == nil && os.SameFile(open, at) {
			return nil
		}
		if err := s.file.Close(); err != nil {
			return err
		}
		s.file = nil
	}
	f, err := os.OpenFile(s.path, os.O_CREATE|os.O_RDWR|os.O_APPEND, sinkMode)
	if err != nil {
		return err
	}
	s.file = f
	return s.own()
}

// own notes that the path is written to, and whether it was before.
func (s *Sink) own() error {
	var o owner
	known, err := s.owned.Load(&o)
	if err != nil {
		return err
	}
	s.ours = known && o.Path == s.path
	if s.ours {
		return nil
	}
	return s.owned.Save(owner{Path: s.path})
}

// repair deals with a last line that has no end. One that an instance was killed in
// was never confirmed, will be written again and is cut off; a file that somebody else
// began gets its last line ended.
func (s *Sink) repair() error {
	info, err := s.file.Stat()
	if err != nil || !info.Mode().IsRegular() {
		return err
	}
	end, err := lastLineEnd(s.file, info.Size())
	switch {
	case err != nil:
		return err
	case end < info.Size() && s.ours:
		err = s.file.Truncate(end)
	case end < info.Size():
		_, err = s.file.WriteString("\n")
	}
	s.ours = s.ours || err == nil
	return err
}

// lastLineEnd is the offset behind the last line break, 0 without any.
func lastLineEnd(f io.ReaderAt, size int64) (int64, error) {
	buf, chunk := make([]byte, 1), int64(1) // nearly always the last byte is the end
	for to := size; to > 0; {
		from := max(0, to-chunk)
		n, err := f.ReadAt(buf[:to-from], from)
		if err != nil && !errors.Is(err, io.EOF) {
			return 0, err
		}
		if i := bytes.LastIndexByte(buf[:n], '\n'); i >= 0 {
			return from + int64(i) + 1, nil
		}
		to = from
		if chunk == 1 {
			buf, chunk = make([]byte, tailChunk), tailChunk
		}
	}
	return 0, nil
}

// flush writes the buffer and syncs. When that fails nothing of it is left behind.
func (s *Sink) flush() error {
	info, err := s.file.Stat()
	if err != nil {
		return err
	}
	_, err = s.file.Write(s.buf)
	if !info.Mode().IsRegular() {
		return err // a device or a pipe keeps nothing that could be synced or cut
	}
	if err == nil {
		err = s.file.Sync()
	}
	if err != nil {
		err = errors.Join(err, s.file.Truncate(info.Size()))
	}
	return err
}
