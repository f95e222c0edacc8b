package command

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"strings"
	"text/tabwriter"

	"sigs.k8s.io/yaml"
)

// The output formats of -o.
const (
	formatTable = "table"
	formatJSON  = "json"
	formatYAML  = "yaml"
)

// table is rows under a header; every cell is one line. Notes follow it.
type table struct {
	header []string
	rows   [][]string
	notes  []string
}

func (t *table) add(cells ...string) { t.rows = append(t.rows, cells) }

func (t *table) write(w io.Writer) error {
	tw := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	for _, row := range append([][]string{t.header}, t.rows...) {
		for i, cell := range row {
			row[i] = dash(strings.Join(strings.Fields(cell), " "))
		}
		if _, err := fmt.Fprintln(tw, strings.Join(row, "\t")); err != nil {
			return err
		}
	}
	if err := tw.Flush(); err != nil || len(t.notes) == 0 {
		return err
	}
	_, err := fmt.Fprintln(w, "\n"+strings.Join(t.notes, "\n"))
	return err
}

func dash(s string) string {
	if s == "" {
		return "-"
	}
	return s
}

// print writes value as JSON or YAML, or the table that tabulate makes of it.
func (a *app) print(value any, tabulate func() table) error {
	switch a.output {
	case formatTable:
		t := tabulate()
		return t.write(a.Stdout)
	case formatJSON:
		enc := json.NewEncoder(a.Stdout)
		enc.SetIndent("", "  ")
		return enc.Encode(value)
	case formatYAML:
		b, err := yaml.Marshal(value)
		if err != nil {
			return err
		}
		_, err = a.Stdout.Write(b)
		return err
	default:
		return unknownFormat(a.output, formatTable, formatJSON, formatYAML)
	}
}

func unknownFormat(got string, known ...string) error {
	return usage("output format %q is not known: use %s", got, strings.Join(known, ", "))
}

// say prints one line for people: on standard output for a table, where programs read
// a document from it instead on standard error.
func (a *app) say(format string, args ...any) {
	w := a.Stdout
	if a.output != formatTable {
		w = a.Stderr
	}
	fmt.Fprintf(w, format+"\n", args...)
}

// progress prints a passing line, only for a person who is looking.
func (a *app) progress(format string, args ...any) {
	if isTerminal(a.Stderr) {
		fmt.Fprintf(a.Stderr, format+"\n", args...)
	}
}

// warn prints what a command wants to be seen even though it succeeded.
func (a *app) warn(lines []string) {
	for _, l := range lines {
		fmt.Fprintln(a.Stderr, "Warning:", l)
	}
}

func isTerminal(stream any) bool {
	f, ok := stream.(*os.File)
	if !ok {
		return false
	}
	info, err := f.Stat()
	return err == nil && info.Mode()&os.ModeCharDevice != 0
}
