package local

import (
	"context"
	"errors"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"testing"
	"time"

	"github.com/functionmesh/terraform-provider-functionmesh/internal/engine"
)

func TestDaemonThatAnswersNothingIsGivenUp(t *testing.T) {
	cases := map[string]struct {
		serve  func(w *wakeful, r *http.Request)
		answer time.Duration
		silent bool
		ended  bool // by the caller
	}{
		"Answers": {serve: func(*wakeful, *http.Request) {}, answer: time.Hour},
		"SlowButAlive": {serve: func(w *wakeful, r *http.Request) {
			if r.Method == http.MethodHead {
				w.asked <- struct{}{}
				return
			}
			for range 3 {
				<-w.asked
			}
		}, answer: time.Hour},
		"Frozen":     {serve: func(w *wakeful, _ *http.Request) { <-w.thawed }, answer: time.Millisecond, silent: true},
		"CallerEnds": {serve: func(w *wakeful, _ *http.Request) { w.cancel(); <-w.thawed }, answer: time.Hour, ended: true},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			ctx, cancel := context.WithCancel(t.Context())
			w := &wakeful{asked: make(chan struct{}, 1000), thawed: make(chan struct{}), cancel: cancel}
			s := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { c.serve(w, r) }))
			defer s.Close()
			defer close(w.thawed)
			l := &listener{
				base: &http.Transport{DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
					return (&net.Dialer{}).DialContext(ctx, "tcp", s.Listener.Addr().String())
				}},
				socket: "/s", pid: os.Getpid(), every: time.Millisecond, answer: c.answer, limit: time.Nanosecond,
			}
			defer l.CloseIdleConnections()
			req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://local/x", http.NoBody)
			if err != nil {
				t.Fatal(err)
			}
			res, err := (&http.Client{Transport: l}).Do(req)
			if err == nil {
				err = res.Body.Close()
			}
			_, silent := errors.AsType[*silence](err)
			if silent != c.silent || engine.Is(err, engine.Unavailable) != c.silent || errors.Is(err, context.Canceled) != c.ended || (err != nil) != (c.silent || c.ended) {
				t.Errorf("request: %v", err)
			}
		})
	}
}

// wakeful is what the handlers of one server share.
type wakeful struct {
	asked  chan struct{} // whether it lives
	thawed chan struct{} // closed at the end
	cancel func()        // ends the caller
}
