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
	Owner     Word
	// Platform is where instances run; empty while unknown.
	Platform spec.Platform
	// Unknown names what of the platform's configuration is not known yet; "" is
	// nothing. Nothing can be opened meanwhile.
	Unknown string
	// Open connects to the platform. It is called once, by the first read or write.
	Open func(context.Context) (catalog.Clients, error)
}

// Session is one configured provider. Making one calls nothing; the platform is
// opened when it is first needed, once, and a failure to open it stays until the
// provider is configured again.
type Session struct {
	Settings

	mu      sync.Mutex
	opened  bool
	clients catalog.Clients
	err     error
	engines map[spec.Kind]any
}

// NewSession makes a session that opens nothing yet.
func NewSession(s Settings) *Session {
	return &Session{Settings: s, engines: map[spec.Kind]any{}}
}

// Clients opens the platform if that has not happened yet.
func (s *Session) Clients(ctx context.Context) (catalog.Clients, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.open(ctx)
}

func (s *Session) open(ctx context.Context) (catalog.Clients, error) {
	if s.opened {
		return s.clients, s.err
	}
	clients, err := s.Open(ctx)
	if err != nil && ctx.Err() != nil {
		return catalog.Clients{}, err // the caller ended, not the platform
	}
	s.opened, s.clients, s.err = true, clients, err
	return clients, err
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
	clients, err := s.open(ctx)
	if err != nil {
		return nil, err
	}
	client := d.Client(clients)
	if client == nil {
		return nil, engine.New(engine.Invalid, errNoKind)
	}
	e := d.Entity.Engine(client)
	s.engines[d.Entity.Kind] = e
	return e, nil
}
