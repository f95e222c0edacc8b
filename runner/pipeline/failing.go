package pipeline

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// failed counts a failure. Those of user code are as many as the messages, so only some
// get a line; the others come with a pause each.
func (l *lane) failed(class FailureClass, err error) {
	l.Observer.Failed(class, err)
	if class == User {
		l.told.failure(time.Now(), l.Logger, l.source.Name(), err)
		return
	}
	l.Logger.Warn("failure", "lane", l.source.Name(), "class", string(class), "error", err)
}

// givenUp says whether a message that failed is beyond its last retry.
func (l *lane) givenUp(err error, retries int) bool {
	var lasting *lastingError
	return retries >= l.Delivery.MaxRetries || errors.As(err, &lasting)
}

// verdicts decides over every message of an unordered batch. Those given up are
// dead-lettered here, before they are acknowledged.
func (l *lane) verdicts(ctx context.Context, w *work) ([]Verdict, error) {
	v := l.undecided(w, 0, len(w.results))
	if w.reusable && w.failed == 0 {
		return v, nil
	}
	var dead []Message
	var owners []int
	for i := range w.results {
		err, in := w.results[i].Err, &w.Messages[i]
		switch {
		case err == nil, l.hand != nil && acknowledged(w.acks, in):
		case l.givenUp(err, int(in.Redelivery)):
			dead = append(dead, l.deadLetter(in, err, int(in.Redelivery)+1))
			owners = append(owners, i)
			v[i] = Verdict{}
		default:
			// R5: later and alone; the others go on.
			v[i] = Verdict{Redeliver: true, Delay: l.retry.delay(int(in.Redelivery))}
		}
	}
	n, err := l.bury(ctx, dead)
	if err == nil {
		return v, nil
	}
	if stop := l.stops(ctx, err); stop != nil {
		return nil, stop
	}
	// R5: a dead letter that cannot be written is not acknowledged.
	for _, i := range owners[n:] {
		v[i] = Verdict{Redeliver: true, Delay: l.retry.most}
	}
	return v, nil
}

// resolve retries message at of an ordered lane until it succeeds or is given up; then
// its result is an empty one. It takes no longer than retries x backoff.
func (l *lane) resolve(ctx context.Context, w *work, at int) error {
	dead, err := l.retryInPlace(ctx, w, at)
	if err != nil || dead == nil {
		return err
	}
	return l.buryAll(ctx, []Message{*dead})
}

// retryInPlace leaves a result without a failure: that of a later attempt, or an empty
// one, and then returns the dead letter that is to be written.
func (l *lane) retryInPlace(ctx context.Context, w *work, at int) (dead *Message, err error) {
	if w.attempts == nil {
		w.attempts, w.buried = map[int]int{}, map[int]bool{}
	}
	w.reusable = false
	in := w.Messages[at : at+1]
	for !l.givenUp(w.results[at].Err, w.attempts[at]) {
		if err := l.retry.wait(ctx, l.drained, w.attempts[at]); err != nil {
			return nil, err
		}
		w.attempts[at]++
		results, took, err := l.invoke(ctx, w, in)
		w.reusable, w.took = false, w.took+took
		if err != nil {
			return nil, err
		}
		w.hold.count(l.received(w, &in[0], &results[0]))
		if w.results[at] = results[0]; results[0].Err == nil {
			return nil, nil //nolint:nilnil // no dead letter
		}
	}
	letter := l.deadLetter(&in[0], w.results[at].Err, w.attempts[at]+1)
	w.results[at], w.buried[at] = Result{}, true
	w.processed-- // an empty result counts as processed when it is delivered
	return &letter, nil
}

// buryAll writes dead letters until they are durable. One that the broker refuses for what
// it is would hold the lane up for ever, and nobody may drop it: the instance stops.
func (l *lane) buryAll(ctx context.Context, dead []Message) error {
	for attempt := 0; len(dead) > 0; attempt++ {
		n, err := l.bury(ctx, dead)
		if err == nil {
			return nil
		}
		dead = dead[n:]
		if refused, ok := errors.AsType[*MessageError](err); ok {
			return l.unburied(&dead[min(max(refused.At, 0), len(dead)-1)], err)
		}
		if stop := l.stops(ctx, err); stop != nil {
			return stop
		}
		if err := l.retry.wait(ctx, l.drained, attempt); err != nil {
			return err
		}
	}
	return nil
}

// unburied says which message can neither be processed nor become a dead letter, and what
// helps.
func (l *lane) unburied(letter *Message, err error) error {
	in := letter.Cause
	behind := time.UnixMilli(in.PublishTime + 1).UTC().Format("2006-01-02T15:04:05.000Z07:00")
	return &TerminalError{Reason: "DeadLetterRefused", Err: fmt.Errorf(
		"message %s of %s, %d bytes, failed for the last time (%s), and its dead letter is refused: %w; let the broker take larger messages (Pulsar: maxMessageSize, and nettyMaxFrameSizeBytes of its bookies), or go on behind the message: seek --to %s",
		letter.Properties[DeadID], l.source.Name(), in.Size(), letter.Properties[DeadReason], err, behind)}
}

// bury writes dead letters and returns how many are durable.
func (l *lane) bury(ctx context.Context, dead []Message) (int, error) {
	if len(dead) == 0 {
		return 0, nil
	}
	if l.DeadLetter == nil {
		l.Logger.Warn("messages dropped after their last retry", "lane", l.source.Name(),
			"messages", len(dead), "reason", dead[len(dead)-1].Properties[DeadReason])
		return len(dead), nil
	}
	n, err := l.DeadLetter.Write(ctx, dead)
	l.Observer.DeadLettered(n)
	if n > 0 {
		l.told.deadLetters(time.Now(), l.Logger, l.source.Name(), dead[:n])
	}
	if err != nil && n < len(dead) {
		l.failed(SinkFailure, fmt.Errorf("dead letter, the message is kept: %w", err))
		return n, err
	}
	return len(dead), nil
}
