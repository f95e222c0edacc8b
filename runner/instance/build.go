package instance

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/functionmesh/terraform-provider-functionmesh/internal/wire"
	"github.com/functionmesh/terraform-provider-functionmesh/runner/broker/nats"
	"github.com/functionmesh/terraform-provider-functionmesh/runner/broker/pulsar"
	"github.com/functionmesh/terraform-provider-functionmesh/runner/connector/file"
	"github.com/functionmesh/terraform-provider-functionmesh/runner/connector/generator"
	"github.com/functionmesh/terraform-provider-functionmesh/runner/connector/settings"
	"github.com/functionmesh/terraform-provider-functionmesh/runner/pipeline"
	"github.com/functionmesh/terraform-provider-functionmesh/runner/runtime/frame"
	"github.com/functionmesh/terraform-provider-functionmesh/runner/runtime/process"
	"github.com/functionmesh/terraform-provider-functionmesh/runner/runtime/wasm"
)

const atMostOnce = "atmost_once"

// parts are what the pipeline is made of. The pipeline closes all but the runtime.
type parts struct {
	source     pipeline.Source
	functions  pipeline.Functions // nil: messages pass unchanged
	sink       pipeline.Sink      // nil: results are dropped
	deadLetter pipeline.Sink      // nil: dropped after the last retry
	runtime    runtime            // nil: no user code
	log        *logTopic          // nil: none
}

// runtime is what a runtime is besides making functions.
type runtime interface {
	pipeline.Functions
	Close(ctx context.Context) error
}

func (p *parts) close(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), closeGrace)
	defer cancel()
	var err error
	if p.runtime != nil {
		err = p.runtime.Close(ctx)
	}
	return errors.Join(err, p.log.Close(ctx)) // after the code that logs
}

// build makes the parts. User code is started last: it may take long, and what is
// wrong with the rest is then known already.
func (i *instance) build(ctx context.Context) (*parts, error) {
	switch g := i.file.Delivery.Guarantee; g {
	case "atleast_once", atMostOnce, pipeline.Manual: // what lane cannot do the last, the pipeline refuses
	case pipeline.EffectivelyOnce:
		if i.onPulsar() {
			break
		}
		fallthrough
	default:
		return nil, terminal(reasonConfig, "delivery.guarantee: %q is not offered", g) // R8
	}
	source, err := i.source()
	if err != nil {
		return nil, err
	}
	p := &parts{}
	if p.sink, err = i.sink(); err != nil {
		return nil, err
	}
	if dead := i.file.Delivery.DeadLetter; dead != nil {
		if p.deadLetter, err = i.output(*dead, true); err != nil {
			return nil, err
		}
	}
	p.source = &readySource{Source: source, sinks: []pipeline.Sink{p.sink, p.deadLetter}, ready: i.probe.SetReady}
	if fn := i.file.Function; fn != nil {
		if p.log, err = i.openLogTopic(context.WithoutCancel(ctx)); err != nil {
			return nil, err
		}
		if p.runtime, err = i.code(ctx, fn, p.log); err != nil {
			return nil, errors.Join(err, p.log.Close(ctx))
		}
		p.functions = i.watched(p.runtime)
	}
	return p, nil
}

func (i *instance) place() settings.Place {
	f := i.file
	return settings.Place{
		BaseDir: f.BaseDir, WorkDir: f.WorkDir, Instance: f.Instance.ID, Parallelism: f.Instance.Parallelism,
		Report: func(err error) {
			i.probe.Failed(pipeline.SourceFailure, err)
			i.logger.Warn("source", "error", err)
		},
	}
}

// source is a connector or topics. The names are those of spec.Connectors.
func (i *instance) source() (pipeline.Source, error) {
	f := i.file
	if c := f.Source.Connector; c != nil {
		switch c.Name {
		case "file":
			return file.NewSource(c.Config, i.place())
		case "generator":
			return generator.NewSource(c.Config, i.place())
		}
		return nil, terminal(reasonConfig, "source.connector: there is no built-in source %q", c.Name)
	}
	if len(f.Source.Inputs) == 0 {
		return nil, terminal(reasonConfig, "source: neither a connector nor an input topic")
	}
	kind, err := i.kindOfInputs()
	if err != nil {
		return nil, err
	}
	if kind == wire.KindPulsar {
		return i.pulsarSource()
	}
	return nats.NewSource(nats.SourceOptions{
		Brokers: f.Brokers, Source: f.Source, Instance: f.Instance, AtMostOnce: f.Delivery.Guarantee == atMostOnce,
		Name: i.name(), Logger: i.logger,
	})
}

// sink is a connector, a topic or nothing. User code may also name topics of its own,
// so a function without an output still has a way to publish.
func (i *instance) sink() (pipeline.Sink, error) {
	f := i.file
	switch c := f.Sink.Connector; {
	case c != nil && c.Name == "file":
		return file.NewSink(c.Config, i.place())
	case c != nil:
		return nil, terminal(reasonConfig, "sink.connector: there is no built-in sink %q", c.Name)
	case f.Sink.Output != nil:
		return i.output(*f.Sink.Output, false)
	}
	if _, ok := f.Brokers[""]; f.Function == nil || !ok {
		return nil, nil //nolint:nilnil // nil is the pipeline's word for dropping results
	}
	named, err := i.output(wire.Output{}, false)
	if err != nil {
		return nil, err
	}
	if _, ok := named.(*pulsar.Sink); ok { // drops what names no topic by itself
		return named, nil
	}
	return &namedOnly{Sink: named}, nil
}

func (i *instance) output(o wire.Output, dead bool) (pipeline.Sink, error) {
	b, err := i.broker(o.Broker)
	if err != nil {
		return nil, err
	}
	if b.Kind == wire.KindPulsar {
		return i.pulsarSink(b, o, dead)
	}
	return nats.NewSink(nats.SinkOptions{
		Broker: b, Output: o, Tenant: i.file.Component.Tenant, Namespace: i.file.Component.Namespace,
		DeadLetter: dead, Name: i.name(), Logger: i.logger,
	})
}

func (i *instance) broker(name string) (wire.Broker, error) {
	b, ok := i.file.Brokers[name]
	if !ok {
		return b, terminal(reasonConfig, "brokers: there is no connection %q", name)
	}
	if b.Kind != wire.KindNATS && b.Kind != wire.KindPulsar {
		return b, terminal(reasonConfig, "brokers[%q].kind: %q is not offered", name, b.Kind)
	}
	return b, nil
}

// code starts user code, once it is what the platform stored.
func (i *instance) code(ctx context.Context, fn *wire.Function, log *logTopic) (runtime, error) {
	if err := verify(fn); err != nil {
		return nil, err
	}
	var records frame.LogSink
	if log != nil {
		records = log
	}
	f := i.file
	timeout := time.Duration(f.Limits.CallTimeoutMs) * time.Millisecond
	rerun := f.Delivery.Guarantee != atMostOnce
	switch fn.Runtime {
	case "wasm":
		cache := cmp.Or(f.CacheDir, filepath.Join(f.WorkDir, "wasm-cache"))
		if err := os.MkdirAll(cache, 0o700); err != nil {
			return nil, err
		}
		return wasm.New(ctx, wasm.Options{
			File: fn.File, Start: frame.NewStart(f), Memory: f.Limits.MemoryBytes, Timeout: timeout, Rerun: rerun,
			CacheDir: cache, Log: i.log, Records: records, Metric: i.probe.Metric,
		})
	case process.Python, process.Go:
		return process.New(ctx, process.Options{
			Runtime: fn.Runtime, File: fn.File, Start: frame.NewStart(f), WorkDir: f.WorkDir, Timeout: timeout, Rerun: rerun,
			Memory: f.Limits.MemoryBytes, Log: i.log, Records: records, Metric: i.probe.Metric,
		})
	default:
		return nil, terminal(reasonConfig, "function.runtime: %q is not offered", fn.Runtime)
	}
}

// watched makes calls visible: all while they run, those that nothing bounds when that
// is long.
func (i *instance) watched(f pipeline.Functions) pipeline.Functions {
	calls := &slowCalls{Functions: f, calls: i.calls}
	if i.file.Limits.CallTimeoutMs == 0 {
		calls.report = func(err error) {
			i.probe.Failed(pipeline.System, err)
			i.logger.Warn("user code", "error", err)
		}
	}
	return calls
}

func verify(fn *wire.Function) error {
	f, err := os.Open(fn.File)
	if err != nil {
		return terminal(reasonCode, "the code cannot be read: %w", err)
	}
	sum := sha256.New()
	_, err = io.Copy(sum, f)
	if err = errors.Join(err, f.Close()); err != nil {
		return terminal(reasonCode, "the code cannot be read: %w", err)
	}
	if got := hex.EncodeToString(sum.Sum(nil)); !strings.EqualFold(got, fn.SHA256) {
		return terminal(reasonCode, "the code has digest %s and not the expected %s", got, fn.SHA256)
	}
	return nil
}
