package catalog

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/functionmesh/terraform-provider-functionmesh/internal/engine"
	"github.com/functionmesh/terraform-provider-functionmesh/internal/spec"
)

// handle implements Handle over an engine.
type handle[S any] struct {
	entity Entity[S]
	engine *engine.Engine[S]
	decode func([]byte) (S, []spec.Problem)
}

// Observe implements Handle.
func (h handle[S]) Observe(ctx context.Context, key engine.Key) (Document, error) {
	have, err := h.engine.Observe(ctx, h.own(key))
	if err != nil {
		return Document{}, err
	}
	return h.document(key, have)
}

// own puts the handle's kind into a key.
func (h handle[S]) own(key engine.Key) engine.Key {
	key.Kind = string(h.entity.Kind)
	return key
}

// document encodes what was observed; the key is only needed for what was not found.
func (h handle[S]) document(key engine.Key, have engine.Observed[S]) (Document, error) {
	d := Document{Key: h.own(key), Found: have.Found, Marks: have.Marks, Platform: have.Platform, Status: have.Status}
	if !have.Found {
		return d, nil
	}
	s := have.Spec
	if h.entity.known != nil {
		s = h.entity.known(have.Object)
	}
	d.Key = h.entity.Key(s)
	raw, err := json.Marshal(s)
	if err != nil {
		return Document{}, fmt.Errorf("encoding %s: %w", d.Key, err)
	}
	d.Spec = raw
	return d, nil
}

// Apply implements Handle.
func (h handle[S]) Apply(ctx context.Context, doc json.RawMessage, opts ApplyOptions) (Result, error) {
	s, problems := h.decode(doc)
	if err := invalid(engine.Key{}, problems); err != nil {
		return Result{}, err
	}
	key := h.entity.Key(h.entity.Default(s))
	problems = h.entity.Validate(s)
	if err := invalid(key, problems); err != nil {
		return Result{}, err
	}
	out, err := h.run(ctx, engine.Object[S]{Spec: s, Marks: opts.Marks}, opts)
	d, encoding := h.document(key, out.Observed)
	if err == nil {
		err = encoding
	}
	return Result{
		Document: d, Action: out.Action, Changes: out.Changes,
		Warnings: append(warnings(problems), out.Warnings...),
	}, err
}

func (h handle[S]) run(ctx context.Context, want engine.Object[S], opts ApplyOptions) (engine.Outcome[S], error) {
	switch opts.Mode {
	case ModeCreate:
		return h.engine.Create(ctx, want, engine.CreateOptions{Adopt: opts.Adopt})
	case ModeUpdate:
		return h.engine.Update(ctx, want, engine.UpdateOptions{Replace: opts.Replace})
	case ModeConverge:
		return h.engine.Converge(ctx, want)
	default:
		return engine.Outcome[S]{}, engine.New(engine.Invalid, fmt.Errorf("there is no mode %q", opts.Mode))
	}
}

// invalid makes one error of all problems that are errors.
func invalid(key engine.Key, problems []spec.Problem) error {
	var texts []string
	path := ""
	for _, p := range problems {
		if p.Severity == spec.SeverityWarning {
			continue
		}
		if len(texts) == 0 {
			path = string(p.Path)
		}
		texts = append(texts, sentence(p, len(texts) > 0))
	}
	if len(texts) == 0 {
		return nil
	}
	return &engine.Error{Class: engine.Invalid, Key: key, Path: path, Err: errors.New(strings.Join(texts, "; "))}
}

func warnings(problems []spec.Problem) []string {
	var out []string
	for _, p := range problems {
		if p.Severity == spec.SeverityWarning {
			out = append(out, sentence(p, true))
		}
	}
	return out
}

// sentence is a problem with its hint, and with its path where nothing else has it.
func sentence(p spec.Problem, path bool) string {
	s := p.Message
	if path && p.Path != "" {
		s = string(p.Path) + ": " + s
	}
	if p.Hint != "" {
		s = strings.TrimSuffix(s, ".") + ". " + p.Hint
	}
	return s
}

// List implements Handle.
func (h handle[S]) List(ctx context.Context, in engine.Key) ([]Document, error) {
	lister, ok := h.engine.Client.(engine.Lister[S])
	if !ok {
		return nil, engine.New(engine.Invalid, fmt.Errorf("this platform cannot list objects of kind %q", h.entity.Kind))
	}
	all, err := lister.List(ctx, h.own(in))
	if err != nil {
		return nil, err
	}
	out := make([]Document, 0, len(all))
	for _, have := range all {
		d, err := h.document(in, have)
		if err != nil {
			return nil, err
		}
		out = append(out, d)
	}
	slices.SortFunc(out, func(a, b Document) int { return cmp.Compare(a.Key.String(), b.Key.String()) })
	return out, nil
}

// Delete implements Handle.
func (h handle[S]) Delete(ctx context.Context, key engine.Key, opts engine.DeleteOptions) error {
	return h.engine.Delete(ctx, h.own(key), opts)
}

// Act implements Handle.
func (h handle[S]) Act(ctx context.Context, key engine.Key, verb string, args map[string]string) (string, error) {
	actor, ok := h.engine.Client.(engine.Actor)
	if !ok {
		return "", engine.New(engine.Invalid, fmt.Errorf("this platform cannot %s objects of kind %q", verb, h.entity.Kind))
	}
	return actor.Act(ctx, h.own(key), verb, args)
}

// runningHandle is the handle of a kind that has instances to wait for.
type runningHandle[S any] struct {
	handle[S]
}

// Wait implements Waiter.
func (h runningHandle[S]) Wait(ctx context.Context, key engine.Key, progress func(engine.Status)) (Document, error) {
	have, err := h.engine.Wait(ctx, h.own(key), progress)
	d, encoding := h.document(key, have)
	if err == nil {
		err = encoding
	}
	return d, err
}
