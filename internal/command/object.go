package command

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/functionmesh/terraform-provider-functionmesh/internal/catalog"
	"github.com/functionmesh/terraform-provider-functionmesh/internal/engine"
	"github.com/functionmesh/terraform-provider-functionmesh/internal/spec"
)

// object is what list, get and status print of one object as JSON or YAML.
type object struct {
	Kind      string          `json:"kind"`
	Tenant    string          `json:"tenant,omitempty"`
	Namespace string          `json:"namespace,omitempty"`
	Name      string          `json:"name"`
	Owner     string          `json:"owner,omitempty"`
	Mesh      string          `json:"mesh,omitempty"`
	Spec      json.RawMessage `json:"spec,omitempty"`
	Status    *engine.Status  `json:"status,omitempty"`
}

func view(d catalog.Document) object {
	o := object{
		Kind: d.Key.Kind, Tenant: d.Key.Tenant, Namespace: d.Key.Namespace, Name: d.Key.Name,
		Owner: d.Marks.Owner, Mesh: d.Marks.Mesh, Spec: d.Spec,
	}
	if d.Status.Phase != "" {
		o.Status = &d.Status
	}
	return o
}

// observe reads one object that must be there.
func (a *app) observe(ctx context.Context, kind spec.Kind, name string) (catalog.Document, error) {
	h, err := a.handle(ctx, kind)
	if err != nil {
		return catalog.Document{}, err
	}
	return observe(ctx, h, a.key(kind, name))
}

func observe(ctx context.Context, h catalog.Handle, key engine.Key) (catalog.Document, error) {
	d, err := h.Observe(ctx, key)
	if err != nil {
		return d, err
	}
	if !d.Found {
		return d, notFound(key)
	}
	return d, nil
}

// list prints the objects of a kind in the namespace.
func (a *app) list(ctx context.Context, kind spec.Kind, tabulate func([]catalog.Document) table) error {
	h, err := a.handle(ctx, kind)
	if err != nil {
		return err
	}
	documents, err := h.List(ctx, a.key(kind, ""))
	if err != nil {
		return err
	}
	objects := make([]object, len(documents))
	for i, d := range documents {
		objects[i] = view(d)
	}
	return a.print(objects, func() table { return tabulate(documents) })
}

// get prints one object: as JSON or YAML only its spec, in the words that -f reads.
func (a *app) get(ctx context.Context, kind spec.Kind, name string, tabulate func([]catalog.Document) table) error {
	d, err := a.observe(ctx, kind, name)
	if err != nil {
		return err
	}
	return a.print(d.Spec, func() table { return tabulate([]catalog.Document{d}) })
}

// remove deletes one object that must be there.
func (a *app) remove(ctx context.Context, kind spec.Kind, name string, opts engine.DeleteOptions) error {
	h, err := a.handle(ctx, kind)
	if err != nil {
		return err
	}
	key := a.key(kind, name)
	if _, err := observe(ctx, h, key); err != nil {
		return err
	}
	if err := h.Delete(ctx, key, opts); err != nil {
		return err
	}
	a.say("%s %s deleted", kind, name)
	return nil
}

// How many characters of a text a table shows, so that a row fits a terminal.
const (
	widestError = 60
	widestNote  = 40
)

// statusTable shows one row per instance.
func statusTable(status engine.Status) table {
	t := table{header: []string{"COMPONENT", "INSTANCE", "STATE", "RESTARTS", "RECEIVED", "PROCESSED", "FAILURES", "ERROR"}}
	pulsar := slices.ContainsFunc(status.Instances, func(i engine.Instance) bool { return i.DataPath != "" })
	if pulsar {
		t.header = append(t.header, "PATH", "REPEATS")
	}
	for _, i := range status.Instances {
		state := "stopped"
		switch {
		case i.Ready:
			state = "ready"
		case i.Running:
			state = "starting"
		}
		row := []string{
			i.Component, strconv.Itoa(i.ID), state, strconv.Itoa(i.Restarts), strconv.FormatInt(i.Received, 10),
			strconv.FormatInt(i.Processed, 10), strconv.FormatInt(i.Failures, 10), shortened(ends(i.Error), widestError),
		}
		if pulsar {
			path := i.DataPath
			if i.DataPathNote != "" {
				path += " (" + shortened(i.DataPathNote, widestNote) + ")"
			}
			row = append(row, path, strconv.FormatInt(i.Repeats, 10))
		}
		t.add(row...)
	}
	return t
}

// details are the texts that the status table had to shorten, whole.
func details(status engine.Status) []string {
	var lines []string
	for _, i := range status.Instances {
		for _, text := range []struct {
			what, whole string
			widest      int
		}{{"error", i.Error, widestError}, {"path", i.DataPathNote, widestNote}} {
			whole := strings.TrimSpace(text.whole)
			if whole != shortened(ends(whole), text.widest) {
				lines = append(lines, fmt.Sprintf("%s of instance %d:", text.what, i.ID), "  "+strings.ReplaceAll(whole, "\n", "\n  "))
			}
		}
	}
	return lines
}

// shortened keeps the beginning and the end of a text that is longer than n characters.
func shortened(text string, n int) string {
	all := []rune(text)
	if len(all) <= n {
		return text
	}
	end := n / 3
	return strings.TrimSpace(string(all[:n-end-1])) + "…" + strings.TrimSpace(string(all[len(all)-end:]))
}

// headline is a status in one line, as progress and results print it.
func headline(key engine.Key, s engine.Status) string {
	line := fmt.Sprintf("%s %s: %d/%d instances ready", key.Kind, key.Name, s.Ready, s.Wanted)
	if s.Phase == engine.Stopped {
		line = fmt.Sprintf("%s %s: stopped", key.Kind, key.Name)
	}
	if s.Phase == engine.Failed || s.Phase == engine.Progressing {
		line += ", " + string(s.Phase)
		if s.Reason != "" && !strings.Contains(s.Message, s.Reason) {
			line += " (" + s.Reason + ")"
		}
		if s.Message != "" {
			line += ": " + ends(s.Message)
		}
	}
	return line
}

// ends is the first and the last line of a text: of a traceback, what failed and why.
// The rest is in the log.
func ends(text string) string {
	lines := strings.Split(strings.TrimSpace(text), "\n")
	first, last := strings.TrimSpace(lines[0]), strings.TrimSpace(lines[len(lines)-1])
	if len(lines) == 1 {
		return first
	}
	return first + " … " + last
}

func ready(s engine.Status) string { return fmt.Sprintf("%d/%d", s.Ready, s.Wanted) }

// decode reads a document's spec back; what the catalogue encoded, spec decodes.
func decode[S any](d catalog.Document) (S, error) {
	var s S
	if err := json.Unmarshal(d.Spec, &s); err != nil {
		return s, fmt.Errorf("%s %s: reading its spec: %w", d.Key.Kind, d.Key, err)
	}
	return s, nil
}

func sortedKeys[V any](m map[string]V) string {
	keys := make([]string, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	return strings.Join(keys, ",")
}
