package file

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"time"

	"github.com/functionmesh/terraform-provider-functionmesh/runner/pipeline"
)

const (
	pollEvery = 100 * time.Millisecond
	// maxLine bounds what one line may take; a longer one is reported and skipped.
	maxLine    = 8 << 20
	bufferSize = 64 << 10
)

// errWait means that there is nothing to read now.
var errWait = errors.New("nothing to read yet")

// lane reads lines. The file at the path may be replaced or cut at any time.
type lane struct {
	source *Source
	follow bool
	limit  int64    // where a file that is read once ends; 0: not known yet
	file   *os.File // nil: the path does not exist yet
	reader *bufio.Reader
	mark   mark // of the open file

	start   int64  // where the next line begins
	pending int64  // bytes read of a line whose end was not
	partial []byte // those bytes, unless the line is too long
	long    bool
}

// token is where each message of a batch ends.
type token struct {
	mark    mark
	limit   int64
	ends    []int64
	settled int
}

// Name is the file's.
func (l *lane) Name() string { return "file://" + l.source.path }

// Ordered is true: lines have an order.
func (l *lane) Ordered() bool { return true }

// Read returns the lines that are there, or waits for one. At the end of a whole file
// it waits for the drain: an instance that ended would be started again.
func (l *lane) Read(ctx context.Context, most int, maxBytes int64) (pipeline.Batch, error) {
	for {
		b, err := l.lines(most, maxBytes)
		if len(b.Messages) > 0 {
			return b, nil
		}
		if err != nil && !errors.Is(err, errWait) {
			return b, err
		}
		timer := time.NewTimer(pollEvery)
		select {
		case <-ctx.Done():
			timer.Stop()
			return b, ctx.Err()
		case <-timer.C:
		}
	}
}

// lines returns what can be read without waiting, of one file.
func (l *lane) lines(most int, maxBytes int64) (pipeline.Batch, error) {
	t := &token{}
	b := pipeline.Batch{Token: t}
	now := time.Now().UnixMilli()
	for size := int64(0); len(b.Messages) < most && size < maxBytes; {
		if err := l.ready(len(b.Messages) == 0); err != nil {
			return b, err
		}
		at := l.start
		line, err := l.line()
		if err != nil {
			return b, err
		}
		if err := l.remark(); err != nil {
			return b, err
		}
		t.mark, t.limit = l.mark, l.limit
		if l.source.config.Format == formatNDJSON && len(bytes.TrimSpace(line)) == 0 {
			continue // ndjson lets readers ignore empty lines
		}
		if err := l.check(line); err != nil {
			l.source.place.Report(fmt.Errorf("%s: line at byte %d is skipped: %w", l.source.path, at, err))
			continue
		}
		m := pipeline.Message{Topic: l.Name(), Position: pipeline.Numbered(at), Value: line, PublishTime: now}
		size += m.Size()
		b.Messages = append(b.Messages, m)
		t.ends = append(t.ends, l.start)
	}
	return b, nil
}

// ready makes sure that a file is open. Another file is only taken up where a batch
// begins, so that a batch has one place.
func (l *lane) ready(begin bool) error {
	if l.file != nil {
		return nil
	}
	if !begin {
		return errWait
	}
	return l.open(l.source.path, 0)
}

// line returns the next complete line without its end.
func (l *lane) line() ([]byte, error) {
	for {
		piece, err := l.reader.ReadSlice('\n')
		l.gather(piece)
		complete := err == nil
		if errors.Is(err, io.EOF) {
			if complete, err = l.end(); err != nil {
				return nil, err
			}
			complete = complete && l.pending > 0
		} else if err != nil && !errors.Is(err, bufio.ErrBufferFull) {
			return nil, err
		}
		if complete {
			if line, ok := l.take(); ok {
				return line, nil
			}
		}
		if l.file == nil {
			return nil, errWait
		}
	}
}

// gather keeps a piece of a line, unless the line is too long.
func (l *lane) gather(piece []byte) {
	l.pending += int64(len(piece))
	if l.long = l.long || l.pending > maxLine; l.long {
		l.partial = nil
		return
	}
	l.partial = append(l.partial, piece...)
}

// take makes a message of the line that was gathered, unless it was too long.
func (l *lane) take() (line []byte, ok bool) {
	if l.long {
		l.source.place.Report(fmt.Errorf("%s: line at byte %d is skipped: it has %d bytes, the limit is %d", l.source.path, l.start, l.pending, maxLine))
	} else {
		line, ok = bytes.TrimSuffix(bytes.TrimSuffix(l.partial, []byte("\n")), []byte("\r")), true
	}
	l.start += l.pending
	l.pending, l.partial, l.long = 0, nil, false
	return line, ok
}

func (l *lane) check(line []byte) error {
	if l.source.config.Format == formatNDJSON && !json.Valid(line) {
		return errors.New("it is not a JSON document")
	}
	return nil
}

// Settle saves the end of what is done.
func (l *lane) Settle(_ context.Context, b pipeline.Batch, v []pipeline.Verdict) error {
	t, ok := b.Token.(*token)
	if !ok || t.settled+len(v) > len(t.ends) {
		return errors.New("a batch of another lane was settled")
	}
	if len(v) == 0 {
		return nil
	}
	at := position{Mark: t.mark, Offset: t.ends[t.settled+len(v)-1], Limit: t.limit}
	if err := l.source.position.Save(at); err != nil {
		return err
	}
	t.settled += len(v)
	return nil
}

func (l *lane) close() error {
	if l.file == nil {
		return nil
	}
	err := l.file.Close()
	l.file = nil
	return err
}
