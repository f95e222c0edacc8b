package process

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"runtime"
	"syscall"
	"time"

	"github.com/functionmesh/terraform-provider-functionmesh/runner/pipeline"
	"github.com/functionmesh/terraform-provider-functionmesh/runner/runtime/frame"
	"github.com/functionmesh/terraform-provider-functionmesh/runner/runtime/guard"
)

// errGone means that the worker closed its end of the frames.
var errGone = errors.New("the worker is gone")

const (
	stopGrace = 5 * time.Second        // after STOP, before the group is killed
	endGrace  = 2 * time.Second        // after the end of its frames, for a worker to end by itself
	pipeGrace = 500 * time.Millisecond // after the worker's end, for pipes that its children hold
	slack     = 250 * time.Millisecond // for progress on a busy machine
)

type received struct {
	kind    frame.Type
	payload []byte
	err     error
}

// worker is one child process. Its three goroutines - the owner of the process, the
// reader of frames, and one writer during an exchange - all end with the process.
type worker struct {
	in     *os.File // to the worker
	out    *os.File // from the worker
	batch  bool     // user code takes whole batches
	buf    []byte
	cancel context.CancelFunc // kills the process group
	frames chan received
	exited chan struct{}
	exit   string // how it ended; valid once exited is closed
}

// spawn starts the process.
func spawn(command []string, dir string, log *guard.Tail) (*worker, error) {
	childIn, in, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	out, childOut, err := os.Pipe()
	if err != nil {
		return nil, errors.Join(err, childIn.Close(), in.Close())
	}
	life, cancel := context.WithCancel(context.Background())
	cmd := exec.CommandContext(life, command[0], command[1:]...)
	cmd.Dir = dir
	cmd.Stdout, cmd.Stderr = log, log
	cmd.ExtraFiles = []*os.File{childIn, childOut}
	cmd.WaitDelay = pipeGrace
	isolate(cmd)
	w := &worker{in: in, out: out, cancel: cancel, frames: make(chan received, 4), exited: make(chan struct{})}
	started := make(chan error, 1)
	go w.own(cmd, started)
	err = <-started
	closeErr := errors.Join(childIn.Close(), childOut.Close())
	if err != nil {
		cancel()
		return nil, errors.Join(err, closeErr, in.Close(), out.Close())
	}
	go w.read()
	return w, nil
}

// own starts the process and waits for it, on one thread: on Linux the death signal
// is sent when the thread that started the child ends.
func (w *worker) own(cmd *exec.Cmd, started chan<- error) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	err := cmd.Start()
	started <- err
	if err != nil {
		return
	}
	_ = cmd.Wait() // what counts is the process, not its pipes or who asked it to end
	w.exit = cmd.ProcessState.String()
	killGroup(cmd) // what user code left running
	// A child that left the group may still hold the pipe: it speaks for nobody.
	_ = w.out.SetReadDeadline(time.Now().Add(pipeGrace))
	close(w.exited)
}

// read passes frames on until the pipe ends. It always drains the pipe, so that a
// worker which answers while a batch is still being written blocks neither side.
func (w *worker) read() {
	defer close(w.frames)
	r := bufio.NewReaderSize(w.out, 1<<16)
	for {
		kind, payload, err := frame.Read(r, frame.DefaultMaxFrame)
		if err != nil {
			w.frames <- received{err: err}
			return
		}
		w.frames <- received{kind: kind, payload: payload}
	}
}

// next is the next frame of the worker.
func (w *worker) next(ctx context.Context) (received, error) {
	select {
	case <-ctx.Done():
		return received{}, ctx.Err()
	case got, ok := <-w.frames:
		if !ok {
			return received{}, errGone
		}
		return got, got.err
	}
}

type request struct {
	id       uint64
	messages []pipeline.Message
	limit    time.Duration
}

// exchange sends a batch and returns the payload of its results. After an error the
// worker must be killed.
func (w *worker) exchange(ctx context.Context, r request) ([]byte, error) {
	dst, start := frame.Begin(w.buf[:0], frame.TypeBatch)
	w.buf = frame.Finish(frame.AppendBatch(dst, r.id, r.messages), start)
	written := make(chan error, 1)
	go func() {
		_, err := w.in.Write(w.buf)
		written <- err
	}()
	payload, err := w.answer(ctx, r)
	if err != nil {
		w.end(err) // ends the write as well
		<-written  //nolint:errcheck // as the worker is gone, so is what was written
		return nil, err
	}
	return payload, <-written
}

// answer waits for the results within the time limit: of one message since the last
// progress, or of all together where user code takes whole batches.
func (w *worker) answer(ctx context.Context, r request) ([]byte, error) {
	var expired <-chan time.Time
	limit := r.limit + r.limit/4 + slack
	if w.batch {
		limit = time.Duration(len(r.messages))*r.limit + slack
	}
	if r.limit > 0 {
		timer := time.NewTimer(limit)
		defer timer.Stop()
		expired = timer.C
		return w.await(ctx, r, expired, func() { timer.Reset(limit) })
	}
	return w.await(ctx, r, nil, func() {})
}

func (w *worker) await(ctx context.Context, r request, expired <-chan time.Time, moved func()) ([]byte, error) {
	last := 0
	for {
		var got received
		select {
		case <-ctx.Done():
			return nil, ctx.Err()
		case <-expired:
			return nil, &guard.LimitError{Text: fmt.Sprintf("call exceeded timeout_ms = %d", r.limit.Milliseconds())}
		case next, ok := <-w.frames:
			if !ok {
				return nil, errGone
			}
			got = next
		}
		if got.err != nil {
			return nil, got.err
		}
		if got.kind == frame.TypeResults {
			return got.payload, nil
		}
		index, err := progress(got, r)
		if err != nil {
			return nil, err
		}
		if index > last && !w.batch {
			last = index
			moved()
		}
	}
}

// progress is the message at work, 0 when the frame is about another batch.
func progress(got received, r request) (int, error) {
	if got.kind != frame.TypeProgress {
		return 0, fmt.Errorf("%w: type %d during a batch", frame.ErrMalformed, got.kind)
	}
	id, index, err := frame.DecodeProgress(got.payload)
	if err != nil || id != r.id {
		return 0, err
	}
	return index, nil
}

// end kills the worker because of cause and returns how it ended. One that closed its
// frames is ending by itself, and how is the best that can be said about it.
func (w *worker) end(cause error) string {
	if closed(cause) {
		timer := time.NewTimer(endGrace)
		defer timer.Stop()
		select {
		case <-w.exited:
		case <-timer.C:
		}
	}
	w.kill()
	return w.exit
}

// closed reports whether the worker closed its end of the frames.
func closed(cause error) bool {
	for _, e := range []error{io.EOF, io.ErrUnexpectedEOF, errGone, os.ErrDeadlineExceeded, syscall.EPIPE} {
		if errors.Is(cause, e) {
			return true
		}
	}
	return false
}

// kill ends the process group.
func (w *worker) kill() {
	w.cancel()
	<-w.exited
	w.release()
}

// close asks the worker to finish and kills it when it takes too long.
func (w *worker) close(ctx context.Context) {
	limited, cancel := context.WithTimeout(ctx, stopGrace)
	defer cancel()
	// A worker that reads nothing more is killed below; STOP and end of file say the same.
	_ = w.in.SetWriteDeadline(time.Now().Add(stopGrace))
	_, _ = w.in.Write(frame.Append(nil, frame.TypeStop, nil))
	_ = w.in.Close()
	select {
	case <-w.exited:
	case <-limited.Done():
	}
	w.kill()
}

// release closes the pipes and waits for the reader.
func (w *worker) release() {
	_ = w.in.Close()
	_ = w.out.Close()
	for range w.frames {
		continue // drained, so that the reader can end
	}
}
