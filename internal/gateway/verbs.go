package gateway

import (
	"io"
	"mime/multipart"
	"net/http"
	"strconv"

	"github.com/go-chi/chi/v5"

	"github.com/functionmesh/terraform-provider-functionmesh/internal/engine"
	"github.com/functionmesh/terraform-provider-functionmesh/internal/pulsarform"
	"github.com/functionmesh/terraform-provider-functionmesh/internal/spec"
)

// maxTrigger bounds the message of a trigger.
const maxTrigger = 5 << 20

func (a componentAPI) verbRoutes(r chi.Router) {
	for _, verb := range []string{"start", "stop", "restart"} {
		r.Post("/"+verb, a.verb(verb))
		r.Post("/{instance}/"+verb, a.verb(verb))
	}
	if a.kind != spec.KindSource {
		r.Post("/seek", a.seek)
	}
	if a.kind != spec.KindFunction {
		return
	}
	r.Post("/trigger", a.trigger)
	r.Get("/download", a.downloadCode)
	stateless := func(w http.ResponseWriter, _ *http.Request) {
		failAs(w, invalid("", "function state is not kept here"), http.StatusMethodNotAllowed)
	}
	r.Get("/state/{key}", stateless)
	r.Post("/state/{key}", stateless)
}

// verb starts, stops or restarts all instances or one. Starting and stopping all is
// the setting state, which lasts; everything else is a one-off act.
func (a componentAPI) verb(verb string) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		have, err := observe(r.Context(), a.client, a.key(r))
		if err != nil {
			fail(w, err)
			return
		}
		args := map[string]string{}
		if instance := param(r, "instance"); instance != "" {
			if err := checkInstance(instance, have.Status); err != nil {
				fail(w, err)
				return
			}
			args["instance"] = instance
		}
		state := map[string]spec.State{"start": spec.StateRunning, "stop": spec.StateStopped}[verb]
		if state != "" && len(args) == 0 {
			want := engine.Object[spec.Component]{Spec: have.Spec.Clone(), Marks: have.Marks}
			want.Spec.State = state
			done(w, a.write(r.Context(), have, want))
			return
		}
		_, err = a.act(r, verb, args)
		done(w, err)
	}
}

// seek moves the subscriptions of a component. Pulsar has no such request for functions.
func (a componentAPI) seek(w http.ResponseWriter, r *http.Request) {
	if _, err := observe(r.Context(), a.client, a.key(r)); err != nil {
		fail(w, err)
		return
	}
	_, err := a.act(r, "seek", map[string]string{"to": r.URL.Query().Get("to")})
	done(w, err)
}

// checkInstance refuses an instance that cannot be, as Pulsar does.
func checkInstance(id string, status engine.Status) error {
	n, err := strconv.Atoi(id)
	if err != nil || n < 0 || n >= max(status.Wanted, len(status.Instances)) {
		return invalid("", "there is no instance %q, there are %d", id, status.Wanted)
	}
	return nil
}

func (a componentAPI) act(r *http.Request, verb string, args map[string]string) (string, error) {
	actor, ok := a.client.(engine.Actor)
	if !ok {
		return "", invalid("", "this platform cannot %s a %s", verb, a.kind)
	}
	return actor.Act(r.Context(), a.key(r), verb, args)
}

// trigger sends one message to a function and answers what it made of it.
func (a componentAPI) trigger(w http.ResponseWriter, r *http.Request) {
	args := map[string]string{}
	if _, err := observe(r.Context(), a.client, a.key(r)); err != nil {
		fail(w, err)
		return
	}
	err := eachPart(r, func(name string, p *multipart.Part) error {
		switch name {
		case "data", "dataStream":
			b, err := io.ReadAll(io.LimitReader(p, maxTrigger+1))
			if err != nil {
				return bodyError(err)
			}
			if len(b) > maxTrigger {
				return invalid("", "the message is longer than %d bytes", maxTrigger)
			}
			args["data"] = string(b)
		case "topic", "topicName":
			b, err := readPart(p)
			if err != nil {
				return err
			}
			args["topic"] = string(b)
		default:
			return invalid("", "the part %q is not known here", name)
		}
		return nil
	})
	if _, ok := args["data"]; err == nil && !ok {
		err = invalid("", "a trigger needs the part data or dataStream")
	}
	if err != nil {
		fail(w, err)
		return
	}
	text, err := a.act(r, "trigger", args)
	if err != nil {
		fail(w, err)
		return
	}
	answerText(w, text)
}

// downloadCode answers the code that a function was given as a file.
func (a componentAPI) downloadCode(w http.ResponseWriter, r *http.Request) {
	have, err := observe(r.Context(), a.client, a.key(r))
	switch {
	case err != nil:
		fail(w, err)
		return
	case have.Marks.Digest == "" || a.Code == nil:
		fail(w, engine.New(engine.NotFound, errNoCode))
		return
	}
	body, err := a.Code.Open(r.Context(), have.Marks.Digest)
	stream(w, body, err)
}

func (a componentAPI) statusRoutes(r chi.Router) {
	r.Get("/status", a.status)
	r.Get("/{instance}/status", a.status)
	if a.kind == spec.KindFunction {
		r.Get("/stats", a.stats)
		r.Get("/{instance}/stats", a.stats)
	}
}

// status answers Pulsar's model with our own status beside it.
func (a componentAPI) status(w http.ResponseWriter, r *http.Request) {
	have, err := observe(r.Context(), a.client, a.key(r))
	if err != nil {
		fail(w, err)
		return
	}
	id := param(r, "instance")
	if id == "" {
		all := a.statusOf(have.Status, a.PlatformID())
		all[pulsarform.EnvelopeKey] = have.Status
		answer(w, all)
		return
	}
	if err := checkInstance(id, have.Status); err != nil {
		fail(w, err)
		return
	}
	answer(w, a.instanceStatus(instanceOf(have.Status, id), a.PlatformID()))
}

func (a componentAPI) stats(w http.ResponseWriter, r *http.Request) {
	have, err := observe(r.Context(), a.client, a.key(r))
	if err != nil {
		fail(w, err)
		return
	}
	id := param(r, "instance")
	if id == "" {
		answer(w, statsOf(have.Status))
		return
	}
	if err := checkInstance(id, have.Status); err != nil {
		fail(w, err)
		return
	}
	answer(w, metrics(instanceOf(have.Status, id)))
}
