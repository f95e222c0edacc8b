package wasm

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"os"
	"runtime/debug"
	"sync"
	"sync/atomic"
	"time"

	"github.com/tetratelabs/wazero"
	"github.com/tetratelabs/wazero/imports/wasi_snapshot_preview1"

	"github.com/functionmesh/terraform-provider-functionmesh/runner/pipeline"
	"github.com/functionmesh/terraform-provider-functionmesh/runner/runtime/frame"
)

const (
	// DefaultMemory bounds a guest when the component sets no limit.
	DefaultMemory = 256 << 20

	pageSize     = 1 << 16
	maxPages     = 1 << 16
	startTimeout = time.Minute
)

// Options say which module runs and within which bounds.
type Options struct {
	File     string        // the module
	Start    frame.Start   // what the guest may ask for; its secrets reach the guest only
	Memory   int64         // bytes of linear memory; 0: DefaultMemory
	Timeout  time.Duration // of the call for one message; 0: none
	Rerun    bool          // a batch that broke a limit may be shown to the guest again
	CacheDir string        // keeps compiled code between runs; "" keeps it in memory
	Log      io.Writer     // standard output and error of the guest

	Records frame.LogSink                    // of the guest's logger; nil: they are in Log only
	Metric  func(name string, value float64) // nil: observations are dropped
}

// Functions is a compiled module; each lane gets an instance of its own.
type Functions struct {
	opts    Options
	pool    sync.Pool // of *frame.Results
	pages   uint32
	cache   wazero.CompilationCache
	runtime wazero.Runtime
	module  wazero.CompiledModule

	running atomic.Int32 // calls into guests that cannot be interrupted

	mu    sync.Mutex
	spare *guest // made by New as a check, used by the first lane
}

// New compiles the module and starts one instance of it, so that what cannot run is
// known now: then the error is a *pipeline.TerminalError.
func New(ctx context.Context, o Options) (*Functions, error) {
	code, err := os.ReadFile(o.File)
	if err != nil {
		return nil, invalid("the module cannot be read: %w", err)
	}
	if o.Log == nil {
		o.Log = io.Discard
	}
	o.Start.Log = o.Records != nil
	f := &Functions{opts: o, pages: pages(o.Memory)}
	if err := f.open(ctx, code); err != nil {
		return nil, errors.Join(err, f.Close(ctx))
	}
	debug.FreeOSMemory() // compiling takes many times what is kept of it, and happens once
	return f, nil
}

func pages(memory int64) uint32 {
	if memory <= 0 {
		memory = DefaultMemory
	}
	return uint32(min(max(memory/pageSize, 1), maxPages))
}

func (f *Functions) open(ctx context.Context, code []byte) error {
	// Checks that let a context interrupt the guest cost several times what a plain
	// function does, so they are compiled in only where a time limit asks for them.
	config := wazero.NewRuntimeConfig().WithMemoryLimitPages(f.pages).WithCloseOnContextDone(f.opts.Timeout > 0)
	if f.opts.CacheDir != "" {
		cache, err := wazero.NewCompilationCacheWithDir(f.opts.CacheDir)
		if err != nil {
			return fmt.Errorf("cache of compiled modules: %w", err)
		}
		f.cache = cache
		config = config.WithCompilationCache(cache)
	}
	f.runtime = wazero.NewRuntimeWithConfig(ctx, config)
	if _, err := wasi_snapshot_preview1.Instantiate(ctx, f.runtime); err != nil {
		return fmt.Errorf("system interface for modules: %w", err)
	}
	module, err := compile(ctx, f.runtime, code)
	if err != nil {
		return err
	}
	f.module = module
	f.spare, err = f.newGuest(ctx)
	return err
}

// ForLane returns the lane's own instance of the module.
func (f *Functions) ForLane(ctx context.Context, _ int) (pipeline.Function, error) {
	f.mu.Lock()
	g := f.spare
	f.spare = nil
	f.mu.Unlock()
	if g == nil {
		var err error
		if g, err = f.newGuest(ctx); err != nil {
			return nil, err
		}
	}
	return &lane{functions: f, guest: g}, nil
}

// bounded runs a call into a guest until ctx ends. Without a time limit the guest
// cannot be interrupted: then the call is left behind and ends with the process.
func (f *Functions) bounded(ctx context.Context, call func() error) error {
	if f.opts.Timeout > 0 {
		return call()
	}
	done := make(chan error, 1)
	f.running.Add(1)
	go func() {
		defer f.running.Add(-1)
		done <- call()
	}()
	select {
	case err := <-done:
		return err
	case <-ctx.Done():
		return ctx.Err()
	}
}

// Close releases the compiled code and every instance, unless a call that was left
// behind still runs in them. Safe after a failed New.
func (f *Functions) Close(ctx context.Context) error {
	if f.running.Load() > 0 {
		return nil
	}
	var errs []error
	if f.runtime != nil {
		errs = append(errs, f.runtime.Close(ctx))
	}
	if f.cache != nil {
		errs = append(errs, f.cache.Close(ctx))
	}
	return errors.Join(errs...)
}

// moduleConfig opens no file system, no environment and no arguments to the guest.
func (f *Functions) moduleConfig(g *guest) wazero.ModuleConfig {
	return wazero.NewModuleConfig().WithName("").
		WithStartFunctions("_initialize").
		WithStdout(g.log).WithStderr(g.log).
		WithSysWalltime().WithSysNanotime().WithNanosleep(g.sleep).
		WithRandSource(rand.Reader)
}
