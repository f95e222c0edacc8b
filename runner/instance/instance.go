package instance

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/functionmesh/terraform-provider-functionmesh/internal/wire"
	"github.com/functionmesh/terraform-provider-functionmesh/runner/pipeline"
	"github.com/functionmesh/terraform-provider-functionmesh/runner/probe"
)

const (
	reasonConfig = "InvalidConfig"
	reasonCode   = "InvalidCode"
	closeGrace   = 5 * time.Second
)

// Options are what a program hands in besides the wire file.
type Options struct {
	ConfigFile string       // the wire file; Run reads it, RunFile ignores it
	Lifeline   io.Reader    // end of file means: drain and stop; nil: none
	Stderr     io.Writer    // log of user code and of the instance, secrets masked; nil: discarded
	Logger     *slog.Logger // nil: a text logger on Stderr
	// Draining is told, once, that the order to drain came: how many messages user code
	// has in hand, and how long they may take. nil: that is logged.
	Draining func(messages int, grace time.Duration)
	// Busy is told how many processors the work at hand can use; nil: nobody is. A process
	// that runs nothing else gives OwnProcess().
	Busy func(processors int)
}

// Run reads Options.ConfigFile and runs it until ctx is cancelled or the lifeline
// ends; both drain first (R7) and then return nil. A *pipeline.TerminalError is also
// written into the work directory as wire.TerminationFile.
func Run(ctx context.Context, o Options) error {
	data, err := os.ReadFile(o.ConfigFile)
	if err != nil {
		return terminal(reasonConfig, "wire file: %w", err)
	}
	f, err := wire.Decode(data)
	if err != nil {
		err = terminal(reasonConfig, "wire file %s: %w", o.ConfigFile, err)
		return errors.Join(err, explain(data, err))
	}
	return RunFile(ctx, f, o)
}

// explain leaves the reason where the platform looks for it, if the refused file says
// where that is.
func explain(data []byte, err error) error {
	var f struct {
		WorkDir string `json:"work_dir"`
	}
	_ = json.Unmarshal(data, &f) // then it says nothing
	if info, statErr := os.Stat(f.WorkDir); statErr == nil && info.IsDir() {
		return writeTermination(f.WorkDir, terminationOf(err, probe.NewMasker()))
	}
	return nil
}

// RunFile is Run for a wire file that is already in memory.
func RunFile(ctx context.Context, f wire.File, o Options) error {
	if o.Stderr == nil {
		o.Stderr = io.Discard
	}
	masker := probe.NewMasker(secrets(f)...)
	log := masker.Writer(o.Stderr)
	if o.Logger == nil {
		o.Logger = slog.New(slog.NewTextHandler(log, nil))
	}
	if err := prepare(f); err != nil {
		return err
	}
	i := &instance{busy: o.Busy, file: f, log: log, masker: masker, logger: o.Logger, budget: pipeline.NewBudget(f.Limits.InFlightBytes), draining: o.Draining, calls: &inCode{}}
	i.probe = probe.New(probe.Options{Component: f.Component, Instance: f.Instance, Masker: masker, InFlight: i.budget.InUse, Path: dataPath(f), PathNote: f.PathNote})
	err := i.run(ctx, o.Lifeline)
	if reason := terminationOf(err, masker); reason != nil {
		err = errors.Join(err, writeTermination(f.WorkDir, reason))
	}
	return errors.Join(err, log.Flush())
}

// ExitCode maps what Run returned to the exit code of the process: 0 drained,
// wire.ExitTerminal when no restart can help, 1 otherwise.
func ExitCode(err error) int {
	var terminal *pipeline.TerminalError
	switch {
	case err == nil:
		return 0
	case errors.As(err, &terminal):
		return wire.ExitTerminal
	default:
		return 1
	}
}

func terminal(reason, format string, args ...any) error {
	return &pipeline.TerminalError{Reason: reason, Err: fmt.Errorf(format, args...)}
}

// secrets lists every value that no log may show (R9).
func secrets(f wire.File) []string {
	var values []string
	for _, v := range f.Secrets {
		values = append(values, v)
	}
	for _, b := range f.Brokers {
		values = append(values, b.Password, b.Token)
	}
	return values
}

// prepare makes the work directory and forgets how an earlier run ended.
func prepare(f wire.File) error {
	if f.WorkDir == "" {
		return terminal(reasonConfig, "wire file: work_dir is empty")
	}
	if err := os.MkdirAll(f.WorkDir, 0o700); err != nil {
		return fmt.Errorf("work directory: %w", err)
	}
	return os.RemoveAll(filepath.Join(f.WorkDir, wire.TerminationFile))
}

// terminationOf is what the supervisor shows of an end; nil: a drained instance says
// nothing. Only what no restart can help has a reason.
func terminationOf(err error, masker *probe.Masker) *wire.Termination {
	var t *pipeline.TerminalError
	switch {
	case err == nil:
		return nil
	case errors.As(err, &t):
		return &wire.Termination{Reason: t.Reason, Message: masker.String(t.Err.Error())}
	default:
		return &wire.Termination{Message: masker.String(err.Error())}
	}
}

func writeTermination(dir string, t *wire.Termination) error {
	data, err := json.Marshal(t)
	if err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(dir, wire.TerminationFile), data, 0o600)
}

// instance is one running copy.
type instance struct {
	busy   func(processors int)
	file   wire.File
	log    io.Writer // masked
	masker *probe.Masker
	logger *slog.Logger
	budget *pipeline.Budget
	probe  *probe.Probe

	draining func(messages int, grace time.Duration) // nil: logged
	calls    *inCode

	// inputEnd is the newest entry of an input partition; nil: not known.
	inputEnd func(ctx context.Context, topic string, partition int) (ledger, entry int64, err error)
}

func (i *instance) run(ctx context.Context, lifeline io.Reader) (err error) {
	// The pipeline must outlive the order to drain, so it gets a context without it.
	hard, stop := context.WithCancel(context.WithoutCancel(ctx))
	defer stop()
	closeServers, err := i.serve(hard)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, closeServers()) }()
	drain := drainOn(ctx, hard, lifeline)
	// Until the pipeline runs there is nothing to drain: starting stops at once.
	starting, started := untilClosed(hard, drain)
	parts, err := i.build(starting)
	started()
	switch {
	case err != nil && closed(drain):
		return nil
	case err != nil:
		return err
	}
	defer func() { err = errors.Join(err, parts.close(hard)) }()
	i.logger.Info("starting", "component", i.name(), "instance", i.file.Instance.ID)
	told := i.tellOfDrain(drain)
	err = pipeline.Run(hard, i.config(parts, drain))
	told()
	i.probe.SetReady(false)
	if err == nil {
		i.logger.Info("drained", "component", i.name(), "instance", i.file.Instance.ID)
	}
	return i.unfinished(err)
}

// dataPath is by which messages move to and from a Pulsar; "" without one.
func dataPath(f wire.File) wire.Path {
	for _, b := range f.Brokers {
		if b.Kind == "pulsar" {
			return cmp.Or(f.Path, wire.EntryPath)
		}
	}
	return ""
}

// serve answers on the probe's and the control's addresses until the returned function
// is called.
func (i *instance) serve(ctx context.Context) (stop func() error, err error) {
	var servers []io.Closer
	stop = func() error {
		var err error
		for _, s := range servers {
			err = errors.Join(err, s.Close())
		}
		return err
	}
	if address := i.file.Probe; address != "" {
		server, err := i.probe.Serve(ctx, address)
		if err != nil {
			return nil, err
		}
		servers = append(servers, server)
	}
	if address := i.file.Control; address != "" {
		server, err := i.probe.ServeControl(ctx, address)
		if err != nil {
			return nil, errors.Join(err, stop())
		}
		servers = append(servers, server)
	}
	return stop, nil
}

func (i *instance) config(p *parts, drain <-chan struct{}) pipeline.Config {
	return pipeline.Config{
		Source: p.source, Functions: p.functions, Sink: p.sink, DeadLetter: p.deadLetter,
		Delivery: i.file.Delivery, Limits: i.file.Limits, Subscription: i.file.Source.Subscription.Name,
		Mask: i.masker.String, Budget: i.budget, Observer: i.probe, Logger: i.logger, Drain: drain,
		Lanes: i.lanes,
	}
}

func (i *instance) name() string {
	c := i.file.Component
	return c.Tenant + "/" + c.Namespace + "/" + c.Name
}

// drainOn returns a channel that closes when ctx ends or the lifeline does (R7). The
// reader of the lifeline cannot be interrupted: it ends with the lifeline, at the
// latest with the process.
func drainOn(ctx, hard context.Context, lifeline io.Reader) <-chan struct{} {
	drain := make(chan struct{})
	var once sync.Once
	order := func() { once.Do(func() { close(drain) }) }
	if lifeline != nil {
		go func() {
			_, _ = io.Copy(io.Discard, lifeline) // an error ends the lifeline as well
			order()
		}()
	}
	go func() {
		select {
		case <-ctx.Done():
			order()
		case <-hard.Done():
		}
	}()
	return drain
}

// untilClosed is a context that ends when done is closed, until release is called.
func untilClosed(parent context.Context, done <-chan struct{}) (ctx context.Context, release func()) {
	ctx, cancel := context.WithCancel(parent)
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		select {
		case <-done:
			cancel()
		case <-ctx.Done():
		}
	}()
	return ctx, func() {
		cancel()
		<-ended
	}
}

func closed(c <-chan struct{}) bool {
	select {
	case <-c:
		return true
	default:
		return false
	}
}
