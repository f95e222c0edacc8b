package diff

import (
	"reflect"

	"github.com/functionmesh/terraform-provider-functionmesh/internal/engine"
	"github.com/functionmesh/terraform-provider-functionmesh/internal/spec"
)

// runtime compares two one-ofs. Another choice is one change at the path of the
// whole, with the words as values.
func (c *comparison) runtime(p place, have, want reflect.Value) {
	h, _ := reflect.TypeAssert[*spec.Runtime](have)
	w, _ := reflect.TypeAssert[*spec.Runtime](want)
	was, _ := h.Chosen()
	becomes, _ := w.Chosen()
	if was != "" && becomes != "" && was != becomes {
		if !c.unknown(p.path.Field(was)) && !c.unknown(p.path.Field(becomes)) {
			c.choice(p, was, becomes)
		}
		return
	}
	if becomes == "" && c.holed(p.path) {
		return
	}
	// The same choice changes in place, whatever the rule of another one is.
	c.fields(place{p.path, p.pattern, Default}, filled(have), filled(want))
}

// choice adds the change of a one-of. A hole inside the new choice does not hide it:
// that another one was chosen is known.
func (c *comparison) choice(p place, was, becomes string) {
	op := engine.Set
	if p.rule == Replace {
		op = engine.Replace
	}
	c.changes = append(c.changes, engine.Change{Path: string(p.path), Op: op, Old: was, New: becomes})
}

// code compares two pieces of user code by content: the digest where both sides know
// it, the URL where want names one, the digest alone where a file is wanted and the
// platform stored none. The class is compared as any field.
func (c *comparison) code(p place, have, want reflect.Value) {
	h, _ := reflect.TypeAssert[spec.Code](filled(have))
	w, _ := reflect.TypeAssert[spec.Code](filled(want))
	digest, url := c.below(p, "sha256"), c.below(p, "url")
	switch {
	case c.unknown(digest.path) || c.unknown(url.path) || c.unknown(p.path.Field("file")):
	case h.SHA256 != "" && w.SHA256 != "" || w.File != "" && w.SHA256 != "":
		c.leaf(digest, reflect.ValueOf(h.SHA256), reflect.ValueOf(w.SHA256))
	case w.File == "":
		c.leaf(url, reflect.ValueOf(h.URL), reflect.ValueOf(w.URL))
	}
	c.leaf(c.below(p, "class"), reflect.ValueOf(h.Class), reflect.ValueOf(w.Class))
}
