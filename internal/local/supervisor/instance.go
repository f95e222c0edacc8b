package supervisor

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"sync"
	"syscall"
	"time"

	"github.com/cenkalti/backoff/v5"

	"github.com/functionmesh/terraform-provider-functionmesh/internal/engine"
	"github.com/functionmesh/terraform-provider-functionmesh/internal/local/home"
	"github.com/functionmesh/terraform-provider-functionmesh/internal/local/process"
	"github.com/functionmesh/terraform-provider-functionmesh/internal/wire"
)

const (
	wireFile    = "wire.json"
	processFile = "process.json"
	workDir     = "work"

	// loopAfter crashes in a row, none of which became ready first, are a crash loop.
	loopAfter = 4
	// outputDelay is how long output is read on after a process has ended, while a
	// grandchild still holds it.
	outputDelay = time.Second
)

// Reasons of failed instances that the supervisor itself finds.
const (
	ReasonCrashLoop   = "CrashLoop"
	ReasonStartFailed = "StartFailed"
)

// instance is one copy of a component through all its restarts.
type instance struct {
	s     *Supervisor
	key   engine.Key
	id    int
	file  wire.File // as wanted: without the probe and the directory of this machine
	epoch int
	dir   string

	stopping chan struct{}
	stopOnce sync.Once
	done     chan struct{}

	mu    sync.Mutex
	state state
}

// state is what is known of an instance.
type state struct {
	pid       int // 0: no process
	socket    string
	ready     bool
	wasReady  bool // since this process started
	completed bool // ended on its own with success
	restarts  int
	quick     int // ends in a row, soon and without having been ready
	reason    string
	message   string
	status    wire.Status
	masks     *mask
}

func newInstance(s *Supervisor, key engine.Key, id int, w step) *instance {
	return &instance{
		s: s, key: key, id: id, file: w.file, epoch: w.epoch, dir: filepath.Join(s.dir(key), strconv.Itoa(id)),
		stopping: make(chan struct{}), done: make(chan struct{}),
	}
}

func (i *instance) stop() { i.stopOnce.Do(func() { close(i.stopping) }) }

func (i *instance) snapshot() state {
	i.mu.Lock()
	defer i.mu.Unlock()
	return i.state
}

func (i *instance) update(f func(*state)) {
	i.mu.Lock()
	defer i.mu.Unlock()
	f(&i.state)
}

// run starts the process again and again until it is asked to stop. The kernel kills
// a bound child when the thread that started it ends, so this goroutine keeps its
// thread until the child has gone.
func (i *instance) run() {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	defer close(i.done)
	t := i.s.options.Timing
	pause := &backoff.ExponentialBackOff{InitialInterval: t.FirstBackoff, Multiplier: 2, RandomizationFactor: 0.2, MaxInterval: t.MaxBackoff}
	pause.Reset()
	for !i.asked() && !i.finishedBefore() {
		began := time.Now()
		end := i.once()
		healthy := end.ready && time.Since(began) >= t.Healthy
		if healthy {
			pause.Reset()
		}
		i.s.options.Log.Info("instance ended", "component", i.key.String(), "kind", i.key.Kind, "instance", i.id, "asked", i.asked(), "end", end.String())
		if i.asked() || i.final(end, time.Since(began)) {
			break
		}
		select {
		case <-time.After(pause.NextBackOff()):
			i.update(func(s *state) { s.restarts++ })
		case <-i.stopping:
		}
	}
	<-i.stopping
}

func (i *instance) asked() bool {
	select {
	case <-i.stopping:
		return true
	default:
		return false
	}
}

// final notes how the process ended and reports whether that was for good.
func (i *instance) final(end ending, lived time.Duration) bool {
	i.mu.Lock()
	defer i.mu.Unlock()
	s := &i.state
	if end.ready || lived > i.s.options.Timing.Quick {
		s.quick = 0
	}
	switch {
	case end.terminal != nil:
		s.reason, s.message = end.terminal.Reason, s.masks.apply(end.terminal.Message)
		return true
	case end.err == nil:
		s.completed = true
		i.rememberFinish()
		return true
	}
	s.message = s.masks.apply(end.String())
	if !end.ready && lived <= i.s.options.Timing.Quick {
		s.quick++
	}
	if s.quick >= loopAfter {
		s.reason = ReasonCrashLoop
	} else if s.reason == "" && end.unstarted {
		s.reason = ReasonStartFailed
	}
	return false
}

// ending is how one process ended.
type ending struct {
	err       error // nil: with success
	ready     bool  // it had been ready
	unstarted bool
	terminal  *wire.Termination
	said      string // by the instance, of an end that was not terminal
}

func (e ending) String() string {
	switch {
	case e.terminal != nil:
		return e.terminal.Reason + ": " + e.terminal.Message
	case e.err != nil && e.said != "":
		return e.said
	case e.err != nil:
		return e.err.Error()
	default:
		return "finished"
	}
}

// once runs one process from start to end.
func (i *instance) once() ending {
	file, err := i.prepare()
	if err != nil {
		return ending{err: fmt.Errorf("prepare: %w", err), unstarted: true}
	}
	masks := newMask(i.s.options.Secrets())
	log := newJournal(filepath.Join(i.dir, logFile), masks)
	defer func() { _ = log.Close() }() // a log that cannot be finished is no reason to fail
	i.update(func(s *state) { s.masks = masks })

	cmd := exec.Command(i.s.options.Binary, "run", "--config", filepath.Join(i.dir, wireFile), "--lifeline") //nolint:noctx // it ends as the lifeline says
	cmd.Dir, cmd.SysProcAttr, cmd.WaitDelay = file.WorkDir, process.Bound(), outputDelay
	cmd.Stdout, cmd.Stderr = log, log
	lifeline, err := cmd.StdinPipe()
	if err != nil {
		return ending{err: err, unstarted: true}
	}
	defer lifeline.Close()
	if err := cmd.Start(); err != nil {
		return ending{err: err, unstarted: true}
	}
	pid := cmd.Process.Pid
	if err := i.note(pid); err != nil {
		i.s.options.Log.Warn("record process", "component", i.key.String(), "error", err)
	}
	i.update(func(s *state) {
		s.pid, s.socket, s.status = pid, probeFile(file), wire.Status{}
		s.ready, s.wasReady, s.completed = false, false, false
	})

	exited := make(chan struct{})
	var watchers sync.WaitGroup
	watchers.Go(func() { i.endWhenAsked(cmd.Process, exited) })
	watchers.Go(func() { i.watch(probeFile(file), exited) })
	err = cmd.Wait()
	close(exited)
	watchers.Wait()
	// What the instance started has no reason to live on.
	_ = process.Signal(pid, syscall.SIGKILL)
	_ = os.Remove(filepath.Join(i.dir, processFile))
	_ = os.Remove(probeFile(file))
	_ = os.Remove(controlFile(file))

	end := ending{err: i.explain(err), ready: i.snapshot().wasReady}
	end.terminal, end.said = i.termination(cmd.ProcessState)
	i.update(func(s *state) { s.pid, s.socket, s.ready = 0, "", false })
	return end
}

// explain drops the complaint that output was still held by a grandchild.
func (i *instance) explain(err error) error {
	if errors.Is(err, exec.ErrWaitDelay) {
		return nil
	}
	return err
}

// prepare writes the wire file for this start.
func (i *instance) prepare() (wire.File, error) {
	f := i.file
	f.WorkDir = filepath.Join(i.dir, workDir)
	serial := i.s.sockets.Add(1)
	f.Probe = "unix:" + filepath.Join(i.s.options.Sockets, fmt.Sprintf("i-%d.sock", serial))
	f.Control = "unix:" + filepath.Join(i.s.options.Sockets, fmt.Sprintf("c-%d.sock", serial))
	if err := os.MkdirAll(f.WorkDir, 0o700); err != nil {
		return f, err
	}
	for _, stale := range []string{filepath.Join(f.WorkDir, wire.TerminationFile), probeFile(f), controlFile(f)} {
		if err := os.Remove(stale); err != nil && !errors.Is(err, os.ErrNotExist) {
			return f, err
		}
	}
	text, err := wire.Encode(f)
	if err != nil {
		return f, err
	}
	return f, home.WriteFile(filepath.Join(i.dir, wireFile), text)
}

func probeFile(f wire.File) string   { return f.Probe[len("unix:"):] }
func controlFile(f wire.File) string { return f.Control[len("unix:"):] }

// endWhenAsked drains the process when the instance is stopped, and kills its group
// when the grace period was not enough.
func (i *instance) endWhenAsked(p *os.Process, exited <-chan struct{}) {
	select {
	case <-exited:
		return
	case <-i.stopping:
	}
	// Only the instance: its workers end when it has finished with them (R7).
	_ = p.Signal(syscall.SIGTERM)
	select {
	case <-exited:
	case <-time.After(time.Duration(i.file.Limits.GraceMs)*time.Millisecond + i.s.options.Timing.KillAfter):
		i.s.options.Log.Warn("instance killed after its grace period", "component", i.key.String(), "instance", i.id)
		_ = process.Signal(p.Pid, syscall.SIGKILL)
	}
}

// termination is what the instance left: why no restart helps, or what it said of an
// end after which one may.
func (i *instance) termination(ps *os.ProcessState) (terminal *wire.Termination, said string) {
	if ps == nil {
		return nil, ""
	}
	t := wire.Termination{Reason: "Terminated", Message: "the instance gave no reason"}
	text, err := os.ReadFile(filepath.Join(i.dir, workDir, wire.TerminationFile))
	if err == nil {
		err = json.Unmarshal(text, &t)
	}
	switch {
	case ps.ExitCode() == wire.ExitTerminal && err != nil:
		t.Message += ": " + err.Error()
		return &t, ""
	case ps.ExitCode() == wire.ExitTerminal:
		return &t, ""
	case err != nil:
		return nil, ""
	default:
		return nil, t.Message
	}
}
