package supervisor

import (
	"context"
	"fmt"
	"maps"
	"os"
	"reflect"
	"slices"
	"sync"

	"github.com/functionmesh/terraform-provider-functionmesh/internal/engine"
	"github.com/functionmesh/terraform-provider-functionmesh/internal/wire"
)

// unit is one component. One goroutine, run, starts and stops its instances; the rest
// say what is wanted.
type unit struct {
	s   *Supervisor
	key engine.Key

	mu        sync.Mutex
	wanted    []wire.File
	epochs    map[int]int // raised by a restart
	turn      int         // raised by each change of what is wanted
	settled   int         // the turn that has been carried out
	changed   chan struct{}
	ended     bool
	instances map[int]*instance
}

func newUnit(s *Supervisor, key engine.Key) *unit {
	return &unit{s: s, key: key, epochs: map[int]int{}, changed: make(chan struct{}), instances: map[int]*instance{}}
}

// change lets f change what is wanted and wakes everybody who waits.
func (u *unit) change(f func()) {
	u.mu.Lock()
	defer u.mu.Unlock()
	f()
	close(u.changed)
	u.changed = make(chan struct{})
}

func (u *unit) set(files []wire.File) {
	u.change(func() {
		u.wanted = files
		u.turn++
	})
}

func (u *unit) restart(id int) error {
	var err error
	u.change(func() {
		if id >= len(u.wanted) || id < -1 {
			err = engine.New(engine.NotFound, fmt.Errorf("%s %s has no instance %d", u.key.Kind, u.key, id))
			return
		}
		for i := range u.wanted {
			if id == -1 || id == i {
				u.epochs[i]++
			}
		}
		u.turn++
	})
	return err
}

func (u *unit) end() { u.change(func() { u.ended = true }) }

func (u *unit) settle(ctx context.Context) error {
	u.mu.Lock()
	target := u.turn
	for u.settled < target {
		changed := u.changed
		u.mu.Unlock()
		select {
		case <-changed:
		case <-ctx.Done():
			return engine.New(engine.Unavailable, fmt.Errorf("%s %s: instances are still stopping: %w", u.key.Kind, u.key, ctx.Err()))
		}
		u.mu.Lock()
	}
	u.mu.Unlock()
	return nil
}

func (u *unit) running() int {
	u.mu.Lock()
	defer u.mu.Unlock()
	n := 0
	for _, i := range u.instances {
		if i.snapshot().pid != 0 {
			n++
		}
	}
	return n
}

// run carries out what is wanted until the unit is ended with nothing wanted.
func (u *unit) run() {
	for {
		u.mu.Lock()
		turn, settled, ended, changed := u.turn, u.settled, u.ended, u.changed
		u.mu.Unlock()
		if turn == settled {
			if ended {
				return
			}
			<-changed
			continue
		}
		u.reconcile()
		u.change(func() { u.settled = turn })
	}
}

type step struct {
	file  wire.File
	epoch int
}

func (u *unit) reconcile() {
	u.mu.Lock()
	want := map[int]step{}
	for id, f := range u.wanted {
		want[id] = step{file: f, epoch: u.epochs[id]}
	}
	have := maps.Clone(u.instances)
	u.mu.Unlock()

	var stopping []*instance
	for id, i := range have {
		w, ok := want[id]
		if ok && w.epoch == i.epoch && same(i.file, w.file) {
			delete(want, id)
			continue
		}
		stopping = append(stopping, i)
		i.stop()
	}
	for _, i := range stopping {
		<-i.done
		u.mu.Lock()
		delete(u.instances, i.id)
		u.mu.Unlock()
		if _, again := want[i.id]; !again {
			u.forget(i)
		}
	}
	for _, id := range slices.Sorted(maps.Keys(want)) {
		i := newInstance(u.s, u.key, id, want[id])
		u.mu.Lock()
		u.instances[id] = i
		u.mu.Unlock()
		u.s.work.Go(i.run)
	}
}

// forget removes the directory of an instance that was scaled away. One of a stopped
// component keeps it: its logs and positions are wanted when it goes on.
func (u *unit) forget(i *instance) {
	u.mu.Lock()
	scaled := len(u.wanted) > 0
	u.mu.Unlock()
	if !scaled {
		return
	}
	if err := os.RemoveAll(i.dir); err != nil {
		u.s.options.Log.Warn("remove instance directory", "component", u.key.String(), "error", err)
	}
}

// same reports whether an instance can go on when its file becomes other. How many
// copies there are matters only to those who divide the work among themselves by it.
func same(one, other wire.File) bool {
	if one.Source.Connector == nil && one.Source.Subscription.Mode == wire.Shared {
		one.Instance.Parallelism = other.Instance.Parallelism
	}
	return reflect.DeepEqual(one, other)
}
