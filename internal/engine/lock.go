package engine

import (
	"context"
	"sync"
)

// keyedLock serialises work per key. Waiting for it ends with the context.
type keyedLock struct {
	mu   sync.Mutex
	held map[Key]*keyLock
}

type keyLock struct {
	token chan struct{} // holds one value while the key is free
	users int           // holder and waiters; the entry goes with the last
}

// lock waits for the key and returns the function that frees it.
func (l *keyedLock) lock(ctx context.Context, key Key) (func(), error) {
	entry := l.enter(key)
	select {
	case <-entry.token:
	case <-ctx.Done():
		l.leave(key, entry)
		return nil, context.Cause(ctx)
	}
	return func() {
		entry.token <- struct{}{}
		l.leave(key, entry)
	}, nil
}

func (l *keyedLock) enter(key Key) *keyLock {
	l.mu.Lock()
	defer l.mu.Unlock()
	entry := l.held[key]
	if entry == nil {
		entry = &keyLock{token: make(chan struct{}, 1)}
		entry.token <- struct{}{}
		if l.held == nil {
			l.held = map[Key]*keyLock{}
		}
		l.held[key] = entry
	}
	entry.users++
	return entry
}

func (l *keyedLock) leave(key Key, entry *keyLock) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if entry.users--; entry.users == 0 {
		delete(l.held, key)
	}
}
