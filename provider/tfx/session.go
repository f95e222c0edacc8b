package tfx

import (
	"context"
	"errors"
	"sync"

	"github.com/functionmesh/terraform-provider-functionmesh/internal/catalog"
	"github.com/functionmesh/terraform-provider-functionmesh/internal/engine"
	"github.com/functionmesh/terraform-provider-functionmesh/internal/spec"
)

// Word is a text of the provider's configuration that may be unknown while planning.
type Word struct {
	Text    string
	Unknown bool
}

// Settings are what a provider's configuration says.
type Settings struct {
	Tenant    Word
	Namespace Word
	Owner     string
	// BaseDir is where relative paths of connectors start, where instances share this
	// machine's files; else empty.
	BaseDir string
	// Platform is where instances run; empty while unknown.
	Platform spec.Platform
	// Connections are the names that components may reach streams by, each with why it
	// needs the compatible path, "" when it does not; nil where none are, or while they
	// are not known.
	Connections map[string]string
	// Unknown names what of the platform's configuration is not known yet; "" is
	// nothing. Nothing can be opened meanwhile.
	Unknown string
	// Open connects to the platform. It is called once, by the first read or write.
	Open func(context.Context) (Opened, error)
}

// Opened is a platform that answers.
type Opened struct {
	Clients catalog.Clients
	// Platform is its identity, when connecting tells; else each observation does.
	Platform string
}

// Session is one configured provider. Making one calls nothing; the platform is
// opened when it is first needed, once, and a failure to open it stays until the
// provider is configured again.
type Session struct {
	Settings

	mu      sync.Mutex
	opened  bool
	made    Opened
	err     error
	engines map[spec.Kind]any
}

// NewSession makes a session that opens nothing yet.
func NewSession(s Settings) *Session {
	return &Session{Settings: s, engines: map[spec.Kind]any{}}
}

// platform is the identity of the opened platform, "" when connecting did not tell.
func (s *Session) platform() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.made.Platform
}

func (s *Session) open(ctx context.Context) (Opened, error) {
	if s.opened {
		return s.made, s.err
	}
	made, err := s.Open(ctx)
	if err != nil && ctx.Err() != nil {
		return Opened{}, err // the caller ended, not the platform
	}
	s.opened, s.made, s.err = true, made, err
	return made, err
}

var errNoKind = errors.New("the configured platform has no such kind of object")

// engineOf returns the session's one engine of a kind: it holds the locks that keep
// writes of one key apart.
func engineOf[S any](ctx context.Context, s *Session, d Definition[S]) (*engine.Engine[S], error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if e, ok := s.engines[d.Entity.Kind].(*engine.Engine[S]); ok {
		return e, nil
	}
	made, err := s.open(ctx)
	if err != nil {
		return nil, err
	}
	client := d.Client(made.Clients)
	if client == nil {
		return nil, engine.New(engine.Invalid, errNoKind)
	}
	e := d.Entity.Engine(client)
	s.engines[d.Entity.Kind] = e
	return e, nil
}
