package gateway

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"

	"github.com/go-chi/chi/v5"

	"github.com/functionmesh/terraform-provider-functionmesh/internal/catalog"
	"github.com/functionmesh/terraform-provider-functionmesh/internal/engine"
	"github.com/functionmesh/terraform-provider-functionmesh/internal/pulsarform"
	"github.com/functionmesh/terraform-provider-functionmesh/internal/spec"
)

var errImmutable = errors.New("it cannot be changed in place")

func (s *server) topicRoutes(r chi.Router) {
	none := func(w http.ResponseWriter, _ *http.Request) { answer(w, []string{}) }
	r.Get("/non-persistent/{tenant}/{namespace}", none)
	r.Get("/non-persistent/{tenant}/{namespace}/partitioned", none)
	r.Route("/persistent/{tenant}/{namespace}", func(r chi.Router) {
		r.Get("/", s.listTopics)
		r.Get("/partitioned", s.listPartitioned)
		r.Put("/{name}", s.createTopic)
		r.Delete("/{name}", s.deleteTopic)
		r.Put("/{name}/partitions", s.createTopic)
		r.Get("/{name}/partitions", s.getPartitions)
		r.Post("/{name}/partitions", s.updatePartitions)
		r.Delete("/{name}/partitions", s.deleteTopic)
		r.Get("/{name}/properties", s.getProperties)
		r.Put("/{name}/properties", s.putProperties)
		r.Delete("/{name}/properties", s.deleteProperty)
		r.Get("/{name}/stats", s.topicStats)
		r.Get("/{name}/partitioned-stats", s.topicStats)
		r.Get("/{name}/internalStats", s.topicInternalStats)
		r.Get("/{name}/subscriptions", s.subscriptions)
		r.Delete("/{name}/subscription/*", s.deleteSubscription) // the name of one has slashes
	})
}

func (s *server) topicsIn(r *http.Request) ([]engine.Observed[spec.Topic], error) {
	in := engine.Key{Kind: string(spec.KindTopic), Tenant: param(r, "tenant"), Namespace: param(r, "namespace")}
	parent := engine.Key{Kind: string(spec.KindNamespace), Tenant: in.Tenant, Name: in.Namespace}
	if _, err := observe(r.Context(), s.Clients.Namespaces, parent); err != nil {
		return nil, err
	}
	return list(r.Context(), s.Clients.Topics, in)
}

// listTopics lists as Pulsar does: each partition is a topic.
func (s *server) listTopics(w http.ResponseWriter, r *http.Request) {
	all, err := s.topicsIn(r)
	names := []string{}
	for _, t := range all {
		n := partitions(t.Spec)
		if n == 0 {
			names = append(names, t.Spec.FullName())
		}
		for i := range n {
			names = append(names, fmt.Sprintf("%s-partition-%d", t.Spec.FullName(), i))
		}
	}
	slices.Sort(names)
	answerOr(w, names, err)
}

func (s *server) listPartitioned(w http.ResponseWriter, r *http.Request) {
	all, err := s.topicsIn(r)
	names := []string{}
	for _, t := range all {
		if partitions(t.Spec) > 0 {
			names = append(names, t.Spec.FullName())
		}
	}
	slices.Sort(names)
	answerOr(w, names, err)
}

func partitions(t spec.Topic) int {
	if t.Partitions == nil {
		return 0
	}
	return *t.Partitions
}

// partitionsBody is a number, or Pulsar's partitioned topic metadata.
type partitionsBody struct {
	Partitions int               `json:"partitions"`
	Properties map[string]string `json:"properties"`
}

// UnmarshalJSON reads either form.
func (b *partitionsBody) UnmarshalJSON(text []byte) error {
	if !strings.HasPrefix(strings.TrimSpace(string(text)), "{") {
		return json.Unmarshal(text, &b.Partitions)
	}
	type plain partitionsBody
	return json.Unmarshal(text, (*plain)(b))
}

// createTopic makes a topic, partitioned when the path says so.
func (s *server) createTopic(w http.ResponseWriter, r *http.Request) {
	var body partitionsBody
	var err error
	partitioned := strings.HasSuffix(r.URL.Path, "/partitions")
	if partitioned {
		err = readJSON(r, &body)
		if err == nil && body.Partitions < 1 {
			err = invalid("partitions", "a partitioned topic needs at least one partition, got %d", body.Partitions)
		}
	} else {
		err = readJSON(r, &body.Properties)
	}
	if err == nil {
		want := topicObject(keyOf(r, spec.KindTopic), body)
		if err = problems(catalog.Topic().Validate(want.Spec)); err == nil {
			_, err = s.Clients.Topics.Create(r.Context(), want)
		}
	}
	done(w, err)
}

// topicObject takes our marks out of the properties.
func topicObject(key engine.Key, body partitionsBody) engine.Object[spec.Topic] {
	out := engine.Object[spec.Topic]{Spec: spec.Topic{Tenant: key.Tenant, Namespace: key.Namespace, Name: key.Name}}
	if body.Partitions > 0 {
		out.Spec.Partitions = &body.Partitions
	}
	for k, v := range body.Properties {
		switch {
		case k == pulsarform.PropertyOwner:
			out.Marks.Owner = v
		case k == pulsarform.PropertyCreating:
			out.Marks.Creating = v == "true"
		case strings.HasPrefix(k, pulsarform.PropertyPrefix): // reserved, and not known to this version
		default:
			if out.Spec.Properties == nil {
				out.Spec.Properties = map[string]string{}
			}
			out.Spec.Properties[k] = v
		}
	}
	return out
}

// propertiesOf puts our marks among the properties.
func propertiesOf(o engine.Object[spec.Topic]) map[string]string {
	out := map[string]string{}
	maps.Copy(out, o.Spec.Properties)
	if o.Marks.Owner != "" {
		out[pulsarform.PropertyOwner] = o.Marks.Owner
	}
	if o.Marks.Creating {
		out[pulsarform.PropertyCreating] = "true"
	}
	return out
}

func (s *server) getPartitions(w http.ResponseWriter, r *http.Request) {
	have, err := observe(r.Context(), s.Clients.Topics, keyOf(r, spec.KindTopic))
	answerOr(w, map[string]any{
		"partitions": partitions(have.Spec), "deleted": false, "properties": propertiesOf(have.Object),
	}, err)
}

func (s *server) changeTopic(r *http.Request, change func(*engine.Object[spec.Topic])) error {
	have, err := observe(r.Context(), s.Clients.Topics, keyOf(r, spec.KindTopic))
	if err != nil {
		return err
	}
	want := engine.Object[spec.Topic]{Spec: have.Spec.Clone(), Marks: have.Marks}
	change(&want)
	have.Owned = []string{"properties"} // the last one that goes is cleared, not left to the platform
	return write(r.Context(), s.Clients.Topics, catalog.Topic(), have, want)
}

func (s *server) updatePartitions(w http.ResponseWriter, r *http.Request) {
	var body partitionsBody
	err := readJSON(r, &body)
	if err == nil {
		err = s.changeTopic(r, func(want *engine.Object[spec.Topic]) { want.Spec.Partitions = &body.Partitions })
	}
	done(w, err)
}

func (s *server) getProperties(w http.ResponseWriter, r *http.Request) {
	have, err := observe(r.Context(), s.Clients.Topics, keyOf(r, spec.KindTopic))
	answerOr(w, propertiesOf(have.Object), err)
}

// putProperties adds to the properties, as Pulsar does.
func (s *server) putProperties(w http.ResponseWriter, r *http.Request) {
	var body partitionsBody
	err := readJSON(r, &body.Properties)
	if err == nil {
		err = s.changeTopic(r, func(want *engine.Object[spec.Topic]) {
			all := propertiesOf(*want)
			maps.Copy(all, body.Properties)
			setProperties(want, all)
		})
	}
	done(w, err)
}

func setProperties(want *engine.Object[spec.Topic], all map[string]string) {
	next := topicObject(engine.Key{}, partitionsBody{Properties: all})
	want.Spec.Properties, want.Marks = next.Spec.Properties, next.Marks
}

func (s *server) deleteProperty(w http.ResponseWriter, r *http.Request) {
	name := r.URL.Query().Get("key")
	done(w, s.changeTopic(r, func(want *engine.Object[spec.Topic]) {
		all := propertiesOf(*want)
		delete(all, name)
		setProperties(want, all)
	}))
}

// deleteTopic deletes what the path says: a topic, or all partitions of one.
func (s *server) deleteTopic(w http.ResponseWriter, r *http.Request) {
	key := keyOf(r, spec.KindTopic)
	have, err := observe(r.Context(), s.Clients.Topics, key)
	if partitioned := strings.HasSuffix(r.URL.Path, "/partitions"); err == nil && partitioned != (partitions(have.Spec) > 0) {
		word := map[bool]string{true: "partitioned", false: "not partitioned"}
		err = &engine.Error{
			Class: engine.NotFound, Err: fmt.Errorf("topic %s is %s, not %s", key, word[!partitioned], word[partitioned]),
		}
	}
	if err == nil {
		err = s.Clients.Topics.Delete(r.Context(), have, engine.DeleteOptions{Force: r.URL.Query().Get("force") == "true"})
	}
	done(w, err)
}

func (s *server) inspect(ctx context.Context, key engine.Key) (TopicStats, error) {
	have, err := observe(ctx, s.Clients.Topics, key)
	if err != nil {
		return TopicStats{}, err
	}
	if s.Topics == nil {
		return TopicStats{}, invalid("", "statistics of topics are not kept here")
	}
	return s.Topics.TopicStats(ctx, have.Spec)
}

func (s *server) topicStats(w http.ResponseWriter, r *http.Request) {
	stats, err := s.inspect(r.Context(), keyOf(r, spec.KindTopic))
	subscriptions := map[string]any{}
	for _, sub := range stats.Subscriptions {
		subscriptions[sub.Name] = map[string]any{"msgBacklog": sub.Backlog, "type": sub.Mode}
	}
	answerOr(w, map[string]any{
		"msgInCounter": stats.In, "storageSize": stats.Bytes, "backlogSize": stats.Bytes, "subscriptions": subscriptions,
	}, err)
}

func (s *server) topicInternalStats(w http.ResponseWriter, r *http.Request) {
	stats, err := s.inspect(r.Context(), keyOf(r, spec.KindTopic))
	answerOr(w, map[string]any{
		"entriesAddedCounter": stats.In, "numberOfEntries": stats.Messages, "totalSize": stats.Bytes,
	}, err)
}

func (s *server) subscriptions(w http.ResponseWriter, r *http.Request) {
	stats, err := s.inspect(r.Context(), keyOf(r, spec.KindTopic))
	names := []string{}
	for _, sub := range stats.Subscriptions {
		names = append(names, sub.Name)
	}
	answerOr(w, names, err)
}

func (s *server) deleteSubscription(w http.ResponseWriter, r *http.Request) {
	have, err := observe(r.Context(), s.Clients.Topics, keyOf(r, spec.KindTopic))
	if err == nil && s.Topics == nil {
		err = invalid("", "subscriptions are not kept here")
	}
	if err == nil {
		err = s.Topics.DeleteSubscription(r.Context(), have.Spec, param(r, "*"), r.URL.Query().Get("force") == "true")
	}
	done(w, err)
}
