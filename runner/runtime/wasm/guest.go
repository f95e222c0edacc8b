package wasm

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/tetratelabs/wazero/api"
	"github.com/tetratelabs/wazero/sys"

	"github.com/functionmesh/terraform-provider-functionmesh/runner/pipeline"
	"github.com/functionmesh/terraform-provider-functionmesh/runner/runtime/frame"
	"github.com/functionmesh/terraform-provider-functionmesh/runner/runtime/guard"
)

// guest is one instance of the module. One goroutine uses it at a time.
type guest struct {
	module  api.Module
	alloc   api.Function
	process api.Function
	codec   frame.Codec
	log     *guard.Tail
	done    <-chan struct{} // of the call at work, for sleep
	stack   [2]uint64
}

// sleep ends with the call's time limit: the engine cannot interrupt it.
func (g *guest) sleep(ns int64) {
	timer := time.NewTimer(time.Duration(ns))
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-g.done:
	}
}

// newGuest instantiates the module and starts user code in it.
func (f *Functions) newGuest(ctx context.Context) (*guest, error) {
	limited, cancel := context.WithTimeout(ctx, startTimeout)
	defer cancel()
	g := &guest{log: guard.NewTail(f.opts.Log), done: limited.Done()}
	err := f.bounded(limited, func() error { return f.startGuest(limited, g) })
	switch {
	case err == nil:
		return g, nil
	case ctx.Err() == nil && limited.Err() != nil:
		return nil, invalid("the module does not start within %s", startTimeout)
	}
	return nil, startError(ctx, g, err)
}

func (f *Functions) startGuest(ctx context.Context, g *guest) error {
	module, err := f.runtime.InstantiateModule(ctx, f.module, f.moduleConfig(g))
	if err != nil {
		return err
	}
	g.module = module
	g.alloc, g.process = module.ExportedFunction(exportAlloc), module.ExportedFunction(exportProcess)
	if err := g.start(ctx, f.opts.Start); err != nil {
		return errors.Join(err, module.Close(ctx))
	}
	return nil
}

func startError(ctx context.Context, g *guest, err error) error {
	var terminal *pipeline.TerminalError
	switch {
	case ctx.Err() != nil:
		return ctx.Err()
	case errors.As(err, &terminal):
		return err
	}
	if words := g.log.Lines(5); words != "" {
		return invalid("the module does not start: %w\n%s", err, words)
	}
	return invalid("the module does not start: %w", err)
}

func (g *guest) start(ctx context.Context, start frame.Start) error {
	answer, err := g.module.ExportedFunction(exportVersion).Call(ctx)
	if err != nil {
		return err
	}
	version := api.DecodeU32(answer[0])
	if version < MinABIVersion || version > ABIVersion {
		return invalid("the module has ABI version %d and this runner versions %d to %d: build it with a matching SDK", version, MinABIVersion, ABIVersion)
	}
	start.Protocol = int(version)
	g.codec.Version = int(version)
	payload, err := json.Marshal(start)
	if err != nil {
		return fmt.Errorf("start payload: %w", err)
	}
	view, err := g.call(ctx, g.module.ExportedFunction(exportStart), payload)
	if err != nil || view == nil {
		return err
	}
	var said struct {
		frame.Failed
		frame.Ready
	}
	if err := json.Unmarshal(view, &said); err != nil {
		return fmt.Errorf("answer to start: %w", err)
	}
	if version == MinABIVersion || said.Reason != "" {
		return &pipeline.TerminalError{Reason: cmp.Or(said.Reason, "InvalidCode"), Err: errors.New(said.Message)}
	}
	g.codec = g.codec.Ready(said.Ready)
	return nil
}

// call writes the payload into the guest, calls fn and returns a view of its answer,
// valid until the next call; nil when the guest answered 0.
func (g *guest) call(ctx context.Context, fn api.Function, payload []byte) ([]byte, error) {
	size := api.EncodeU32(uint32(len(payload))) //nolint:gosec // bounded by the frame limit
	g.stack[0] = size
	if err := g.alloc.CallWithStack(ctx, g.stack[:1]); err != nil {
		return nil, err
	}
	at := g.stack[0]
	if !g.module.Memory().Write(api.DecodeU32(at), payload) {
		return nil, fmt.Errorf("%s returned memory outside of the module", exportAlloc)
	}
	g.stack[0], g.stack[1] = at, size
	if err := fn.CallWithStack(ctx, g.stack[:]); err != nil {
		return nil, err
	}
	place := g.stack[0]
	if place == 0 {
		return nil, nil
	}
	view, ok := g.module.Memory().Read(uint32(place>>32), uint32(place)) //nolint:gosec // the two halves of a place
	if !ok {
		return nil, errors.New("the module answered with memory outside of itself")
	}
	return view, nil
}

// failure explains why a call broke off.
func (g *guest) failure(err error, o Options) string {
	var exit *sys.ExitError
	if !errors.As(err, &exit) {
		text, _, _ := cutTrace(err.Error())
		return "the module stopped: " + text + g.lastWords()
	}
	switch exit.ExitCode() {
	case sys.ExitCodeDeadlineExceeded:
		return fmt.Sprintf("call exceeded timeout_ms = %d", o.Timeout.Milliseconds())
	default:
		return fmt.Sprintf("the module exited with code %d (its memory limit is %d bytes)%s", exit.ExitCode(), int64(pages(o.Memory))*pageSize, g.lastWords())
	}
}

func (g *guest) lastWords() string {
	words := g.log.Lines(3)
	if words == "" {
		return ""
	}
	return ": " + words
}
