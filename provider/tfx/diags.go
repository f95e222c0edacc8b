package tfx

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/hashicorp/terraform-plugin-framework/diag"

	"github.com/functionmesh/terraform-provider-functionmesh/internal/engine"
	"github.com/functionmesh/terraform-provider-functionmesh/internal/spec"
)

// visible drops the problems about which something unknown decides.
func visible(problems []spec.Problem, holes []spec.Path) []spec.Problem {
	var kept []spec.Problem
	for _, p := range problems {
		if !unknownNear(holes, p.Path) {
			kept = append(kept, p)
		}
	}
	return kept
}

// report turns problems into diagnostics at the attributes that they are about.
func report(diags *diag.Diagnostics, problems []spec.Problem) {
	for _, problem := range problems {
		summary, detail := sentence(problem.Message), problem.Hint
		if at := string(problem.Path); at != "" {
			detail = strings.TrimSpace(at + ": " + problem.Message + " " + problem.Hint)
			summary = "Setting is not valid"
		}
		d := diag.Diagnostic(diag.NewErrorDiagnostic(summary, detail))
		if problem.Severity == spec.SeverityWarning {
			summary = "Setting may not do what it says"
			d = diag.NewWarningDiagnostic(summary, detail)
		}
		diags.Append(located(d, problem.Path))
	}
}

// located puts a diagnostic at the attribute that it is about.
func located(d diag.Diagnostic, at spec.Path) diag.Diagnostic {
	if top := attributeOf(at); top != nil {
		return diag.WithPath(*top, d)
	}
	return d
}

func sentence(s string) string { return strings.TrimSuffix(s, ".") }

// title is the kind at the start of a sentence.
func (m *managed[S]) title() string {
	k := string(m.Entity.Kind)
	return strings.ToUpper(k[:1]) + k[1:]
}

// failure turns an error of a verb into a diagnostic that says what to do.
func (m *managed[S]) failure(j job[S], err error) {
	diags, verb := j.out.diags, j.verb
	if _, ok := errors.AsType[*engine.NotReadyError](err); ok {
		summary := m.title() + " is not ready"
		if engine.Is(err, engine.Unavailable) {
			summary = "Platform does not answer"
		}
		diags.AddError(summary, m.unready(verb, err))
		return
	}
	summary, detail := fmt.Sprintf("%s could not be %s", m.title(), verb), err.Error()
	switch engine.ClassOf(err) {
	case engine.Exists:
		summary = m.title() + " exists already"
	case engine.Unavailable:
		summary = "Platform cannot be reached"
	case engine.Forbidden:
		summary = "Platform refuses access"
	case engine.Immutable:
		summary = m.title() + " cannot be changed in place"
	case engine.NotFound, engine.Conflict, engine.Invalid:
	}
	if errors.Is(err, context.DeadlineExceeded) {
		detail += "\n\nThe time allowed is set by the attribute timeouts."
	}
	if e, ok := errors.AsType[*engine.Error](err); ok && e.Path != "" {
		diags.Append(located(diag.NewErrorDiagnostic(summary, detail), spec.Path(e.Path)))
		return
	}
	diags.AddError(summary, detail)
}

// unready says why an object does not run and what becomes of it.
func (m *managed[S]) unready(verb string, err error) string {
	detail := err.Error() + "\n\nIt exists and what was made is kept in the state"
	if verb != created {
		return detail + ". Mend the cause and apply again."
	}
	return detail + ", marked as tainted: the next apply replaces it. " +
		"When it becomes ready after all, keep it with `terraform untaint " + m.typeName() + ".<name>`."
}

// The verbs, as they appear in messages.
const (
	created = "created"
	read    = "read"
	updated = "updated"
	deleted = "deleted"
)

// warn shows what the engine found worth saying.
func (m *managed[S]) warn(diags *diag.Diagnostics, warnings []string) {
	for _, w := range warnings {
		diags.AddWarning(m.title()+" needs attention", w)
	}
}

// otherPlatform is the error for an object that lives somewhere else.
func (m *managed[S]) otherPlatform(diags *diag.Diagnostics, key engine.Key, home, here string) {
	diags.AddError("Provider is configured for another platform",
		fmt.Sprintf("The state says that %s %s lives on platform %s; the provider is configured for platform %s. "+
			"Nothing was read or written, so that no second copy appears. Configure the provider for %s again; "+
			"or destroy the object there first; or, when that platform is gone for good, "+
			"forget the object with `terraform state rm` and apply to create it on %s.",
			key.Kind, key, home, here, home, here))
}
