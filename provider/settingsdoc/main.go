// Command settingsdoc writes the table of honoured settings as Markdown: what each
// platform, language and data path does with each setting, and why not. Only scripts run
// it, nothing imports it.
package main

import (
	"bufio"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/functionmesh/terraform-provider-functionmesh/internal/spec"
)

func main() {
	if err := write(os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "Error:", err)
		os.Exit(1)
	}
}

const head = `# Settings

What happens to each setting of a function, a source or a sink. Nothing is ignored: what cannot be kept is refused while
planning, or by ` + "`functionmesh run`" + `, with the path of the setting and a way out.

` + "`yes`" + ` is every valid value; ` + "`some`" + ` is some values, ` + "`no`" + ` is none, both with the number of the reason below. An empty cell is a
setting that does not exist there. Settings under ` + "`extra`" + ` are Pulsar's own, by Pulsar's names; those that are not listed are refused.

The columns:

* **embedded** is ` + "`local = {}`" + `: our runner, with streams on the embedded broker.
* **runner, entry** and **runner, compatible** are ` + "`local = {}`" + ` beside ` + "`pulsar = {…}`" + `: our runner, with streams on a Pulsar, by one of
  [two data paths](#data-paths).
* **workers** is ` + "`pulsar = {…}`" + ` alone: Pulsar's own function workers. What they take is said by their release: 4.0 drops
  ` + "`batching`" + ` but for its ` + "`builder`" + `, and does not tell back ` + "`skip_to_latest`, `consumerProperties`, `maxPendingAsyncRequests`" + ` and
  ` + "`exposePulsarAdminClientEnabled`" + `, which a plan then shows as a change.

This page is written by ` + "`make generate`" + ` from the table that validation uses.
`

const paths = `
## Data paths

Messages go between a Pulsar and our runner by one of two ways. *Entry* moves whole broker entries: a batch is read, worked on and
written as one. *Compatible* is Pulsar's own Go client, message by message; it costs more, and can do what the other cannot.
Unless ` + "`data_path`" + ` says which, *entry* is taken unless a setting needs *compatible*: ` + "`topics_pattern`" + `, ` + "`regex`" + `, ` + "`cryptoConfig`" + `, or a
connection with OAuth 2.0. The status of a component shows the choice and its reason. Where both can keep a setting they do the same.

## Settings that depend on each other

* ` + "`effectively_once`" + ` reads with a ` + "`failover`" + ` or ` + "`exclusive`" + ` subscription, and always by the entry path.
* ` + "`subscription.type`" + ` follows from ` + "`retain_ordering`" + ` (failover), ` + "`retain_key_ordering`" + ` (key_shared) and ` + "`effectively_once`" + ` (failover);
  set, it must keep what they ask for. ` + "`exclusive`" + ` allows one instance.
* ` + "`auto_ack = false`" + ` goes with ` + "`manual`" + ` only, and says nothing more. ` + "`manual`" + ` on the embedded broker goes with a shared subscription only.
* ` + "`dead_letter_topic`" + ` on a Pulsar needs ` + "`max_message_retries`" + `. With ` + "`atmost_once`" + ` there are neither.
* ` + "`timeout_ms`" + ` with our runner limits one call of user code. Pulsar's workers take it as the time to acknowledge a message, with
  ` + "`atleast_once`" + ` only.
* A pattern and a topic by name exclude each other with our runner: what matches both would be read twice.
* ` + "`consumerProperties`" + ` with our runner knows ` + "`readCompacted`" + `, for failover and exclusive subscriptions. ` + "`cryptoConfig`" + ` takes keys from files:
  ` + "`cryptoKeyReaderConfig = { defaultPublicKey, defaultPrivateKey }`" + `. A message that no key opens ends the instance with the reason
  ` + "`KeyNeeded`" + `, unless ` + "`consumerCryptoFailureAction`" + ` says ` + "`discard`" + ` or ` + "`consume`" + `.
* Dead letters go to the connection of the first input, the log to the provider's own.
`

// table is a part of the columns with its heading.
type table struct {
	title   string
	columns []int
}

func write(to io.Writer) error {
	out := bufio.NewWriter(to)
	fmt.Fprint(out, head)
	notes := &notes{numbers: map[spec.Reason]int{}}
	for _, t := range tables() {
		t.write(out, notes)
	}
	fmt.Fprint(out, paths)
	notes.write(out)
	return out.Flush()
}

func tables() []table {
	functions, connectors := table{title: "Functions"}, table{title: "Connectors"}
	for i, r := range spec.Runners() {
		if r.Kind == spec.KindFunction {
			functions.columns = append(functions.columns, i)
		} else {
			connectors.columns = append(connectors.columns, i)
		}
	}
	return []table{functions, connectors}
}

func (t table) write(out io.Writer, notes *notes) {
	runners := spec.Runners()
	fmt.Fprintf(out, "\n## %s\n\n| setting |", t.title)
	for _, i := range t.columns {
		fmt.Fprintf(out, " %s: %s |", place(runners[i]), what(runners[i]))
	}
	fmt.Fprintf(out, "\n| --- |%s\n", strings.Repeat(" --- |", len(t.columns)))
	for _, row := range spec.Matrix() {
		var line strings.Builder
		present := false
		for _, i := range t.columns {
			present = present || row.Cells[i].Verdict != spec.Absent
			fmt.Fprintf(&line, " %s |", notes.cell(row.Cells[i]))
		}
		if present {
			fmt.Fprintf(out, "| `%s` |%s\n", row.Setting, line.String())
		}
	}
}

func place(r spec.Runner) string {
	switch r.Platform {
	case spec.PlatformLocal:
		return "embedded"
	case spec.PlatformRunner:
		return "runner, " + r.DataPath
	default:
		return "workers"
	}
}

func what(r spec.Runner) string {
	if r.Kind == spec.KindFunction {
		return r.Runs
	}
	return string(r.Kind)
}

// notes number reasons in the order of their first use.
type notes struct {
	numbers map[spec.Reason]int
	order   []spec.Reason
}

func (n *notes) cell(c spec.Cell) string {
	words := map[spec.Verdict]string{spec.Honoured: "yes", spec.Partly: "some", spec.Refused: "no"}
	var text strings.Builder
	text.WriteString(words[c.Verdict])
	for i, reason := range c.Reasons {
		separator := ", "
		if i == 0 {
			separator = " "
		}
		fmt.Fprintf(&text, "%s%d", separator, n.number(reason))
	}
	return text.String()
}

func (n *notes) number(r spec.Reason) int {
	if _, known := n.numbers[r]; !known {
		n.order = append(n.order, r)
		n.numbers[r] = len(n.order)
	}
	return n.numbers[r]
}

func (n *notes) write(out io.Writer) {
	fmt.Fprint(out, "\n## Reasons\n\n")
	for i, r := range n.order {
		fmt.Fprintf(out, "%d. %s %s\n", i+1, r.Refusal, r.Hint)
	}
}
