package file

import (
	"bufio"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
)

// markBytes is how much of a file's beginning identifies it. Names and inodes do not:
// rotation renames, and file systems use inodes again.
const markBytes = 1024

// mark identifies a file by its first bytes.
type mark struct {
	Length int64  `json:"length"`
	SHA256 string `json:"sha256"`
}

// position is the end of what was settled.
type position struct {
	Mark   mark  `json:"mark"`
	Offset int64 `json:"offset"`
	Limit  int64 `json:"limit,omitempty"` // of a file that is read once: its size when that began
}

// markOf identifies an open file by at most limit bytes.
func markOf(f io.ReaderAt, limit int64) (mark, error) {
	buf := make([]byte, min(limit, markBytes))
	n, err := f.ReadAt(buf, 0)
	if err != nil && !errors.Is(err, io.EOF) {
		return mark{}, err
	}
	sum := sha256.Sum256(buf[:n])
	return mark{Length: int64(n), SHA256: hex.EncodeToString(sum[:])}, nil
}

// resume finds the file that the saved position is in: at the path, or beside it when
// it was rotated meanwhile. What is left of that one comes first.
func (l *lane) resume() error {
	var at position
	ok, err := l.source.position.Load(&at)
	if err != nil || !ok {
		return err
	}
	paths := []string{l.source.path}
	beside, err := filepath.Glob(escapeGlob(l.source.path) + "?*")
	if err != nil {
		return err
	}
	for _, path := range append(paths, beside...) {
		match, err := holds(path, at)
		if err != nil {
			return err
		}
		if match {
			l.limit = at.Limit
			return l.open(path, at.Offset)
		}
	}
	l.source.place.Report(fmt.Errorf("%s: the file that was read until byte %d is gone; reading the present one from its beginning", l.source.path, at.Offset))
	return nil
}

// holds says whether the file at path is the one that at lies in.
func holds(path string, at position) (bool, error) {
	f, err := os.Open(path)
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil || !info.Mode().IsRegular() || info.Size() < at.Offset {
		return false, err
	}
	m, err := markOf(f, at.Mark.Length)
	return err == nil && m == at.Mark, err
}

func escapeGlob(path string) string {
	var out []rune
	for _, r := range path {
		switch r {
		case '*', '?', '[', '\\':
			if filepath.Separator != '\\' {
				out = append(out, '\\')
			}
		}
		out = append(out, r)
	}
	return string(out)
}

// open begins to read a file at an offset. A path that does not exist is waited for.
func (l *lane) open(path string, offset int64) error {
	f, err := os.Open(path)
	if errors.Is(err, fs.ErrNotExist) {
		return errWait
	}
	if err != nil {
		return err
	}
	info, err := f.Stat()
	if err == nil {
		_, err = f.Seek(offset, io.SeekStart)
	}
	if err = errors.Join(err, l.close()); err != nil {
		return errors.Join(err, f.Close())
	}
	l.file, l.start, l.mark = f, offset, mark{}
	l.pending, l.partial, l.long = 0, nil, false
	var r io.Reader = f
	if !l.follow {
		if l.limit == 0 {
			l.limit = info.Size()
		}
		r = io.LimitReader(f, max(0, l.limit-offset))
	}
	l.reader = bufio.NewReaderSize(r, bufferSize)
	return l.remark()
}

// remark identifies the open file by as much of its beginning as there is: a file that
// was empty when it was opened has none yet.
func (l *lane) remark() error {
	if l.file == nil || l.mark.Length == markBytes {
		return nil
	}
	m, err := markOf(l.file, markBytes)
	if err != nil {
		return err
	}
	l.mark = m
	return nil
}

// end decides what it means that the open file has no more to read: last, that
// whatever was read of a line is a line; errWait, that more may come; neither, that
// there is more by now. After a rotation the old file is closed.
func (l *lane) end() (last bool, err error) {
	open, err := l.file.Stat()
	if err != nil {
		return false, err
	}
	read := l.start + l.pending
	switch {
	case open.Size() < read:
		l.source.place.Report(fmt.Errorf("%s was cut to %d bytes; reading it from its beginning", l.file.Name(), open.Size()))
		l.limit = 0
		return false, l.open(l.file.Name(), 0)
	case !l.follow:
		if l.pending == 0 {
			return false, errWait
		}
		return true, nil
	case open.Size() > read:
		return false, nil
	}
	at, err := os.Stat(l.source.path)
	switch {
	case errors.Is(err, fs.ErrNotExist) || err == nil && os.SameFile(open, at):
		return false, errWait
	case err != nil:
		return false, err
	}
	return true, l.close()
}
