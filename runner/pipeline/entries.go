package pipeline

import (
	"context"
	"errors"
	"fmt"
)

// Checker is a Sender that can tell before it writes anything which message it will
// refuse. Effectively-once needs to know before the first output of an entry.
type Checker interface {
	// Check returns a *MessageError, At counted from the first message, or another
	// error that is worth a repetition.
	Check(ctx context.Context, out []Message) error
}

// whole refuses, with effectively-once, a batch that ends within an entry: a replay
// would form other entries than before.
func (l *lane) whole(b Batch) error {
	if !l.exact {
		return nil
	}
	first, last := &b.Messages[0].Position, &b.Messages[len(b.Messages)-1].Position
	if first.Index == 0 && last.Last() {
		return nil
	}
	return &TerminalError{Reason: "IncompleteEntry", Err: fmt.Errorf(
		"lane %s: effectively_once needs whole entries, got messages %d of entry %d:%d to %d of %d of entry %d:%d",
		l.source.Name(), first.Index, first.Ledger, first.Entry, last.Index, last.Count, last.Ledger, last.Entry)}
}

// byEntry settles a batch of an ordered lane entry by entry.
func (l *lane) byEntry(ctx context.Context, w *work) error {
	for at := 0; at < len(w.results); {
		to := w.nextFailed(at)
		if to < len(w.results) {
			to = w.entryStart(to)
		}
		done, err := l.deliver(ctx, w, at, to)
		if done > at {
			// R1, R3: whole entries, whose outputs are confirmed.
			if err := l.settle(ctx, w, l.alike(done-at, Verdict{})); err != nil {
				return err
			}
		}
		at = done
		var refused *MessageError
		switch {
		case errors.As(err, &refused):
			l.refused(w, err)
		case err != nil:
			return err
		}
		if at < len(w.results) {
			if err := l.resolveEntry(ctx, w, at, w.entryEnd(at)); err != nil {
				return err
			}
		}
	}
	return nil
}

// resolveEntry leaves no failure in the entry of messages from..to: R3 lets none of its
// outputs be written before, because what the broker has once stored of an entry is all
// that it will ever store. Its dead letters are written together, in one Write, since
// they too are numbered by entry.
func (l *lane) resolveEntry(ctx context.Context, w *work, from, to int) error {
	var dead []Message
	for {
		at := w.nextFailed(from)
		if at >= to {
			refused, err := l.check(ctx, w, from, to)
			if err != nil {
				return err
			}
			if !refused {
				return l.buryAll(ctx, dead)
			}
			continue
		}
		letter, err := l.retryInPlace(ctx, w, at)
		if err != nil {
			return err
		}
		if letter != nil {
			dead = append(dead, *letter)
		}
	}
}

// check asks the sender about the outputs of messages from..to, and says whether it
// found one that it refuses.
func (l *lane) check(ctx context.Context, w *work, from, to int) (refused bool, err error) {
	c, ok := l.sender.(Checker)
	if !ok {
		return false, nil
	}
	out := w.outputs(from, to)
	for attempt := 0; ; attempt++ {
		err := c.Check(ctx, out)
		if err == nil {
			return false, nil
		}
		if message, ok := errors.AsType[*MessageError](err); ok {
			w.refused = w.owner(from, to, min(message.At, len(out)-1))
			l.refused(w, err)
			return true, nil
		}
		if stop := l.stops(ctx, err); stop != nil {
			return false, stop
		}
		l.failed(SinkFailure, err)
		if err := l.retry.wait(ctx, l.drained, attempt); err != nil {
			return false, err
		}
	}
}

// entryStart is the first message of the entry that message at is in, entryEnd the
// first behind it.
func (w *work) entryStart(at int) int {
	for at > 0 && w.Messages[at-1].Position.SameEntry(w.Messages[at].Position) {
		at--
	}
	return at
}

func (w *work) entryEnd(at int) int {
	for at++; at < len(w.Messages) && w.Messages[at-1].Position.SameEntry(w.Messages[at].Position); {
		at++
	}
	return at
}
