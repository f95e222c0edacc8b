package local

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"sync"
	"time"

	"github.com/functionmesh/terraform-provider-functionmesh/internal/engine"
	"github.com/functionmesh/terraform-provider-functionmesh/internal/local/home"
	"github.com/functionmesh/terraform-provider-functionmesh/internal/local/process"
)

const (
	askEvery    = time.Second      // between two questions whether a daemon lives, while a request waits
	silentAfter = 10 * time.Second // a daemon that answers nothing for so long is given up
)

// silence is the failure of a daemon that lives and answers nothing.
type silence struct {
	socket string
	pid    int
	since  time.Time
}

// Error says for how long it has been silent, and why if that can be seen.
func (s *silence) Error() string {
	text := fmt.Sprintf("the local platform at %s (process %d) has not answered since %s, for %s",
		s.socket, s.pid, s.since.Format(time.TimeOnly), time.Since(s.since).Round(time.Second))
	if s.stopped() {
		text += ": its process is stopped"
	}
	return text
}

func (s *silence) stopped() bool { return process.Stopped(s.pid) }

// isStopped reports a silence that does not end by itself.
func isStopped(err error) bool {
	s, ok := errors.AsType[*silence](err)
	return ok && s.stopped()
}

// class makes it an error that says what to do.
func (s *silence) class(dir home.Dir) *engine.Error {
	again := fmt.Sprintf("end it with `kill -KILL %d`: the next command starts it again with all that is declared", s.pid)
	hint := "Its log is " + dir.Path(logName) + ". If it stays silent, " + again
	if s.stopped() {
		hint = fmt.Sprintf("Let it go on with `kill -CONT %d`, or %s", s.pid, again)
	}
	return &engine.Error{Class: engine.Unavailable, Hint: hint, Err: s}
}

// listener is the transport to a daemon's socket. A request may take its time as long
// as the daemon answers others; when it answers nothing the request ends with a silence.
type listener struct {
	base   http.RoundTripper
	dir    home.Dir
	socket string
	pid    int
	every  time.Duration // between two questions whether it lives
	answer time.Duration // how long each waits for its answer
	limit  time.Duration // how long it may answer nothing

	mu    sync.Mutex
	since time.Time // zero: it answered last
}

// RoundTrip implements http.RoundTripper.
func (l *listener) RoundTrip(req *http.Request) (*http.Response, error) {
	ctx, cancel := context.WithCancelCause(req.Context())
	asking, stop := context.WithCancel(ctx)
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		l.listen(asking, cancel)
	}()
	res, err := l.base.RoundTrip(req.WithContext(ctx))
	stop()
	<-ended
	if err != nil {
		if silent := context.Cause(ctx); silent != nil && req.Context().Err() == nil {
			err = silent
		}
		cancel(nil)
		return nil, err
	}
	l.heard()
	res.Body = &body{ReadCloser: res.Body, closed: func() { cancel(nil) }}
	return res, nil
}

// listen asks whether the daemon lives until ctx ends, and gives it up when it does not.
func (l *listener) listen(ctx context.Context, giveUp context.CancelCauseFunc) {
	asked := time.Now()
	for {
		select {
		case <-ctx.Done():
			return
		case <-time.After(l.every):
		}
		if l.alive(ctx) {
			l.heard()
			asked = time.Now()
			continue
		}
		if ctx.Err() != nil {
			return
		}
		if since := l.missing(asked); time.Since(since) >= l.limit {
			giveUp((&silence{socket: l.socket, pid: l.pid, since: since}).class(l.dir))
			return
		}
	}
}

// alive reports whether anything is answered: that nothing is at this address is an
// answer too, and one that needs nothing which the daemon may be busy with.
func (l *listener) alive(ctx context.Context) bool {
	ctx, cancel := context.WithTimeout(ctx, l.answer)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodHead, "http://local"+sidePath+"/", http.NoBody)
	if err != nil {
		return false
	}
	res, err := l.base.RoundTrip(req)
	if err != nil {
		return false
	}
	return res.Body.Close() == nil
}

func (l *listener) heard() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.since = time.Time{}
}

// missing notes that the daemon is silent, from at on if that is new, and returns since
// when it is.
func (l *listener) missing(at time.Time) time.Time {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.since.IsZero() {
		l.since = at
	}
	return l.since
}

// CloseIdleConnections is called by http.Client's.
func (l *listener) CloseIdleConnections() {
	if base, ok := l.base.(interface{ CloseIdleConnections() }); ok {
		base.CloseIdleConnections()
	}
}

// body ends the request's context when it is closed.
type body struct {
	io.ReadCloser
	closed func()
}

func (b *body) Close() error {
	defer b.closed()
	return b.ReadCloser.Close()
}
