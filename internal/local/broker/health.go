package broker

import (
	"bytes"
	"net/http"
	"net/url"

	"github.com/nats-io/nats-server/v2/server"
)

// refuses reports whether a stream has met a failure to write. The server tells it
// only as the answer of its health check.
func (b *Broker) refuses() bool {
	w := &answer{header: http.Header{}}
	b.server.HandleHealthz(w, &http.Request{Method: http.MethodGet, URL: &url.URL{Path: server.HealthzPath}, Header: http.Header{}})
	return bytes.Contains(w.body.Bytes(), []byte("write error"))
}

// answer keeps what a handler writes.
type answer struct {
	header http.Header
	body   bytes.Buffer
}

func (a *answer) Header() http.Header         { return a.header }
func (a *answer) Write(p []byte) (int, error) { return a.body.Write(p) }
func (a *answer) WriteHeader(int)             {}
