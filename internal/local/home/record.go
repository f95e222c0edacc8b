package home

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"github.com/gofrs/flock"

	"github.com/functionmesh/terraform-provider-functionmesh/internal/engine"
)

const (
	lockFile   = "daemon.lock" // held by the daemon as long as it lives
	startFile  = "start.lock"  // held by whoever starts or replaces a daemon
	recordFile = "daemon.json"
	pollEvery  = 20 * time.Millisecond
)

// Record is what a daemon writes down so that it can be found; also the pointer from
// the long data directory to the short path of the socket.
type Record struct {
	PID      int    `json:"pid"`
	Identity string `json:"identity"` // process.Identity: tells a reused pid
	Socket   string `json:"socket"`
	Version  string `json:"version"`
	ID       string `json:"id"`
	Digest   string `json:"digest"`
}

// Lock is a daemon's hold of its data directory.
type Lock struct{ file *flock.Flock }

// LockDaemon takes the data directory for this process, until the lock is released or
// the process ends. held is false when another daemon has it.
func (d Dir) LockDaemon() (l *Lock, held bool, err error) {
	l = &Lock{file: flock.New(d.Path(lockFile), flock.SetPermissions(0o600))}
	held, err = l.file.TryLock()
	if err != nil {
		return nil, false, d.unusable(err)
	}
	return l, held, nil
}

// Release gives the data directory to whoever wants it next.
func (l *Lock) Release() error { return l.file.Unlock() }

// Lost reports that the lock holds nothing any more: its file is gone or another one is
// in its place, so that the next daemon will not be kept out.
func (l *Lock) Lost() bool {
	now, err := os.Stat(l.file.Path())
	if err != nil {
		return errors.Is(err, fs.ErrNotExist)
	}
	held, err := l.file.Stat()
	return err == nil && !os.SameFile(now, held)
}

// Running reports whether a daemon holds the data directory. It asks the lock, which
// the kernel releases with the process, so that no leftover file can mislead it.
func (d Dir) Running() (bool, error) {
	if _, err := os.Stat(d.Path(lockFile)); errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	l := flock.New(d.Path(lockFile), flock.SetPermissions(0o600))
	free, err := l.TryRLock()
	if err != nil {
		return false, d.unusable(err)
	}
	return !free, l.Close()
}

// LockStart serialises starting and replacing a daemon among processes.
func (d Dir) LockStart(ctx context.Context) (release func() error, err error) {
	l := flock.New(d.Path(startFile), flock.SetPermissions(0o600))
	ok, err := l.TryLockContext(ctx, pollEvery)
	if err != nil || !ok {
		if ctx.Err() != nil {
			return nil, engine.New(engine.Unavailable, fmt.Errorf("another process is starting the local platform in %s: %w", d.path, ctx.Err()))
		}
		return nil, d.unusable(err)
	}
	return l.Unlock, nil
}

// WaitStopped returns once no daemon holds the data directory.
func (d Dir) WaitStopped(ctx context.Context) error {
	for {
		running, err := d.Running()
		if err != nil || !running {
			return err
		}
		select {
		case <-ctx.Done():
			return engine.New(engine.Unavailable, fmt.Errorf("the local platform in %s has not ended: %w", d.path, ctx.Err()))
		case <-time.After(pollEvery):
		}
	}
}

// ReadRecord reads the daemon's record; ok is false when there is none.
func (d Dir) ReadRecord() (r Record, ok bool, err error) {
	b, err := os.ReadFile(d.Path(recordFile))
	if errors.Is(err, fs.ErrNotExist) {
		return Record{}, false, nil
	}
	if err != nil {
		return Record{}, false, d.unusable(err)
	}
	if err := json.Unmarshal(b, &r); err != nil {
		return Record{}, false, nil //nolint:nilerr // half a record is none: the daemon that wrote it is gone
	}
	return r, true, nil
}

// WriteRecord publishes the daemon's record in one step.
func (d Dir) WriteRecord(r Record) error {
	b, err := json.Marshal(r)
	if err != nil {
		return err
	}
	return d.unusable(WriteFile(d.Path(recordFile), b))
}

// RemoveRecord withdraws the record.
func (d Dir) RemoveRecord() error {
	if err := os.Remove(d.Path(recordFile)); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}

// WriteFile replaces path by a private file with this content: a reader sees the old
// or the new one, never half.
func WriteFile(path string, content []byte) error {
	f, err := os.CreateTemp(filepath.Dir(path), ".new-*") // mode 0600
	if err != nil {
		return err
	}
	_, err = f.Write(content)
	err = errors.Join(err, f.Sync(), f.Close())
	if err == nil {
		err = os.Rename(f.Name(), path)
	}
	if err != nil {
		err = errors.Join(err, os.Remove(f.Name()))
	}
	return err
}
