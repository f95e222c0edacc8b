package catalogtest

import (
	"bytes"
	"embed"
	"encoding/json"
	"path"
	"strings"
	"testing"

	"github.com/functionmesh/terraform-provider-functionmesh/internal/engine"
	"github.com/functionmesh/terraform-provider-functionmesh/internal/spec"
)

//go:embed testdata/drift/*.json
var files embed.FS

// Drift is one pair of specs and what lies between them.
type Drift struct {
	Name    string          `json:"-"` // the file's, in PascalCase
	Reason  string          `json:"reason"`
	Kind    spec.Kind       `json:"kind"`
	Have    json.RawMessage `json:"have"`   // as the platform has it
	Digest  string          `json:"digest"` // what have's marks know of its code
	Want    json.RawMessage `json:"want"`   // as a user writes it, not defaulted
	Owned   []string        `json:"owned"`
	Holes   []spec.Path     `json:"holes"`
	Changes []engine.Change `json:"changes"` // empty: no drift
}

// Drifts reads all of them. Old and New of the changes are what JSON makes of them.
func Drifts(t testing.TB) []Drift {
	t.Helper()
	const dir = "testdata/drift"
	entries, err := files.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	drifts := make([]Drift, 0, len(entries))
	for _, entry := range entries {
		raw, err := files.ReadFile(path.Join(dir, entry.Name()))
		if err != nil {
			t.Fatal(err)
		}
		d := Drift{Name: strings.TrimSuffix(entry.Name(), ".json")}
		strict := json.NewDecoder(bytes.NewReader(raw))
		strict.DisallowUnknownFields()
		if err := strict.Decode(&d); err != nil {
			t.Fatalf("%s: %v", entry.Name(), err)
		}
		drifts = append(drifts, d)
	}
	return drifts
}
