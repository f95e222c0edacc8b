package process

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"github.com/functionmesh/terraform-provider-functionmesh/runner/pipeline"
	"github.com/functionmesh/terraform-provider-functionmesh/runner/runtime/frame"
	"github.com/functionmesh/terraform-provider-functionmesh/runner/runtime/guard"
	"github.com/functionmesh/terraform-provider-functionmesh/runner/sdk/python"
)

// startTimeout bounds what user code does while it is loaded.
const startTimeout = time.Minute

const (
	reasonInvalidCode = "InvalidCode"
	reasonInterpreter = "MissingInterpreter"
	tailLines         = 15
)

func terminal(reason, format string, args ...any) error {
	return &pipeline.TerminalError{Reason: reason, Err: fmt.Errorf(format, args...)}
}

// command returns the argument vector of the worker and prepares what it needs.
func command(o *Options) ([]string, error) {
	dir, err := filepath.Abs(o.WorkDir)
	if err != nil {
		return nil, err
	}
	o.WorkDir = dir
	if o.File, err = filepath.Abs(o.File); err != nil {
		return nil, err
	}
	if _, err := os.Stat(o.File); err != nil {
		return nil, terminal(reasonInvalidCode, "the code cannot be read: %w", err)
	}
	switch o.Runtime {
	case Python:
		interpreter, err := exec.LookPath("python3")
		if err != nil {
			return nil, terminal(reasonInterpreter, "python3 (3.8 or newer) is not in PATH: %w", err)
		}
		sdk, err := unpackSDK(dir)
		if err != nil {
			return nil, err
		}
		cache := filepath.Join(dir, "python-cache")
		return []string{interpreter, "-u", "-X", "pycache_prefix=" + cache, filepath.Join(sdk, "worker", "main.py")}, nil
	case Go:
		file, err := executable(o.File, dir)
		if err != nil {
			return nil, err
		}
		return []string{file}, nil
	default:
		return nil, terminal("InvalidConfig", "runtime %q does not run as a process", o.Runtime)
	}
}

// unpackSDK writes the Python worker below dir; it is small and written anew each
// time, so that it always is this build's.
func unpackSDK(dir string) (string, error) {
	root := filepath.Join(dir, "python-sdk")
	err := fs.WalkDir(python.Files, ".", func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		target := filepath.Join(root, filepath.FromSlash(path))
		if d.IsDir() {
			return os.MkdirAll(target, 0o700)
		}
		data, err := fs.ReadFile(python.Files, path)
		if err != nil {
			return err
		}
		return os.WriteFile(target, data, 0o600)
	})
	if err != nil {
		return "", fmt.Errorf("unpacking the Python worker: %w", err)
	}
	return root, nil
}

// executable returns file if it may be executed, else a copy of it that may: packages
// are stored without permissions.
func executable(file, dir string) (string, error) {
	info, err := os.Stat(file)
	if err != nil {
		return "", err
	}
	if info.Mode()&0o111 != 0 {
		return filepath.Abs(file)
	}
	code, err := os.ReadFile(file)
	if err != nil {
		return "", terminal(reasonInvalidCode, "the code cannot be read: %w", err)
	}
	target := filepath.Join(dir, "function")
	if err := os.RemoveAll(target); err != nil {
		return "", err
	}
	return target, os.WriteFile(target, code, 0o700) //nolint:gosec // a program, for its owner only
}

// launch starts a worker and loads user code in it.
func (f *Functions) launch(ctx context.Context) (*worker, error) {
	f.tail.Reset()
	w, err := f.spawn()
	for tries := 0; errors.Is(err, syscall.ETXTBSY) && tries < 50; tries++ {
		// Another child, forked while the copy of the code was written, is about to
		// let go of it.
		time.Sleep(10 * time.Millisecond)
		w, err = f.spawn()
	}
	if err != nil {
		return nil, terminal(reasonInvalidCode, "the code cannot be started (is it built for this machine?): %w", err)
	}
	limited, cancel := context.WithTimeout(ctx, startTimeout)
	defer cancel()
	if err := w.handshake(limited, f.opts.Start); err != nil {
		exit := w.end(err)
		var known *pipeline.TerminalError
		switch {
		case ctx.Err() != nil:
			return nil, ctx.Err()
		case errors.As(err, &known):
			return nil, err
		case limited.Err() != nil:
			// The machine may be slow rather than the code bad: tried again.
			return nil, fmt.Errorf("the function was not loaded within %s%s", startTimeout, quote(f.tail))
		}
		return nil, terminal(reasonInvalidCode, "the function did not start: %s", describe(err, exit, f.tail))
	}
	return w, nil
}

// handshake is HELLO, START, READY.
func (w *worker) handshake(ctx context.Context, start frame.Start) error {
	var hello frame.Hello
	if err := w.expect(ctx, frame.TypeHello, &hello); err != nil {
		return err
	}
	version, err := frame.Negotiate(hello)
	if err != nil {
		return terminal(reasonInvalidCode, "%w", err)
	}
	start.Protocol = version
	payload, err := json.Marshal(start)
	if err != nil {
		return fmt.Errorf("start frame: %w", err)
	}
	if _, err := w.in.Write(frame.Append(nil, frame.TypeStart, payload)); err != nil {
		return err
	}
	var ready frame.Ready
	if err := w.expect(ctx, frame.TypeReady, &ready); err != nil {
		return err
	}
	w.batch = ready.Batch
	w.codec = frame.Codec{Version: version}.Ready(ready)
	if ready.Shared {
		w.shared = w.offer
	}
	return nil
}

// expect reads the next frame, which must be of type t, into v; FAILED is an error.
func (w *worker) expect(ctx context.Context, t frame.Type, v any) error {
	got, err := w.next(ctx)
	if err != nil {
		return err
	}
	switch got.kind {
	case t:
		return json.Unmarshal(got.payload, v)
	case frame.TypeFailed:
		var failed frame.Failed
		if err := json.Unmarshal(got.payload, &failed); err != nil {
			return err
		}
		return &pipeline.TerminalError{Reason: failed.Reason, Err: errors.New(failed.Message)}
	default:
		return fmt.Errorf("%w: type %d where %d was expected", frame.ErrMalformed, got.kind, t)
	}
}

// describe says how a worker ended, with its last words.
func describe(cause error, exit string, tail *guard.Tail) string {
	text := cause.Error()
	if closed(cause) {
		text = exit
	}
	return text + quote(tail)
}

func quote(tail *guard.Tail) string {
	words := strings.TrimSpace(tail.Lines(tailLines))
	if words == "" {
		return ""
	}
	return "\n" + words
}
