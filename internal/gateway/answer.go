package gateway

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"

	"github.com/functionmesh/terraform-provider-functionmesh/internal/engine"
	"github.com/functionmesh/terraform-provider-functionmesh/internal/pulsarform"
	"github.com/functionmesh/terraform-provider-functionmesh/internal/spec"
)

// maxDocument bounds a JSON body or part.
const maxDocument = 4 << 20

// errAbsent is the object itself, as opposed to its parent, not being there.
var errAbsent = errors.New("doesn't exist")

func answer(w http.ResponseWriter, v any) {
	b, err := json.Marshal(v)
	if err != nil {
		fail(w, fmt.Errorf("encode the answer: %w", err))
		return
	}
	w.Header().Set("Content-Type", "application/json")
	_, _ = w.Write(b) // whoever asked has gone
}

func answerText(w http.ResponseWriter, text string) {
	w.Header().Set("Content-Type", "text/plain")
	_, _ = io.WriteString(w, text) //nolint:gosec // plain text, never HTML; whoever asked has gone when it fails
}

// done answers 204, or the failure.
func done(w http.ResponseWriter, err error) {
	if err != nil {
		fail(w, err)
		return
	}
	w.WriteHeader(http.StatusNoContent)
}

// answerOr answers v, or the failure.
func answerOr(w http.ResponseWriter, v any, err error) {
	if err != nil {
		fail(w, err)
		return
	}
	answer(w, v)
}

// fail answers as Pulsar does, {"reason": …}, and says in headers what that cannot.
func fail(w http.ResponseWriter, err error) {
	failAs(w, err, pulsarform.StatusOf(string(classOf(err))))
}

func failAs(w http.ResponseWriter, err error, status int) {
	reason := err.Error()
	if errors.Is(err, errAbsent) {
		w.Header().Set(pulsarform.HeaderAbsent, "true")
	}
	if e, ok := errors.AsType[*engine.Error](err); ok {
		header(w, pulsarform.HeaderField, e.Path)
		if len(engine.All(err)) == 1 { // each of several says its own in the reason
			header(w, pulsarform.HeaderHint, e.Hint)
		}
		// Whoever asked knows what for: the path names it.
		if named, _ := err.(*engine.Error); named != nil && named.Err != nil { //nolint:errorlint // a wrapper's text must stay
			anonymous := *named
			anonymous.Key = engine.Key{}
			reason = anonymous.Error()
		}
	}
	refuse(w, status, classOf(err), reason)
}

// classOf knows the failures of reading a request beside the engine's classes.
func classOf(err error) engine.Class {
	var field *pulsarform.FieldError
	var tooLarge *http.MaxBytesError
	switch {
	case engine.ClassOf(err) != "":
		return engine.ClassOf(err)
	case errors.As(err, &field), errors.As(err, &tooLarge):
		return engine.Invalid
	}
	return ""
}

func refuse(w http.ResponseWriter, status int, class engine.Class, reason string) {
	header(w, pulsarform.HeaderClass, string(class))
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	b, _ := json.Marshal(map[string]string{"reason": reason}) // strings always marshal
	_, _ = w.Write(b)                                         // whoever asked has gone
}

// header sets a header to one line of text.
func header(w http.ResponseWriter, name, value string) {
	if value != "" {
		w.Header().Set(name, strings.Join(strings.Fields(value), " "))
	}
}

// invalid is a request that cannot be honoured as it is.
func invalid(path spec.Path, format string, args ...any) error {
	return &engine.Error{Class: engine.Invalid, Path: string(path), Err: fmt.Errorf(format, args...)}
}

func absent(key engine.Key) error {
	return &engine.Error{Class: engine.NotFound, Err: fmt.Errorf("%s %s %w", key.Kind, key, errAbsent)}
}

// problems turns what validation found into one error, at the first path.
func problems(found []spec.Problem) error {
	var texts []string
	var first *spec.Problem
	for i, p := range found {
		if p.Severity != spec.SeverityError {
			continue
		}
		if first == nil {
			first = &found[i]
		} else {
			texts = append(texts, p.String())
		}
	}
	if first == nil {
		return nil
	}
	text := strings.TrimSuffix(first.Message, ".")
	if len(texts) > 0 {
		text += "; also: " + strings.Join(texts, "; ")
	}
	return &engine.Error{Class: engine.Invalid, Path: string(first.Path), Err: errors.New(text), Hint: first.Hint}
}

// readJSON reads a body into v; an empty body leaves v as it is.
func readJSON(r *http.Request, v any) error {
	b, err := io.ReadAll(io.LimitReader(r.Body, maxDocument+1))
	switch {
	case err != nil:
		return fmt.Errorf("read the body: %w", err)
	case len(b) > maxDocument:
		return invalid("", "the body is longer than %d bytes", maxDocument)
	case len(strings.TrimSpace(string(b))) == 0:
		return nil
	}
	if err := json.Unmarshal(b, v); err != nil {
		return invalid("", "the body cannot be read: %w", err)
	}
	return nil
}
