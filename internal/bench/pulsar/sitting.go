package main

import (
	"context"
	"errors"
	"fmt"
	"os"
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
}

// failure is what Fatal throws and caught catches.
type failure struct{ err error }

func newSitting(ctx context.Context) *sitting {
	s := &sitting{}
	s.ctx, s.cancel = context.WithCancel(ctx)
	return s
}

// caught turns a Fatal into the error that end returns. It is deferred.
func (s *sitting) caught() {
	switch thrown := recover().(type) {
	case nil:
	case failure:
		s.failed = errors.Join(s.failed, thrown.err)
	default:
		s.failed = errors.Join(s.failed, fmt.Errorf("%v", thrown))
	}
}

// end runs what has to be cleaned up, the last first.
func (s *sitting) end(err error) error {
	s.cancel()
	for i := len(s.cleanups) - 1; i >= 0; i-- {
		func() {
			defer s.caught()
			s.cleanups[i]()
		}()
	}
	return errors.Join(err, s.failed)
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

// Fatal implements testing.TB.
func (s *sitting) Fatal(args ...any) {
	panic(failure{errors.New(fmt.Sprint(args...))}) //nolint:forbidigo // caught above
}

// Fatalf implements testing.TB.
func (s *sitting) Fatalf(format string, args ...any) { s.Fatal(fmt.Sprintf(format, args...)) }

// Skip implements testing.TB: what is missing is an error here.
func (s *sitting) Skip(args ...any) { s.Fatal(args...) }
