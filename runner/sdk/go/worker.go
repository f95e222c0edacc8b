//go:build !wasip1

package function

import (
	"context"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"sync"
	"sync/atomic"
	"time"
)

const (
	minProtocol = 1
	maxProtocol = 2
	sdkVersion  = "go/0.2.0"
)

type worker struct {
	program *program
	in      io.Reader
	head    [5]byte
	payload []byte
	place   []byte // frame of a place
	offset  uint64 // of the results of the batch at work
	shared  []byte // memory that the runner sees too; nil: none

	watchParent func(ctx context.Context) // ends the process when the runner has died

	mu  sync.Mutex // guards out: results and progress
	out io.Writer

	batch atomic.Uint64 // id of the batch at work plus one, 0: idle
	index atomic.Uint32
}

func (w *worker) serve() error {
	hello := map[string]any{"min": minProtocol, "max": maxProtocol, "sdk": sdkVersion, "language": "go"}
	if err := w.writeJSON(typeHello, hello); err != nil {
		return err
	}
	t, payload, err := w.read()
	if err != nil {
		return ended(err)
	}
	if t != typeStart {
		return fmt.Errorf("frame type %d before start", t)
	}
	instance, err := newInstance(payload)
	if err != nil {
		return w.writeJSON(typeFailed, map[string]string{"reason": "InvalidConfig", "message": err.Error()})
	}
	p := w.program
	p.instance, p.version = instance, max(instance.info.Protocol, minProtocol)
	instance.flush = w.log
	ctx, cancel := context.WithCancel(context.WithValue(context.Background(), instanceKey{}, instance))
	defer cancel()
	p.ctx = ctx
	if limit := instance.info.Limits.CallTimeoutMs; limit > 0 {
		p.progress = func(i int) { w.index.Store(uint32(i)) } //nolint:gosec // a batch has fewer messages than 2^32
		go w.reportProgress(ctx, time.Duration(limit)*time.Millisecond/4)
	}
	go w.watchParent(ctx)
	if size := instance.info.Shared; size > 0 && p.version > 1 {
		w.shared = mapShared(int(size))
	}
	if err := w.writeJSON(typeReady, map[string]bool{"batch": p.batch != nil, "values_only": p.value != nil, "shared": w.shared != nil}); err != nil {
		return err
	}
	return w.loop()
}

func (w *worker) loop() error {
	for {
		t, payload, err := w.read()
		if err != nil {
			return ended(err)
		}
		switch t {
		case typeStop:
			return nil
		case typeBatch:
			w.program.out.place(nil)
			if err := w.answer(payload); err != nil {
				return err
			}
		case typeBatchAt:
			if payload, err = w.batchAt(payload); err != nil {
				return err
			}
			if err := w.answer(payload); err != nil {
				return err
			}
		default:
			return fmt.Errorf("unexpected frame type %d", t)
		}
	}
}

// batchAt is a batch in shared memory. Its results go to the same place of the half for
// results.
func (w *worker) batchAt(payload []byte) ([]byte, error) {
	c := cursor{b: payload}
	from, size := uint64(c.u32()), uint64(c.u32())
	half := uint64(len(w.shared) / 2)
	if c.bad || from+size > half {
		return nil, errMalformed
	}
	room := half / slots
	w.program.out.place(w.shared[half+from:][:0:room])
	w.offset = half + from
	return w.shared[from:][:size:size], nil
}

// answer runs one batch and sends its results.
func (w *worker) answer(payload []byte) error {
	if len(payload) >= 8 {
		w.index.Store(0)
		w.batch.Store(binary.BigEndian.Uint64(payload) + 1)
	}
	frame, err := w.program.run(payload)
	w.batch.Store(0)
	switch {
	case err != nil:
		return err
	case !w.program.out.inPlace():
		return w.writeFrame(frame)
	}
	place := appendLen(append(w.place[:0], 0, 0, 0, 9, typeResultsAt), int(w.offset)+frameLen) //nolint:gosec // far below 4 GiB
	w.place = appendLen(place, len(frame)-frameLen)
	return w.writeFrame(w.place)
}

// reportProgress tells the runner which message is at work, so that a call over its
// limit is noticed after one limit and not after that of a whole batch.
func (w *worker) reportProgress(ctx context.Context, every time.Duration) {
	tick := time.NewTicker(max(every, 10*time.Millisecond))
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		id := w.batch.Load()
		if id == 0 {
			continue
		}
		b := binary.BigEndian.AppendUint64(nil, id-1)
		b = binary.BigEndian.AppendUint32(b, w.index.Load())
		if err := w.write(typeProgress, b); err != nil {
			return // the loop meets the same broken pipe
		}
	}
}

func (w *worker) read() (byte, []byte, error) {
	if _, err := io.ReadFull(w.in, w.head[:]); err != nil {
		return 0, nil, err
	}
	n := int(binary.BigEndian.Uint32(w.head[:])) - 1
	if n < 0 {
		return 0, nil, errMalformed
	}
	if cap(w.payload) < n {
		w.payload = make([]byte, n)
	}
	w.payload = w.payload[:n]
	_, err := io.ReadFull(w.in, w.payload)
	return w.head[4], w.payload, err
}

// log sends records before the batch that they belong to is done.
func (w *worker) log(batch uint64, n int, records []byte) {
	b := appendLen(binary.BigEndian.AppendUint64(nil, batch), n)
	_ = w.write(typeLog, append(b, records...)) // the loop meets the same broken pipe
}

func (w *worker) write(t byte, payload []byte) error {
	frame := appendLen(make([]byte, 0, frameLen+len(payload)), len(payload)+1)
	return w.writeFrame(append(append(frame, t), payload...))
}

func (w *worker) writeFrame(frame []byte) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	_, err := w.out.Write(frame)
	return err
}

func (w *worker) writeJSON(t byte, v any) error {
	b, err := json.Marshal(v)
	if err != nil {
		return err
	}
	return w.write(t, b)
}

// ended treats the end of the runner's pipe as the order to stop.
func ended(err error) error {
	if errors.Is(err, io.EOF) {
		return nil
	}
	return err
}
