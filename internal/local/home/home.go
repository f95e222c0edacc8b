package home

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/functionmesh/terraform-provider-functionmesh/internal/engine"
	"github.com/functionmesh/terraform-provider-functionmesh/internal/local/process"
)

// EnvDataDir overrides the default data directory.
const EnvDataDir = "FUNCTIONMESH_DATA_DIR"

// maxSocketPath is what fits into sockaddr_un on macOS, the shorter of the two.
const maxSocketPath = 103

// Dir is one data directory.
type Dir struct{ path string }

// Resolve chooses the data directory: the one given, the environment's, the user's
// state directory. It touches nothing.
func Resolve(dir string) (Dir, error) {
	if dir == "" {
		dir = os.Getenv(EnvDataDir)
	}
	if dir == "" {
		if state := os.Getenv("XDG_STATE_HOME"); filepath.IsAbs(state) {
			dir = filepath.Join(state, "functionmesh")
		}
	}
	if dir == "" {
		user, err := os.UserHomeDir()
		if err != nil {
			return Dir{}, &engine.Error{
				Class: engine.Invalid, Path: "data_dir", Hint: "Set data_dir or " + EnvDataDir,
				Err: fmt.Errorf("no home directory to keep the local platform in: %w", err),
			}
		}
		dir = filepath.Join(user, ".local", "state", "functionmesh")
	}
	abs, err := filepath.Abs(dir)
	if err != nil {
		return Dir{}, fmt.Errorf("data directory %s: %w", dir, err)
	}
	return Dir{path: abs}, nil
}

// Make creates the directory, private to its user, and checks that it can be used.
func (d Dir) Make() error {
	if err := os.MkdirAll(d.path, 0o700); err != nil {
		return d.unusable(err)
	}
	if err := private(d.path); err != nil {
		return d.unusable(err)
	}
	probe, err := os.CreateTemp(d.path, ".writable-*")
	if err != nil {
		return d.unusable(err)
	}
	_, err = probe.WriteString("can be written")
	return errors.Join(d.unusable(err), probe.Close(), os.Remove(probe.Name()))
}

func (d Dir) unusable(err error) error {
	if err == nil {
		return nil
	}
	e := &engine.Error{
		Class: engine.Unavailable, Path: "data_dir", Hint: "Make it writable for this user, or choose another with data_dir or " + EnvDataDir,
		Err: fmt.Errorf("data directory %s cannot be used: %w", d.path, err),
	}
	if process.NoSpace(err) {
		e.Hint = "Free space on its disk, or choose another with data_dir or " + EnvDataDir
	}
	return e
}

// private checks that dir is a directory of ours and takes others' rights away.
func private(dir string) error {
	info, err := os.Lstat(dir)
	if err != nil {
		return err
	}
	if info.Mode()&fs.ModeSymlink != 0 {
		if info, err = os.Stat(dir); err != nil {
			return err
		}
	}
	if !info.IsDir() {
		return errors.New("it is not a directory")
	}
	if uid, ok := process.Owner(info); ok && uid != os.Getuid() {
		return fmt.Errorf("it belongs to user %d, we are %d", uid, os.Getuid())
	}
	if info.Mode().Perm()&0o077 != 0 {
		return os.Chmod(dir, 0o700) //nolint:gosec // a directory
	}
	return nil
}

// Path joins names below the data directory.
func (d Dir) Path(elem ...string) string {
	return filepath.Join(append([]string{d.path}, elem...)...)
}

// String is the directory's path.
func (d Dir) String() string { return d.path }

// Runtime makes and returns the short directory for sockets, whose names have a limit
// of about 100 bytes. It belongs to this data directory alone: its name holds a digest
// of the path.
func (d Dir) Runtime() (string, error) {
	real, err := filepath.EvalSymlinks(d.path)
	if err != nil {
		return "", d.unusable(err)
	}
	sum := sha256.Sum256([]byte(real))
	name := fmt.Sprintf("fm-%d-%s", os.Getuid(), hex.EncodeToString(sum[:6]))
	base := os.Getenv("XDG_RUNTIME_DIR")
	if !filepath.IsAbs(base) || !usable(base) {
		base = "/tmp"
	}
	dir := filepath.Join(base, name)
	if len(dir)+len("/i-00000000.sock") > maxSocketPath {
		dir = filepath.Join("/tmp", name)
	}
	if err := os.Mkdir(dir, 0o700); err != nil && !errors.Is(err, fs.ErrExist) {
		return "", fmt.Errorf("directory for sockets: %w", err)
	}
	info, err := os.Lstat(dir)
	if err != nil {
		return "", fmt.Errorf("directory for sockets: %w", err)
	}
	// A stranger may have made the name first: a link or a directory of theirs.
	if uid, ok := process.Owner(info); !info.IsDir() || (ok && uid != os.Getuid()) {
		return "", engine.New(engine.Forbidden, fmt.Errorf("directory for sockets: %s is not a directory of ours", dir))
	}
	return dir, private(dir)
}

func usable(dir string) bool {
	info, err := os.Stat(dir)
	if err != nil || !info.IsDir() {
		return false
	}
	uid, ok := process.Owner(info)
	return !ok || uid == os.Getuid()
}

// contents are the names that the platform makes in its data directory. Whatever else
// lies there is somebody else's.
func contents() []string {
	return []string{
		"store.db", "store.backup.db", "store.schema*.db", "broker", "instances", "code", "files", "runs", "bin", "token", "settings.json", "connections",
		"daemon.log", "daemon.log.1", recordFile, lockFile, ".new-*", ".writable-*",
	}
}

// Empty removes everything the platform made, but for the lock that the caller holds.
func (d Dir) Empty() error {
	if runtime, err := d.Runtime(); err == nil {
		if err := os.RemoveAll(runtime); err != nil {
			return err
		}
	}
	for _, pattern := range contents() {
		names, err := fs.Glob(os.DirFS(d.path), pattern)
		if err != nil {
			return err
		}
		for _, name := range names {
			if err := os.RemoveAll(d.Path(name)); err != nil {
				return err
			}
		}
	}
	return nil
}
