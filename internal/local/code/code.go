package code

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"time"

	"github.com/functionmesh/terraform-provider-functionmesh/internal/engine"
	"github.com/functionmesh/terraform-provider-functionmesh/internal/local/process"
	"github.com/functionmesh/terraform-provider-functionmesh/internal/local/store"
)

// MaxSize bounds one file of code.
const MaxSize = 512 << 20

// Grace is how long code that nothing refers to is kept: an upload comes before the
// object that names it.
const Grace = time.Hour

// Store keeps files below one directory, each as <sha256>/<name>: the name matters to
// languages that derive a module from it.
type Store struct {
	dir      string
	packages store.Table[store.Package]
}

// New makes a store in dir. Packages are described in the platform's store.
func New(dir string, packages store.Table[store.Package]) *Store {
	return &Store{dir: dir, packages: packages}
}

// Put stores what r gives and returns its file and the hex SHA-256 of its content.
// The file carries the name, so that a module can be found by it.
func (s *Store) Put(ctx context.Context, name string, r io.Reader) (file, sum string, err error) {
	if err := os.MkdirAll(s.dir, 0o700); err != nil {
		return "", "", full(err)
	}
	tmp, err := os.CreateTemp(s.dir, ".new-*")
	if err != nil {
		return "", "", full(err)
	}
	defer func() { _ = os.Remove(tmp.Name()) }() // gone already when all went well
	h := sha256.New()
	n, err := io.Copy(io.MultiWriter(tmp, h), io.LimitReader(&reader{ctx: ctx, r: r}, MaxSize+1))
	// A native function is run as the program it is, so the owner may execute it.
	err = errors.Join(err, tmp.Chmod(0o700), tmp.Sync(), tmp.Close())
	if err != nil {
		return "", "", full(err)
	}
	if n > MaxSize {
		return "", "", engine.New(engine.Invalid, fmt.Errorf("the code is larger than %d MiB", MaxSize>>20))
	}
	sum = hex.EncodeToString(h.Sum(nil))
	file = filepath.Join(s.dir, sum, clean(name))
	if err := os.MkdirAll(filepath.Dir(file), 0o700); err != nil {
		return "", "", full(err)
	}
	if err := os.Rename(tmp.Name(), file); err != nil {
		return "", "", full(err)
	}
	now := time.Now()
	return file, sum, os.Chtimes(filepath.Dir(file), now, now)
}

func full(err error) error {
	if process.NoSpace(err) {
		return &engine.Error{Class: engine.Unavailable, Hint: "Free space on the disk of the data directory and repeat", Err: err}
	}
	return err
}

// reader ends with its context.
type reader struct {
	ctx context.Context
	r   io.Reader
}

func (r *reader) Read(p []byte) (int, error) {
	if err := r.ctx.Err(); err != nil {
		return 0, err
	}
	return r.r.Read(p)
}

var unsafe = regexp.MustCompile(`[^A-Za-z0-9._-]`)

// clean makes a file name of whatever a client called its file.
func clean(name string) string {
	name = unsafe.ReplaceAllString(filepath.Base(strings.ReplaceAll(name, `\`, "/")), "_")
	name = strings.TrimLeft(name, ".")
	if len(name) > 128 {
		name = name[len(name)-128:]
	}
	if name == "" || name == "_" {
		return "code"
	}
	return name
}

var digest = regexp.MustCompile(`^[0-9a-f]{64}$`)

// Find returns the file with this content. Of several names the wanted one is
// preferred.
func (s *Store) Find(sum, name string) (string, error) {
	missing := engine.New(engine.NotFound, fmt.Errorf("no code with digest %s was uploaded", sum))
	if !digest.MatchString(sum) {
		return "", missing
	}
	if name != "" {
		file := filepath.Join(s.dir, sum, clean(name))
		if _, err := os.Stat(file); err == nil {
			return file, nil
		}
	}
	entries, err := os.ReadDir(filepath.Join(s.dir, sum))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return "", err
	}
	for _, e := range entries {
		if !e.IsDir() {
			return filepath.Join(s.dir, sum, e.Name()), nil
		}
	}
	return "", missing
}

// Compiled is where everything that runs the code may keep what it compiles it to. It
// goes when the code does. No file that is put has such a name.
func (s *Store) Compiled(sum string) string { return filepath.Join(s.dir, sum, ".compiled") }

// Open reads the content with that digest back; NotFound when there is none.
func (s *Store) Open(_ context.Context, sum string) (io.ReadCloser, error) {
	file, err := s.Find(sum, "")
	if err != nil {
		return nil, err
	}
	return os.Open(file)
}

// Collect removes code older than Grace that neither a package nor used refers to.
func (s *Store) Collect(used map[string]bool) error {
	packages, err := s.packages.All("")
	if err != nil {
		return err
	}
	for _, p := range packages {
		used[p.Digest] = true
	}
	entries, err := os.ReadDir(s.dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	for _, e := range entries {
		info, err := e.Info()
		if err != nil || used[e.Name()] || time.Since(info.ModTime()) < Grace {
			continue
		}
		if err := os.RemoveAll(filepath.Join(s.dir, e.Name())); err != nil {
			return err
		}
	}
	return nil
}
