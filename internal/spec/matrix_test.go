package spec

import (
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestMatrix(t *testing.T) {
	t.Parallel()
	cells := map[Path][]Verdict{}
	for _, row := range Matrix() {
		for i, cell := range row.Cells {
			if cell.Verdict == Refused && len(cell.Reasons) == 0 || cell.Verdict == Honoured && len(cell.Reasons) > 0 {
				t.Errorf("%s, %+v: %+v", row.Setting, Runners()[i], cell)
			}
			cells[row.Setting] = append(cells[row.Setting], cell.Verdict)
		}
	}
	column := func(r Runner) int { return slices.Index(Runners(), r) }
	python := func(p Platform, path string) int {
		return column(Runner{Platform: p, Kind: KindFunction, Runs: "python", DataPath: path})
	}
	for _, tc := range []struct {
		setting Path
		column  int
		want    Verdict
	}{
		{"name", python(PlatformLocal, ""), Honoured},
		{"builtin", python(PlatformLocal, ""), Absent},
		{"runtime.go.file", python(PlatformRunner, EntryPath), Absent},
		{"runtime.python.class", python(PlatformRunner, EntryPath), Honoured},
		{"inputs[*].regex", python(PlatformRunner, EntryPath), Refused},
		{"inputs[*].regex", python(PlatformRunner, CompatiblePath), Honoured},
		{"inputs[*].regex", python(PlatformLocal, ""), Partly},
		{"processing_guarantees", python(PlatformRunner, EntryPath), Honoured},
		{"processing_guarantees", python(PlatformRunner, CompatiblePath), Partly},
		{`inputs[*].extra["cryptoConfig"]`, python(PlatformRunner, EntryPath), Refused},
		{`inputs[*].extra["cryptoConfig"]`, python(PlatformRunner, CompatiblePath), Honoured},
		{`extra["windowConfig"]`, python(PlatformRunner, CompatiblePath), Refused},
		{`extra["windowConfig"]`, column(Runner{Platform: PlatformPulsar, Kind: KindFunction, Runs: "java"}), Honoured},
		{"inputs[*]", column(Runner{Platform: PlatformRunner, Kind: KindSource, Runs: "file", DataPath: EntryPath}), Absent},
		{"resources.memory", python(PlatformLocal, ""), Partly},
		{"resources.memory", column(Runner{Platform: PlatformLocal, Kind: KindFunction, Runs: "wasm"}), Honoured},
		{"builtin", column(Runner{Platform: PlatformRunner, Kind: KindSource, Runs: "file", DataPath: EntryPath}), Partly},
	} {
		row, known := cells[tc.setting]
		if !known || tc.column < 0 {
			t.Errorf("%s, column %d: not in the table", tc.setting, tc.column)
			continue
		}
		if diff := cmp.Diff(tc.want, row[tc.column]); diff != "" {
			t.Errorf("%s, %+v (-want +got):\n%s", tc.setting, Runners()[tc.column], diff)
		}
	}
}
