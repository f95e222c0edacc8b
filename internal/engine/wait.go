package engine

import (
	"context"
	"errors"
	"fmt"
	"strings"
)

// maxLogLines bounds the log lines that an error quotes.
const maxLogLines = 12

// NotReadyError says that an object exists and does not run, with the status that
// was last seen. Terminal: waiting longer would not have helped.
type NotReadyError struct {
	Key      Key
	Status   Status
	Terminal bool
	Err      error // why waiting ended when not Terminal: the context's error, or the platform's silence
}

// Error has the reason, the message and the last log lines of what failed.
func (e *NotReadyError) Error() string {
	var b strings.Builder
	verb, err := "is not ready yet", e.Err
	switch {
	case e.Terminal:
		verb = "failed"
	case Is(err, Unavailable):
		b.WriteString(strings.TrimSuffix(err.Error(), ".") + ".\nWhen it last answered, ")
		verb, err = "was not ready yet", nil
	}
	fmt.Fprintf(&b, "%s %s %s (%d of %d instances ready)", e.Key.Kind, e.Key, verb, e.Status.Ready, e.Status.Wanted)
	if e.Status.Reason != "" && !strings.Contains(e.Status.Message, e.Status.Reason) {
		b.WriteString(": " + e.Status.Reason)
	}
	if e.Status.Message != "" {
		b.WriteString(": " + e.Status.Message)
	}
	if err != nil {
		b.WriteString(": " + err.Error())
	}
	if i := failing(e.Status.Instances); i != nil {
		lines := i.LogTail[max(0, len(i.LogTail)-maxLogLines):]
		fmt.Fprintf(&b, "\nlast log lines of %sinstance %d:\n  %s", label(i.Component), i.ID, strings.Join(lines, "\n  "))
	}
	return b.String()
}

// Unwrap gives why waiting ended.
func (e *NotReadyError) Unwrap() error { return e.Err }

// failing is the first instance that is not ready and logged something: copies of one
// component fail alike. Of those, one that says what failed goes first.
func failing(instances []Instance) *Instance {
	var found *Instance
	for i := range instances {
		candidate := &instances[i]
		if candidate.Ready || len(candidate.LogTail) == 0 {
			continue
		}
		if candidate.Error != "" {
			return candidate
		}
		if found == nil {
			found = candidate
		}
	}
	return found
}

func label(component string) string {
	if component == "" {
		return ""
	}
	return component + ", "
}

// Wait observes until the object is ready or stopped as asked. It gives up at once
// with a terminal NotReadyError when the platform says Failed, and with another when
// ctx ends or the platform does not answer any more. Progress, if not nil, is told
// every status that differs from the one before.
func (e *Engine[S]) Wait(ctx context.Context, key Key, progress func(Status)) (Observed[S], error) {
	var before string
	have, err := e.watched(ctx, key, func(have Observed[S]) (bool, error) {
		if !have.Found {
			return false, New(NotFound, errors.New("it vanished while waiting for it"))
		}
		if now := summary(have.Status); progress != nil && now != before {
			before = now
			progress(have.Status)
		}
		switch have.Status.Phase {
		case Ready, Stopped:
			return true, nil
		case Failed:
			return false, &NotReadyError{Key: key, Status: have.Status, Terminal: true}
		case Progressing:
		}
		return false, nil
	})
	return have, named(unready(ctx, key, have, err), key)
}

// unready puts what was last seen beside why waiting ended, unless err tells it already.
func unready[S any](ctx context.Context, key Key, have Observed[S], err error) error {
	_, told := errors.AsType[*NotReadyError](err)
	switch {
	case told || !have.Found:
	case Is(err, Unavailable):
		return &NotReadyError{Key: key, Status: have.Status, Err: err}
	case err != nil && ctx.Err() != nil:
		return &NotReadyError{Key: key, Status: have.Status, Err: context.Cause(ctx)}
	}
	return err
}

// summary is what a person sees of a status; counters do not belong to it.
func summary(s Status) string {
	return fmt.Sprintf("%s|%s|%s|%d|%d", s.Phase, s.Reason, s.Message, s.Wanted, s.Ready)
}

// watched is poll, woken by the client where it can tell of changes.
func (e *Engine[S]) watched(ctx context.Context, key Key, done func(Observed[S]) (bool, error)) (Observed[S], error) {
	watcher, ok := e.Client.(Watcher)
	if !ok {
		return e.poll(ctx, key, 0, done)
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel() // ends the watch
	changed, err := watcher.Watch(ctx, key)
	if err != nil {
		return e.poll(ctx, key, 0, done)
	}
	for {
		have, err := e.Client.Observe(ctx, key)
		if Is(err, Unavailable) {
			return e.poll(ctx, key, 0, done) // which bears an outage
		}
		if err != nil {
			return have, err
		}
		if ok, err := done(have); ok || err != nil {
			return have, err
		}
		select {
		case <-ctx.Done():
			return have, context.Cause(ctx)
		case _, open := <-changed:
			if !open {
				return e.poll(ctx, key, 0, done)
			}
		}
	}
}
