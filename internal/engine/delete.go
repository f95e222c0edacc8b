package engine

import (
	"context"
)

// Delete removes an object and waits, as long as ctx allows, until it is gone. An
// absent one is success.
func (e *Engine[S]) Delete(ctx context.Context, key Key, opts DeleteOptions) error {
	unlock, err := e.locks.lock(ctx, key)
	if err != nil {
		return err
	}
	defer unlock()
	_, err = raced(ctx, e.Timing, func() (struct{}, error) {
		have, err := e.Client.Observe(ctx, key)
		if err != nil || !have.Found {
			return struct{}{}, absent(err)
		}
		return struct{}{}, e.remove(ctx, key, have, opts)
	})
	return named(err, key)
}

// remove deletes what was observed and waits until it is gone.
func (e *Engine[S]) remove(ctx context.Context, key Key, have Observed[S], opts DeleteOptions) error {
	cause := absent(e.Client.Delete(ctx, have, opts))
	if cause != nil && (!ambiguous(cause) || Is(cause, Conflict)) {
		return cause
	}
	if cause != nil { // the answer may have been lost: what counts is what is there
		left, err := e.look(ctx, key)
		if absent(err) != nil || left.Found {
			return cause
		}
		return nil
	}
	_, err := e.poll(ctx, key, 0, func(have Observed[S]) (bool, error) { return !have.Found, nil })
	return absent(err)
}

// absent makes success of NotFound: without its parent an object is gone as well.
func absent(err error) error {
	if Is(err, NotFound) {
		return nil
	}
	return err
}
