package runnertest

import (
	"context"
	"errors"
	"fmt"

	"github.com/functionmesh/terraform-provider-functionmesh/runner/pipeline"
)

// AsyncSink is a MemorySink that can have several writes of a lane under way. What is
// sent is kept at once; Receipt holds back the news of it.
type AsyncSink struct {
	*MemorySink
	// Receipt is called before each Wait returns, with the number of the Send within its
	// lane. Nil: receipts are there at once.
	Receipt func(ctx context.Context, send int)
	// Refuse is what Check says. Nil: nothing is refused before it is written.
	Refuse func(out []pipeline.Message) error
}

// Sender implements pipeline.Asynchronous.
func (s *AsyncSink) Sender(context.Context, int) (pipeline.Sender, error) {
	return &memorySender{sink: s}, nil
}

// memorySender fails, after a Send that failed, whatever is sent before Resume.
type memorySender struct {
	sink   *AsyncSink
	sends  int
	broken error
	closed bool
}

type memoryPending struct {
	sender *memorySender
	number int
	n      int
	err    error
}

var errBehind = fmt.Errorf("%w: an earlier write failed", pipeline.ErrUnsent)

func (s *memorySender) Send(ctx context.Context, out []pipeline.Message) pipeline.Pending {
	s.sink.lanes.Lock()
	defer s.sink.lanes.Unlock()
	p := &memoryPending{sender: s, number: s.sends}
	s.sends++
	switch {
	case s.closed:
		p.err = errors.New("closed")
	case s.broken != nil:
		p.err = errBehind
	default:
		if p.n, p.err = s.sink.Write(ctx, out); p.err != nil {
			s.broken = p.err
		}
	}
	return p
}

// Resume implements pipeline.Sender.
func (s *memorySender) Resume() {
	s.sink.lanes.Lock()
	defer s.sink.lanes.Unlock()
	s.broken = nil
}

// Check implements pipeline.Checker.
func (s *memorySender) Check(_ context.Context, out []pipeline.Message) error {
	if s.sink.Refuse == nil {
		return nil
	}
	return s.sink.Refuse(out)
}

func (s *memorySender) Close(context.Context) error {
	s.sink.lanes.Lock()
	defer s.sink.lanes.Unlock()
	s.closed = true
	return nil
}

func (p *memoryPending) Wait(ctx context.Context) (int, error) {
	s := p.sender
	if s.sink.Receipt != nil {
		s.sink.Receipt(ctx, p.number)
	}
	return p.n, p.err
}
