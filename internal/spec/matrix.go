package spec

import (
	"reflect"
	"regexp"
	"slices"
	"strings"
)

// Verdict says how far a platform honours a setting.
type Verdict string

// Honoured takes every valid value, Partly some, Refused none. Absent is a setting that
// the component does not have.
const (
	Honoured Verdict = "honoured"
	Partly   Verdict = "partly"
	Refused  Verdict = "refused"
	Absent   Verdict = ""
)

// Runner is what a column of the table of honoured settings is about: a platform, what
// runs there, and on our runner with a Pulsar the way of its messages.
type Runner struct {
	Platform Platform
	Kind     Kind
	Runs     string // a runtime or a connector
	DataPath string // of PlatformRunner
}

// Row is one setting across all columns.
type Row struct {
	Setting Path // with [*] for any key; of an extra setting with its key
	Cells   []Cell
}

// Cell is one setting in one column.
type Cell struct {
	Verdict Verdict
	Reasons []Reason // of what is refused
}

// Reason is why something is refused, and the way out.
type Reason struct{ Refusal, Hint string }

// Runners are the columns: each runtime, and a built-in connector, wherever it runs.
func Runners() []Runner {
	var all []Runner
	add := func(platform Platform, path string, kind Kind, names ...string) {
		for _, name := range names {
			all = append(all, Runner{Platform: platform, Kind: kind, Runs: name, DataPath: path})
		}
	}
	add(PlatformLocal, "", KindFunction, "go", "wasm", "python")
	add(PlatformLocal, "", KindSource, "file")
	add(PlatformLocal, "", KindSink, "file")
	for _, path := range []string{EntryPath, CompatiblePath} {
		add(PlatformRunner, path, KindFunction, "go", "wasm", "python")
		add(PlatformRunner, path, KindSource, "file")
		add(PlatformRunner, path, KindSink, "file")
	}
	add(PlatformPulsar, "", KindFunction, "go", "python", "java")
	return all
}

// Matrix is the table of honoured settings, worked out from Settings: a row for each
// setting there is, a cell for each of Runners.
func Matrix() []Row {
	var rows []Row
	table, columns := Settings(), Runners()
	for _, s := range allSettings() {
		row := Row{Setting: s.path(), Cells: make([]Cell, len(columns))}
		for i, column := range columns {
			row.Cells[i] = column.cell(table, s)
		}
		rows = append(rows, row)
	}
	return rows
}

// setting is a pattern of a path, and of an extra setting its key.
type setting struct {
	pattern Path
	key     string
}

func (s setting) path() Path {
	if s.key == "" {
		return s.pattern
	}
	parent, _ := strings.CutSuffix(string(s.pattern), "[*]")
	return Path(parent).Key(s.key)
}

// allSettings lists every setting that a component can have.
func allSettings() []setting {
	var patterns []Path
	patternsOf(reflect.TypeFor[Component](), "", &patterns)
	extras := map[Path]map[string]shape{
		"extra[*]": componentShapes(), "inputs[*].extra[*]": inputShapes(), "output.producer.extra[*]": producerShapes(),
	}
	var all []setting
	for _, pattern := range patterns {
		shapes, extra := extras[pattern]
		if !extra {
			all = append(all, setting{pattern: pattern})
		}
		for _, key := range SortedKeys(shapes) {
			all = append(all, setting{pattern: pattern, key: key})
		}
	}
	return all
}

func patternsOf(t reflect.Type, at Path, found *[]Path) {
	switch t.Kind() {
	case reflect.Pointer:
		patternsOf(t.Elem(), at, found)
	case reflect.Struct:
		for _, field := range fieldsOf(t) {
			patternsOf(field.typ, at.Field(field.name), found)
		}
	case reflect.Map:
		*found = append(*found, at+"[*]")
		if t.Elem().Kind() == reflect.Struct {
			patternsOf(t.Elem(), at+"[*]", found)
		}
	default:
		*found = append(*found, at)
	}
}

func (r Runner) cell(table []Setting, s setting) Cell {
	if !r.has(s) {
		return Cell{}
	}
	var cell Cell
	taken := false
	refuse := func(refusal, hint string) {
		if reason := (Reason{refusal, hint}); !slices.Contains(cell.Reasons, reason) {
			cell.Reasons = append(cell.Reasons, reason)
		}
	}
	for _, row := range r.rows(table, s) {
		if row.Refusal == "" {
			taken = true
			continue
		}
		refuse(row.Refusal, row.Hint)
	}
	for _, reason := range r.pathReasons(s) {
		refuse(reason.Refusal, reason.Hint)
		taken = taken && s.pattern == "processing_guarantees"
	}
	switch {
	case !taken:
		cell.Verdict = Refused
	case len(cell.Reasons) > 0:
		cell.Verdict = Partly
	default:
		cell.Verdict = Honoured
	}
	return cell
}

// rows are those that decide about a setting, up to the one that always applies.
func (r Runner) rows(table []Setting, s setting) []Setting {
	var rows []Setting
	for _, row := range table {
		if !row.covers(s.pattern) || !r.concerns(row) || !s.matches(row) {
			continue
		}
		if s.key != "" {
			row.Match = ""
		}
		if slices.ContainsFunc(rows, func(earlier Setting) bool { return earlier.Match == row.Match && earlier.Systems == nil }) {
			continue // decided already
		}
		rows = append(rows, row)
		if row.Match == "" && row.Systems == nil {
			return rows
		}
	}
	return append(rows, Setting{Refusal: "No other value is taken.", Hint: "Leave it out."})
}

// concerns reports whether a row is about the column.
func (r Runner) concerns(row Setting) bool {
	return row.Platform == r.Platform && (row.Kinds == nil || slices.Contains(row.Kinds, r.Kind)) &&
		(row.Runs == nil || slices.Contains(row.Runs, r.Runs))
}

// matches reports whether a row is about the setting's key, where it has one.
func (s setting) matches(row Setting) bool {
	if s.key == "" || row.Match == "" {
		return true
	}
	expression, err := regexp.Compile(row.Match)
	return err == nil && expression.MatchString(s.key)
}

// pathReasons are what the way of the messages adds to the table.
func (r Runner) pathReasons(s setting) []Reason {
	switch {
	case r.DataPath == EntryPath:
		return entryReasons(s)
	case r.DataPath == CompatiblePath && r.Kind == KindFunction && s.pattern == "processing_guarantees":
		return []Reason{{onceByMessages, `Leave data_path out, or use "atleast_once".`}}
	}
	return nil
}

func entryReasons(s setting) []Reason {
	switch {
	case s.pattern == "topics_pattern" || s.pattern == "inputs[*].regex":
		return []Reason{{patternByEntry, chosenPath}}
	case s.key == cryptoKey && s.pattern == "inputs[*].extra[*]":
		return []Reason{{decryptByEntry, chosenPath}}
	case s.key == cryptoKey:
		return []Reason{{encryptByEntry, chosenPath}}
	}
	return nil
}

// Sentences about the two paths.
const (
	patternByEntry = "Topics are found by pattern on the compatible path only."
	decryptByEntry = "Messages are decrypted on the compatible path only."
	encryptByEntry = "Messages are encrypted on the compatible path only."
	onceByMessages = "effectively_once numbers what it writes by the entries it reads, and only the entry path knows them."
	chosenPath     = "Leave data_path out: the path is chosen."
)

// has reports whether a component of the column has the setting at all.
func (r Runner) has(s setting) bool {
	root, _, _ := strings.Cut(string(s.pattern), ".")
	root, _, _ = strings.Cut(root, "[")
	ofCode := root == "runtime" || root == "user_config"
	switch r.Kind {
	case KindFunction:
		return root != "builtin" && root != "config" && (root != "runtime" || r.hasCode(s.pattern))
	case KindSource:
		return !ofCode && !lacks(sourceLacks(Component{}), root)
	case KindSink:
		return !ofCode && !lacks(sinkLacks(Component{}), root)
	default:
		return false
	}
}

// hasCode reports whether a setting is of the column's runtime, and a user's to write.
func (r Runner) hasCode(pattern Path) bool {
	return Path("runtime."+r.Runs).Contains(pattern) && !strings.HasSuffix(string(pattern), ".sha256") && r.hasClass(pattern)
}

func (r Runner) hasClass(pattern Path) bool {
	return !strings.HasSuffix(string(pattern), ".class") || ruleOf(r.Runs).class != nil
}

func lacks(missing []used, root string) bool {
	return slices.ContainsFunc(missing, func(u used) bool { return string(u.field) == root })
}
