package process

import (
	"context"
	"errors"
	"io"
	"os"
	"os/exec"
	"runtime"
	"sync"
	"sync/atomic"
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
	pipeBytes = 1 << 20                // asked for; a batch that fits is moved by one system call
	// A pipe that was not enlarged; some systems start with less than their usual 64 KiB.
	defaultPipe = 4 << 10
)

// received is one frame. Results come in memory that is used again.
type received struct {
	kind    frame.Type
	payload []byte
	results *frame.Results
	err     error
}

// worker is one child process. Its goroutines - the owner of the process, the reader
// of frames, the one that watches its memory - all end with the process.
type worker struct {
	in     *os.File // to the worker
	out    *os.File // from the worker
	room   int      // bytes that the pipe to the worker takes without waiting
	batch  bool     // user code takes whole batches
	codec  frame.Codec
	shared *shared // nil: the worker does not see any
	offer  *shared
	pid    int
	pool   *sync.Pool // of *frame.Results
	logs   func(payload []byte, messages func(id uint64) []pipeline.Message) error
	cancel context.CancelFunc // kills the process group
	frames chan received
	exited chan struct{}
	exit   string                 // how it ended; valid once exited is closed
	passed atomic.Pointer[string] // the limit that it passed and was killed for

	sending chan struct{} // full while a frame is written, so that they do not mix
	writers sync.WaitGroup
	broken  atomic.Bool // nothing more is expected of it
	moved   atomic.Pointer[move]

	mu       sync.Mutex
	requests []*request // under way, in the order of their frames
}

// move is the last progress of the worker.
type move struct {
	id    uint64
	index int
	at    time.Time
}

// spawn starts the process.
func (f *Functions) spawn() (*worker, error) {
	childIn, in, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	out, childOut, err := os.Pipe()
	if err != nil {
		return nil, errors.Join(err, childIn.Close(), in.Close())
	}
	life, cancel := context.WithCancel(context.Background())
	cmd := exec.CommandContext(life, f.command[0], f.command[1:]...)
	cmd.Dir = f.opts.WorkDir
	cmd.Stdout, cmd.Stderr = f.tail, f.tail
	cmd.ExtraFiles = []*os.File{childIn, childOut}
	if f.shared != nil {
		cmd.ExtraFiles = append(cmd.ExtraFiles, f.shared.file)
	}
	cmd.WaitDelay = pipeGrace
	isolate(cmd)
	w := &worker{
		in: in, out: out, room: enlarge(in, pipeBytes), offer: f.shared, pool: &f.pool, logs: f.logged, cancel: cancel,
		frames: make(chan received, 4), exited: make(chan struct{}), sending: make(chan struct{}, 1),
	}
	enlarge(out, pipeBytes)
	started := make(chan error, 1)
	go w.own(cmd, started)
	err = <-started
	closeErr := errors.Join(childIn.Close(), childOut.Close())
	if err != nil {
		cancel()
		return nil, errors.Join(err, closeErr, in.Close(), out.Close())
	}
	w.pid = cmd.Process.Pid
	go w.read()
	go w.watch(f.opts.Memory, f.opts.Processes)
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
// worker which answers while a batch is still being written blocks neither side. There
// is no buffer in between: payloads are read to where they are used.
func (w *worker) read() {
	defer close(w.frames)
	for {
		got := w.receive()
		switch {
		case got.err == nil && got.kind == frame.TypeProgress:
			got.err = w.progress(got.payload)
		case got.err == nil && got.kind == frame.TypeLog:
			got.err = w.logs(got.payload, w.messagesOf)
		case got.err == nil:
			w.frames <- got
		}
		if got.err != nil {
			w.frames <- received{err: got.err}
			return
		}
	}
}

func (w *worker) receive() received {
	kind, n, err := frame.ReadHead(w.out, frame.DefaultMaxFrame)
	if err != nil {
		return received{err: err}
	}
	if kind == frame.TypeResults {
		results := w.results()
		return received{kind: kind, results: results, err: frame.ReadPayload(w.out, results.Receive(n))}
	}
	payload := make([]byte, n)
	err = frame.ReadPayload(w.out, payload)
	if err != nil || kind != frame.TypeResultsAt {
		return received{kind: kind, payload: payload, err: err}
	}
	return w.fetch(payload)
}

// fetch copies results out of the shared memory.
func (w *worker) fetch(payload []byte) received {
	place, err := frame.DecodePlace(payload)
	if err != nil {
		return received{err: err}
	}
	there, err := w.offer.results(place)
	if err != nil {
		return received{err: err}
	}
	results := w.results()
	copy(results.Receive(len(there)), there)
	return received{kind: frame.TypeResults, results: results}
}

func (w *worker) results() *frame.Results {
	if r, ok := w.pool.Get().(*frame.Results); ok {
		return r
	}
	return &frame.Results{}
}

func (w *worker) progress(payload []byte) error {
	id, index, err := frame.DecodeProgress(payload)
	if err != nil {
		return err
	}
	if m := w.moved.Load(); m == nil || m.id != id || index > m.index {
		w.moved.Store(&move{id: id, index: index, at: time.Now()})
	}
	return nil
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

// limit is the limit that the worker was killed for, nil when it was not.
func (w *worker) limit() error {
	if text := w.passed.Load(); text != nil {
		return &guard.LimitError{Text: *text}
	}
	return nil
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

// release closes the pipes and waits for the reader and the writers.
func (w *worker) release() {
	_ = w.in.Close()
	_ = w.out.Close()
	for range w.frames {
		continue // drained, so that the reader can end
	}
	w.writers.Wait()
}
