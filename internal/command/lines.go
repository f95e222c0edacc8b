package command

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/functionmesh/terraform-provider-functionmesh/runner/broker/nats"
)

// produceBatch is how many lines at most are sent before their confirmation is awaited,
// and maxLine how long one may be: what the embedded broker takes as a message.
const (
	produceBatch = 1000
	maxLine      = 8 << 20
)

// errInterrupted is why less was sent than there was to read.
var errInterrupted = errors.New("interrupted; lines that were read but not confirmed are not sent")

// lineReader reads ahead of the one who sends, so that a line is sent when it comes
// rather than when enough have come, and so that waiting for one can be interrupted.
type lineReader struct {
	lines chan []byte
	err   error // valid once lines is closed
}

// readLines starts to read. A read from a terminal or a pipe cannot be ended: after an
// interrupt the goroutine ends with its read, which may be with the program.
func readLines(ctx context.Context, in io.Reader) *lineReader {
	r := &lineReader{lines: make(chan []byte, produceBatch)}
	go r.run(ctx, in)
	return r
}

func (r *lineReader) run(ctx context.Context, in io.Reader) {
	defer close(r.lines)
	scanner := bufio.NewScanner(in)
	scanner.Buffer(make([]byte, 64<<10), maxLine)
	n := 1
	for ; scanner.Scan(); n++ {
		select {
		case r.lines <- append([]byte{}, scanner.Bytes()...):
		case <-ctx.Done():
			return
		}
	}
	if r.err = scanner.Err(); errors.Is(r.err, bufio.ErrTooLong) {
		r.err = fmt.Errorf("line %d is longer than the %d MiB that a message may have: break it up", n, maxLine>>20)
	}
}

// batch waits for a line and takes those that came with it. It is empty and more is
// false at the end.
func (r *lineReader) batch(ctx context.Context, key string) (batch []nats.Message, more bool) {
	add := func(line []byte) {
		m := nats.Message{Value: line}
		if key != "" {
			m.Key = []byte(key)
		}
		batch = append(batch, m)
	}
	select {
	case line, ok := <-r.lines:
		if !ok {
			return nil, false
		}
		add(line)
	case <-ctx.Done():
		return nil, false
	}
	for len(batch) < produceBatch {
		select {
		case line, ok := <-r.lines:
			if !ok {
				return batch, false
			}
			add(line)
		default:
			return batch, true
		}
	}
	return batch, true
}
