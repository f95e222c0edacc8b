package process

import (
	"context"
	"os"

	"github.com/functionmesh/terraform-provider-functionmesh/runner/runtime/frame"
)

const (
	slots       = 2       // batches that can be on their way at once
	slotBytes   = 4 << 20 // of a batch, and as much of its results; what is larger goes through the pipes
	sharedBytes = 2 * slots * slotBytes
)

// shared is memory that the worker sees too: a batch is encoded into it and read where
// it is, which saves what pipes cost, two copies by the kernel each way. The worker may
// write to it whenever it likes, so results are copied out before they are looked at.
// It outlives workers; each gets the same.
type shared struct {
	file   *os.File
	memory []byte
}

// batch is where slot's batch goes; results follow the batches of all slots.
func (s *shared) batch(slot int) []byte {
	at := slot * slotBytes
	return s.memory[at : at+slotBytes : at+slotBytes]
}

// results are the bytes at a place that the worker named.
func (s *shared) results(p frame.Place) ([]byte, error) {
	if s == nil || p.End() > uint64(len(s.memory)) {
		return nil, frame.ErrMalformed
	}
	return s.memory[p.Offset:p.End()], nil
}

// acquire takes a slot; every request has one, so that no more are under way.
func (f *Functions) acquire(ctx context.Context) (slot int, err error) {
	select {
	case slot = <-f.slots:
		return slot, nil
	case <-ctx.Done():
		return 0, ctx.Err()
	}
}

// unmap gives the shared memory back once nobody writes to it. Calls find the functions
// closed before they come to it.
func (f *Functions) unmap(ctx context.Context) {
	for taken := range slots {
		if _, err := f.acquire(ctx); err != nil {
			// A call was left behind; its memory ends with the process.
			f.release(taken)
			return
		}
	}
	if f.shared != nil {
		f.shared.unmap()
	}
	f.release(slots)
}

func (f *Functions) release(n int) {
	for slot := range n {
		f.slots <- slot
	}
}
