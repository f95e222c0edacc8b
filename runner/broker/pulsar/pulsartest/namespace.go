package pulsartest

import (
	"context"
	"errors"
	"math"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/functionmesh/terraform-provider-functionmesh/internal/wire"
)

// Policies are what a namespace of a test is made with.
type Policies struct {
	Deduplication bool
	Retention     bool // acknowledged messages are kept, so that topics can be read again; topics without a subscription keep theirs anyway only with it
	Bundles       int  // 0: the server's default
}

// Namespace is one test's own.
type Namespace struct {
	*Server
	Name string // tenant/namespace
}

// serial tells apart the namespaces of one process.
var serial atomic.Int64 //nolint:gochecknoglobals // a counter of names

// Namespace makes a namespace that is deleted, with all in it, when the test ends.
func (s *Server) Namespace(t testing.TB, p Policies) *Namespace {
	t.Helper()
	name := "public/t" + strconv.FormatInt(time.Now().UnixNano(), 36) + "-" + strconv.FormatInt(serial.Add(1), 36)
	n := &Namespace{Server: s, Name: name}
	policies := map[string]any{}
	if p.Bundles > 0 {
		policies["bundles"] = map[string]any{"numBundles": p.Bundles}
	}
	s.must(t, request{method: http.MethodPut, path: "/admin/v2/namespaces/" + name, in: policies}, http.StatusConflict)
	t.Cleanup(func() { s.drop(t, name) })
	if p.Retention {
		s.must(t, request{method: http.MethodPost, path: "/admin/v2/namespaces/" + name + "/retention", in: map[string]int{"retentionTimeInMinutes": -1, "retentionSizeInMB": -1}})
	}
	n.SetDeduplication(t, p.Deduplication)
	return n
}

// drop deletes a namespace. A broker that is not able to at the moment is no failure of
// the test.
func (s *Server) drop(t testing.TB, name string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.WithoutCancel(t.Context()), 20*time.Second)
	defer cancel()
	for {
		err := s.Admin(ctx, http.MethodDelete, "/admin/v2/namespaces/"+name+"?force=true", nil, nil)
		var status *statusError
		if err == nil || errors.As(err, &status) && status.code == http.StatusNotFound {
			return
		}
		if ctx.Err() != nil {
			t.Logf("namespace %s stays: %v", name, err)
			return
		}
		pause(ctx, 200*time.Millisecond)
	}
}

// SetDeduplication turns it on or off for what is published from now on.
func (n *Namespace) SetDeduplication(t testing.TB, on bool) {
	t.Helper()
	n.must(t, request{method: http.MethodPost, path: "/admin/v2/namespaces/" + n.Name + "/deduplication", in: on})
}

// Topic makes a topic, or none of which exists yet; partitions 0 is an unpartitioned
// one. It returns the full name.
func (n *Namespace) Topic(t testing.TB, local string, partitions int) string {
	t.Helper()
	topic := n.Full(local)
	n.Create(t, topic, partitions)
	return topic
}

// Create makes a topic of a full name, unless it is there.
func (s *Server) Create(t testing.TB, topic string, partitions int) {
	t.Helper()
	if partitions == 0 {
		s.must(t, request{method: http.MethodPut, path: path(topic)}, http.StatusConflict)
		return
	}
	s.must(t, request{method: http.MethodPut, path: path(topic) + "/partitions", in: partitions}, http.StatusConflict)
}

// Full is the full name of a topic of the namespace.
func (n *Namespace) Full(local string) string { return "persistent://" + n.Name + "/" + local }

// Partition is the full name of one partition; the topic itself when it has none.
func Partition(topic string, partitions, p int) string {
	if partitions == 0 {
		return topic
	}
	return topic + "-partition-" + strconv.Itoa(p)
}

// path is a topic's place in the REST API.
func path(topic string) string {
	parts := strings.SplitN(strings.TrimPrefix(topic, "persistent://"), "/", 3)
	return "/admin/v2/persistent/" + parts[0] + "/" + parts[1] + "/" + url.PathEscape(parts[2])
}

// Grow raises the number of partitions.
func (s *Server) Grow(t testing.TB, topic string, partitions int) {
	t.Helper()
	s.must(t, request{method: http.MethodPost, path: path(topic) + "/partitions", in: partitions})
}

// Partitions is how many a topic has; 0 for an unpartitioned one.
func (s *Server) Partitions(t testing.TB, topic string) int {
	t.Helper()
	var meta struct {
		Partitions int `json:"partitions"`
	}
	s.must(t, request{method: http.MethodGet, path: path(topic) + "/partitions", out: &meta})
	return meta.Partitions
}

// Unload makes the broker give a topic, or all its partitions, up; the next request
// loads it again.
func (s *Server) Unload(t testing.TB, topic string) {
	t.Helper()
	s.must(t, request{method: http.MethodPut, path: path(topic) + "/unload"})
}

// Delete removes a topic with its producers and consumers.
func (s *Server) Delete(t testing.TB, topic string) {
	t.Helper()
	suffix := "?force=true"
	if s.Partitions(t, topic) > 0 {
		suffix = "/partitions?force=true"
	}
	s.must(t, request{method: http.MethodDelete, path: path(topic) + suffix}, http.StatusNotFound)
}

// positions are message ids before the first message and behind the last.
var positions = map[string]map[string]int64{
	"earliest": {"ledgerId": -1, "entryId": -1, "partitionIndex": -1},
	"latest":   {"ledgerId": math.MaxInt64, "entryId": math.MaxInt64, "partitionIndex": -1},
}

// Subscribe makes a subscription at a position, earliest or latest, of a topic.
func (s *Server) Subscribe(t testing.TB, topic, name, position string) {
	t.Helper()
	s.must(t, request{method: http.MethodPut, path: path(topic) + "/subscription/" + url.PathEscape(name), in: positions[position]}, http.StatusConflict)
}

// Rewind moves a subscription before the oldest message.
func (s *Server) Rewind(t testing.TB, topic, name string) {
	t.Helper()
	s.must(t, request{method: http.MethodPost, path: path(topic) + "/subscription/" + url.PathEscape(name) + "/resetcursor/0"})
}

// Unsubscribe deletes a subscription under its consumers.
func (s *Server) Unsubscribe(t testing.TB, topic, name string) {
	t.Helper()
	s.must(t, request{method: http.MethodDelete, path: path(topic) + "/subscription/" + url.PathEscape(name) + "?force=true"}, http.StatusNotFound)
}

// Subscriptions are the names of those of a topic.
func (s *Server) Subscriptions(t testing.TB, topic string) []string {
	t.Helper()
	var names []string
	s.must(t, request{method: http.MethodGet, path: path(topic) + "/subscriptions", out: &names})
	return names
}

// Subscription is what a component reads a topic of these tests with.
func Subscription(name string, mode wire.Mode) wire.Subscription {
	return wire.Subscription{Name: name, Mode: mode, Position: "earliest"}
}
