package connection

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/functionmesh/terraform-provider-functionmesh/internal/local/home"
	"github.com/functionmesh/terraform-provider-functionmesh/internal/spec"
	"github.com/functionmesh/terraform-provider-functionmesh/internal/wire"
)

const (
	suffix      = ".json"
	tokenSuffix = ".token"
)

// ErrUnknown is wrapped where no connection has a key.
var ErrUnknown = errors.New("there is no such connection")

// Store is a folder of connections. It is safe for concurrent use.
type Store struct {
	dir string
	mu  sync.Mutex // held while files are written or removed
}

// Kept is a connection as it is listed: without its token.
type Kept struct {
	Key   string
	PutAt time.Time // when somebody last said that it is needed
	Connection
}

// NewStore uses a folder, which is made when something is first put there.
func NewStore(dir string) *Store { return &Store{dir: dir} }

var validKey = regexp.MustCompile(`^[0-9a-f]{24}$`)

func (s *Store) file(key, suffix string) (string, error) {
	if !validKey.MatchString(key) {
		return "", fmt.Errorf("%w: %q", ErrUnknown, key)
	}
	return filepath.Join(s.dir, key+suffix), nil
}

// Put keeps a connection and returns its key. Who reads its token file meets the new
// token from then on.
func (s *Store) Put(c Connection) (string, error) {
	c = c.normal()
	key := c.Key()
	text, err := json.Marshal(c)
	if err != nil {
		return "", err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := os.MkdirAll(s.dir, 0o700); err != nil {
		return "", err
	}
	if !c.Token.IsZero() {
		if err := s.writeToken(key, c.Token); err != nil {
			return "", err
		}
	}
	return key, home.WriteFile(filepath.Join(s.dir, key+suffix), text)
}

func (s *Store) writeToken(key string, token spec.Secret) error {
	file := filepath.Join(s.dir, key+tokenSuffix)
	if old, err := os.ReadFile(file); err == nil && string(old) == token.Reveal() {
		return nil
	}
	return home.WriteFile(file, []byte(token.Reveal()))
}

// Broker is how an instance reaches the connection of a key.
func (s *Store) Broker(key string) (wire.Broker, error) {
	c, err := s.Get(key)
	if err != nil {
		return wire.Broker{}, err
	}
	b := c.Broker()
	if c.ByValue {
		b.TokenFile = filepath.Join(s.dir, key+tokenSuffix)
	}
	return b, nil
}

// Get reads one connection, without its token.
func (s *Store) Get(key string) (Kept, error) {
	file, err := s.file(key, suffix)
	if err != nil {
		return Kept{}, err
	}
	text, err := os.ReadFile(file)
	if errors.Is(err, fs.ErrNotExist) {
		return Kept{}, fmt.Errorf("%w: %s", ErrUnknown, key)
	}
	kept := Kept{Key: key}
	if err == nil {
		err = json.Unmarshal(text, &kept.Connection)
	}
	if err != nil {
		return Kept{}, fmt.Errorf("connection %s: %w", key, err)
	}
	if info, err := os.Stat(file); err == nil {
		kept.PutAt = info.ModTime()
	}
	return kept, nil
}

// All lists the connections, in the order of their keys.
func (s *Store) All() ([]Kept, error) {
	entries, err := os.ReadDir(s.dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	var all []Kept
	for _, e := range entries {
		key, ok := strings.CutSuffix(e.Name(), suffix)
		if !ok || !validKey.MatchString(key) {
			continue
		}
		c, err := s.Get(key)
		if errors.Is(err, ErrUnknown) {
			continue // it was removed meanwhile
		}
		if err != nil {
			return nil, err
		}
		all = append(all, c)
	}
	return all, nil
}

// Delete removes a connection and its token; an absent one is no error.
func (s *Store) Delete(key string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, suffix := range []string{tokenSuffix, suffix} {
		file, err := s.file(key, suffix)
		if err != nil {
			return err
		}
		if err := os.Remove(file); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	return nil
}

// Collect removes the connections that are not used and that nobody has put for so long.
func (s *Store) Collect(used map[string]bool, unasked time.Duration) error {
	all, err := s.All()
	if err != nil {
		return err
	}
	old := func(k Kept) bool { return !used[k.Key] && time.Since(k.PutAt) > unasked }
	var failed error
	for _, k := range slices.DeleteFunc(all, func(k Kept) bool { return !old(k) }) {
		failed = errors.Join(failed, s.Delete(k.Key))
	}
	return failed
}

// Secrets are the tokens that are kept by value, which no log may show.
func (s *Store) Secrets() []string {
	files, err := filepath.Glob(filepath.Join(s.dir, "*"+tokenSuffix))
	if err != nil {
		return nil
	}
	var all []string
	for _, f := range files {
		if text, err := os.ReadFile(f); err == nil && len(text) > 0 {
			all = append(all, string(text))
		}
	}
	return all
}
