package tfx

import (
	"context"
	"encoding/json"

	"github.com/hashicorp/terraform-plugin-framework/diag"

	"github.com/functionmesh/terraform-provider-functionmesh/internal/spec"
)

const privateNote = "applied"

// Guard tells a replacement that the user asked for from one that somebody else's
// change would cause: after a refresh the state alone cannot.
type Guard[S any] struct {
	// Note is what is remembered of an object that was applied or imported.
	Note func(S) string
	// Check says what is lost when have is replaced by want; noted is "" where nothing
	// was remembered.
	Check func(noted string, have, want S) []spec.Problem
}

// note remembers what was applied.
func (m *managed[S]) note(ctx context.Context, s S, p private, diags *diag.Diagnostics) {
	if m.Guard == nil {
		return
	}
	text, err := json.Marshal(m.Guard.Note(s))
	if err != nil {
		diags.AddError("State cannot be written", err.Error())
		return
	}
	diags.Append(p.SetKey(ctx, privateNote, text)...)
}

// guarded reports what replacing have by want loses.
func (m *managed[S]) guarded(ctx context.Context, have, want S, p private, diags *diag.Diagnostics) {
	if m.Guard == nil {
		return
	}
	var noted string
	if text, read := p.GetKey(ctx, privateNote); !read.HasError() && len(text) > 0 {
		_ = json.Unmarshal(text, &noted) // what is no text was not noted by us
	}
	report(diags, m.Guard.Check(noted, have, want))
}
