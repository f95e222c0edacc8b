package catalog

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/functionmesh/terraform-provider-functionmesh/internal/engine"
	"github.com/functionmesh/terraform-provider-functionmesh/internal/spec"
)

// meshStatus merges the statuses of components: the worst phase decides, with the
// reason of the first component that has it; the message names every such component.
func meshStatus(mesh string, members []memberObject) engine.Status {
	members = slices.Clone(members)
	slices.SortFunc(members, func(a, b memberObject) int {
		return cmp.Or(cmp.Compare(a.Spec.Name, b.Spec.Name), cmp.Compare(a.kind, b.kind))
	})
	worst := engine.Stopped
	for _, m := range members {
		if severity(m.Status.Phase) > severity(worst) {
			worst = phase(m.Status.Phase)
		}
	}
	out := engine.Status{Phase: worst}
	var messages []string
	for _, m := range members {
		out.Wanted += m.Status.Wanted
		out.Ready += m.Status.Ready
		for _, i := range m.Status.Instances {
			i.Component = Component(m.kind).Key(m.Spec).String()
			out.Instances = append(out.Instances, i)
		}
		if phase(m.Status.Phase) != worst || worst == engine.Ready || worst == engine.Stopped {
			continue
		}
		out.Reason = cmp.Or(out.Reason, m.Status.Reason)
		messages = append(messages, describe(mesh, m))
	}
	out.Message = strings.Join(messages, "; ")
	return out
}

// phase reads an unset phase as one that has not been decided yet.
func phase(p engine.Phase) engine.Phase {
	if severity(p) == severity(engine.Progressing) {
		return engine.Progressing
	}
	return p
}

// severity orders phases: Ready is worse than Stopped, because a mesh with a running
// component is not stopped.
func severity(p engine.Phase) int {
	switch p {
	case engine.Stopped:
		return 0
	case engine.Ready:
		return 1
	case engine.Failed:
		return 3
	case engine.Progressing:
	}
	return 2
}

// describe is one component's part of the message.
func describe(mesh string, m memberObject) string {
	parts := []string{fmt.Sprintf("%s %q", m.kind, idOf(mesh, m.Spec).key)}
	if m.Status.Reason != "" && !strings.Contains(m.Status.Message, m.Status.Reason) {
		parts = append(parts, m.Status.Reason)
	}
	if m.Status.Message != "" {
		parts = append(parts, m.Status.Message)
	}
	if len(parts) == 1 {
		parts = append(parts, fmt.Sprintf("%d of %d instances ready", m.Status.Ready, m.Status.Wanted))
	}
	return strings.Join(parts, ": ")
}

var _ engine.Lister[spec.Mesh] = (*meshClient)(nil)
