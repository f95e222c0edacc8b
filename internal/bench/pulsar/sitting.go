//go:build unix

package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"runtime"
	"slices"
	"testing"
)

// sitting lets the packages that tests use work outside a test: a failure ends the
// program with the error, and what was started ends with it.
type sitting struct {
	testing.TB // never called: what is used is below

	ctx      context.Context //nolint:containedctx // the life of the program, as a test's is
	cancel   context.CancelFunc
	cleanups []func()
	failed   error
	ended    bool // by a Fatal, in the middle
}

func newSitting(ctx context.Context) *sitting {
	s := &sitting{}
	s.ctx, s.cancel = context.WithCancel(ctx)
	return s
}

// do runs f in a goroutine of its own, which is what Fatal ends, and waits for it.
func (s *sitting) do(f func()) {
	done := make(chan struct{})
	go func() { defer close(done); f() }()
	<-done
}

// end runs what has to be cleaned up, the last first.
func (s *sitting) end() error {
	s.cancel()
	for _, v := range slices.Backward(s.cleanups) {
		s.do(v)
	}
	return s.failed
}

// Context implements testing.TB.
func (s *sitting) Context() context.Context { return s.ctx }

// Helper implements testing.TB.
func (s *sitting) Helper() {}

// Cleanup implements testing.TB.
func (s *sitting) Cleanup(f func()) { s.cleanups = append(s.cleanups, f) }

// TempDir implements testing.TB.
func (s *sitting) TempDir() string {
	dir, err := os.MkdirTemp("", "fmbench")
	if err != nil {
		s.Fatal(err)
	}
	s.Cleanup(func() { _ = os.RemoveAll(dir) })
	return dir
}

// Log implements testing.TB.
func (s *sitting) Log(args ...any) { fmt.Fprintln(os.Stderr, args...) }

// Logf implements testing.TB.
func (s *sitting) Logf(format string, args ...any) { fmt.Fprintf(os.Stderr, format+"\n", args...) }

// Errorf implements testing.TB.
func (s *sitting) Errorf(format string, args ...any) {
	s.failed = errors.Join(s.failed, fmt.Errorf(format, args...))
}

// Failed implements testing.TB.
func (s *sitting) Failed() bool { return s.failed != nil }

// Fatal implements testing.TB. Only goroutines of do call it.
func (s *sitting) Fatal(args ...any) {
	s.failed, s.ended = errors.Join(s.failed, errors.New(fmt.Sprint(args...))), true
	runtime.Goexit()
}

// Fatalf implements testing.TB.
func (s *sitting) Fatalf(format string, args ...any) { s.Fatal(fmt.Sprintf(format, args...)) }

// Skip implements testing.TB: what is missing is an error here.
func (s *sitting) Skip(args ...any) { s.Fatal(args...) }
