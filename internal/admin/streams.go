package admin

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/functionmesh/terraform-provider-functionmesh/internal/engine"
	"github.com/functionmesh/terraform-provider-functionmesh/internal/spec"
)

// Streams prepares the topics and subscriptions of components that run elsewhere and
// have their streams on a Pulsar. It is safe for concurrent use.
type Streams struct{ *api }

// NewStreams makes no network call.
func NewStreams(o Options) (*Streams, error) {
	a, err := open(o)
	if err != nil {
		return nil, err
	}
	return &Streams{a}, nil
}

// position is Pulsar's message id; the two extremes are places of their own.
type position struct {
	Ledger int64 `json:"ledgerId"`
	Entry  int64 `json:"entryId"`
}

func positionOf(earliest bool) position {
	if earliest {
		return position{Ledger: -1, Entry: -1}
	}
	const end = 1<<63 - 1
	return position{Ledger: end, Entry: end}
}

// stream is a topic, or one partition of one, by its full name.
type stream struct{ spec.TopicName }

func parse(topic string) (stream, error) {
	name, err := spec.ParseTopic(topic, "", "")
	if err != nil {
		return stream{}, engine.New(engine.Invalid, err)
	}
	return stream{name}, nil
}

func (s stream) path(parts ...string) string {
	full := s.String()
	at := []string{"/admin/v2", s.Domain, segment(s.Tenant), segment(s.Namespace), segment(full[strings.LastIndexByte(full, '/')+1:])}
	return strings.Join(append(at, parts...), "/")
}

// subscription escapes the name once more than a path needs: Pulsar decodes it twice,
// because names of subscriptions may have slashes.
func (s stream) subscription(name string, parts ...string) string {
	return s.path(append([]string{"subscription", url.PathEscape(url.QueryEscape(name))}, parts...)...)
}

func (s stream) parent() engine.Key { return keyOf(spec.KindTopic, s.Tenant, s.Namespace, s.Local) }

// EnsureTopic returns how many partitions a topic has, 0 for one without, and makes it
// when it is missing as the Pulsar itself would on first use: with the partitions that
// its policies say. NotFound where they forbid it or where the namespace is missing.
func (s *Streams) EnsureTopic(ctx context.Context, topic string) (partitions int, err error) {
	t, err := parse(topic)
	if err != nil {
		return 0, err
	}
	var m metadata
	_, err = s.call(ctx, func(ctx context.Context) error {
		_, err := s.rest.GetWithQueryParamsWithContext(ctx, t.path("partitions"), &m, map[string]string{"checkAllowAutoCreation": "true"}, true)
		return err
	})
	switch {
	case engine.Is(err, engine.NotFound):
		if missing := s.parent(ctx, t.parent()); missing != nil {
			return 0, missing
		}
		return 0, &engine.Error{
			Class: engine.NotFound, Err: fmt.Errorf("topic %s is not there, and its namespace lets none be made on first use", topic),
			Hint: "Declare it with functionmesh_topic, or allow automatic creation in the namespace",
		}
	case err != nil:
		return 0, err
	case t.Partition != spec.NoPartition:
		return 0, nil // the answer is about the whole topic
	case m.Partitions > 0 || t.Domain != spec.Persistent:
		return m.Partitions, nil
	}
	// Now it may exist, and is unpartitioned if it does not yet.
	_, err = s.call(ctx, func(ctx context.Context) error { return s.rest.PutWithContext(ctx, t.path(), nil) })
	if engine.Is(err, engine.Exists) {
		err = nil
	}
	return 0, err
}

// Subscribe makes a subscription at the earliest or at the latest position, on every
// partition. One that is there stays where it is.
func (s *Streams) Subscribe(ctx context.Context, topic, subscription string, earliest bool) error {
	t, err := parse(topic)
	if err != nil {
		return err
	}
	_, err = s.call(ctx, func(ctx context.Context) error {
		return s.rest.PutWithContext(ctx, t.subscription(subscription), positionOf(earliest))
	})
	if engine.Is(err, engine.Exists) {
		return nil
	}
	return err
}

// Unsubscribe deletes a subscription with its backlog; an absent one is no error.
func (s *Streams) Unsubscribe(ctx context.Context, topic, subscription string) error {
	t, err := parse(topic)
	if err != nil {
		return err
	}
	_, err = s.call(ctx, func(ctx context.Context) error {
		return s.rest.DeleteWithContext(ctx, t.subscription(subscription))
	})
	if engine.Is(err, engine.NotFound) {
		return nil
	}
	return err
}

// Subscriptions are the names of a topic's subscriptions, sorted; NotFound when there is
// no such topic.
func (s *Streams) Subscriptions(ctx context.Context, topic string) ([]string, error) {
	t, err := parse(topic)
	if err != nil {
		return nil, err
	}
	var names []string
	_, err = s.call(ctx, func(ctx context.Context) error {
		return s.rest.GetWithContext(ctx, t.path("subscriptions"), &names)
	})
	slices.Sort(names)
	return names, err
}

// DeleteSubscription deletes a subscription that exists, with its backlog. Force also
// closes the consumers that read by it.
func (s *Streams) DeleteSubscription(ctx context.Context, topic, subscription string, force bool) error {
	t, err := parse(topic)
	if err != nil {
		return err
	}
	_, err = s.call(ctx, func(ctx context.Context) error {
		return s.rest.DeleteWithQueryParamsWithContext(ctx, t.subscription(subscription), map[string]string{"force": strconv.FormatBool(force)})
	})
	return err
}

// Seek moves a subscription that nobody reads by: to "earliest", to "latest", or to the
// first message published at or after a time of RFC 3339.
func (s *Streams) Seek(ctx context.Context, topic, subscription, to string) error {
	t, err := parse(topic)
	if err != nil {
		return err
	}
	var path string
	switch to {
	case string(spec.Latest):
		path = t.subscription(subscription, "skip_all")
	case string(spec.Earliest):
		path = t.subscription(subscription, "resetcursor", "0")
	default:
		at, err := time.Parse(time.RFC3339, to)
		if err != nil {
			return &engine.Error{
				Class: engine.Invalid, Path: "to", Err: errors.New("is neither earliest, latest nor a time"),
				Hint: "Write a time as 2006-01-02T15:04:05Z",
			}
		}
		path = t.subscription(subscription, "resetcursor", strconv.FormatInt(at.UnixMilli(), 10))
	}
	_, err = s.call(ctx, func(ctx context.Context) error { return s.rest.PostWithContext(ctx, path, nil) })
	return err
}

// Deduplicates tells whether the broker drops repeats on a topic. known is false where
// our role may not read the policy.
func (s *Streams) Deduplicates(ctx context.Context, topic string) (on, known bool, err error) {
	t, err := parse(topic)
	if err != nil {
		return false, false, err
	}
	namespace := "/admin/v2/namespaces/" + segment(t.Tenant) + "/" + segment(t.Namespace)
	// With topic policies the first tells all, the broker's default included.
	for _, path := range []string{t.path("deduplicationEnabled"), namespace + "/deduplication"} {
		var policy *bool
		_, err = s.call(ctx, func(ctx context.Context) error {
			_, err := s.rest.GetWithQueryParamsWithContext(ctx, path, &policy, map[string]string{"applied": "true"}, true)
			return err
		})
		switch {
		case err == nil && policy != nil:
			return *policy, true, nil
		case err == nil || untold(err):
		default:
			return false, false, err
		}
	}
	return false, false, nil
}

// untold reports an answer that does not tell a policy: not to our role, or not at all.
func untold(err error) bool {
	class := engine.ClassOf(err)
	return class == engine.Forbidden || class == engine.Invalid || class == engine.NotFound
}
