package supervisor

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"

	"github.com/functionmesh/terraform-provider-functionmesh/internal/engine"
	"github.com/functionmesh/terraform-provider-functionmesh/internal/wire"
)

// Options say how instances are run.
type Options struct {
	Binary  string // started as `Binary run --config FILE --lifeline`
	Dir     string // one directory per instance below it
	Sockets string // short directory for probes
	// Secrets are the values that must not appear in logs and status; asked whenever
	// an instance starts.
	Secrets func() []string
	Log     *slog.Logger
	Timing  Timing
}

// Timing bounds restarts; zero fields mean the defaults.
type Timing struct {
	FirstBackoff time.Duration // before the first restart, doubled each time; 200 ms
	MaxBackoff   time.Duration // 30 s
	Healthy      time.Duration // ready for so long: the next crash is the first again; 30 s
	Quick        time.Duration // an end so soon after the start counts for a crash loop; 10 s
	KillAfter    time.Duration // beyond the instance's own grace; 2 s
}

func (t Timing) withDefaults() Timing {
	for _, d := range []struct {
		field *time.Duration
		value time.Duration
	}{
		{&t.FirstBackoff, 200 * time.Millisecond},
		{&t.MaxBackoff, 30 * time.Second},
		{&t.Healthy, 30 * time.Second},
		{&t.Quick, 10 * time.Second},
		{&t.KillAfter, 2 * time.Second},
	} {
		if *d.field == 0 {
			*d.field = d.value
		}
	}
	return t
}

// Supervisor holds the components that should run. It is safe for concurrent use.
type Supervisor struct {
	options Options
	sockets atomic.Int64 // numbers probe sockets

	mu     sync.Mutex
	closed bool
	units  map[engine.Key]*unit
	work   sync.WaitGroup
}

// New makes a supervisor that runs nothing yet.
func New(o Options) *Supervisor {
	o.Timing = o.Timing.withDefaults()
	return &Supervisor{options: o, units: map[engine.Key]*unit{}}
}

// Set says which instances of a component should run, by their wire files; none stops
// it. WorkDir and Probe are filled in here. It returns at once: instances whose file
// differs are drained before their successors start, the others are not touched.
func (s *Supervisor) Set(key engine.Key, files []wire.File) error {
	u, err := s.unit(key)
	if err != nil {
		return err
	}
	u.set(files)
	return nil
}

// Restart drains and starts one instance again, or with id -1 all of them.
func (s *Supervisor) Restart(key engine.Key, id int) error {
	u, err := s.unit(key)
	if err != nil {
		return err
	}
	return u.restart(id)
}

// Settle returns once what was Set last has been carried out: no instance runs that
// should not, and the others were started.
func (s *Supervisor) Settle(ctx context.Context, key engine.Key) error {
	u, err := s.unit(key)
	if err != nil {
		return err
	}
	return u.settle(ctx)
}

// Remove stops a component, waits until its instances have gone and removes what they
// left on disk.
func (s *Supervisor) Remove(ctx context.Context, key engine.Key) error {
	u, err := s.unit(key)
	if err != nil {
		return err
	}
	u.set(nil)
	if err := u.settle(ctx); err != nil {
		return err
	}
	s.mu.Lock()
	delete(s.units, key)
	s.mu.Unlock()
	u.end()
	return os.RemoveAll(s.dir(key))
}

// Close drains everything at once and returns when no process is left. Nothing starts
// afterwards.
func (s *Supervisor) Close() {
	s.mu.Lock()
	s.closed = true
	units := s.units
	s.units = map[engine.Key]*unit{}
	s.mu.Unlock()
	for _, u := range units {
		u.set(nil)
		u.end()
	}
	s.work.Wait()
}

// Running counts the instance processes.
func (s *Supervisor) Running() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	n := 0
	for _, u := range s.units {
		n += u.running()
	}
	return n
}

func (s *Supervisor) unit(key engine.Key) (*unit, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return nil, engine.New(engine.Unavailable, fmt.Errorf("%s %s: the local platform is stopping", key.Kind, key))
	}
	u, ok := s.units[key]
	if !ok {
		u = newUnit(s, key)
		s.units[key] = u
		s.work.Go(u.run)
	}
	return u, nil
}

// known finds a component without making it.
func (s *Supervisor) known(key engine.Key) (*unit, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	u, ok := s.units[key]
	return u, ok
}

func (s *Supervisor) dir(key engine.Key) string {
	return filepath.Join(s.options.Dir, key.Kind, key.Tenant, key.Namespace, key.Name)
}
