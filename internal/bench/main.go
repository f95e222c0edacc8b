// Command bench measures what docs/benchmarks.md reports and writes it there: the cost
// of a message in the runner against a bare copy loop, a plan over many functions, and
// the size and idle memory of what is shipped. Figures of one run belong together;
// across machines only their ratios mean something. `make bench` builds what it needs.
//
// It asserts nothing and is part of no test. Nobody imports it.
package main

import (
	"context"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"runtime"
	"strings"
)

// options are where the built things are and how much is measured.
type options struct {
	binary   string // the provider, which is also the command line
	out      string // "" prints the report
	small    int    // messages of the small and the large run: their difference is
	large    int    // what a message costs without the start
	repeat   int    // medians are of so many runs
	only     string // the part to measure; "" measures all
	dir      string // scratch
	progress io.Writer
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	err := run(ctx, os.Args[1:])
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, args []string) error {
	if len(args) == 1 && args[0] == copyVerb {
		return copyLoop(ctx, os.Stdin)
	}
	o := options{progress: os.Stderr}
	flags := flag.NewFlagSet("bench", flag.ContinueOnError)
	flags.StringVar(&o.binary, "binary", filepath.Join("bin", "terraform-provider-functionmesh"), "the built provider")
	flags.StringVar(&o.out, "out", "", "the report; empty prints it")
	flags.IntVar(&o.small, "small", 50_000, "messages of a small run")
	flags.IntVar(&o.large, "large", 250_000, "messages of a large run")
	flags.IntVar(&o.repeat, "repeat", 5, "runs per figure")
	flags.StringVar(&o.only, "only", "", "measure one part: shipped, overhead or plans")
	if err := flags.Parse(args); err != nil {
		return err
	}
	var err error
	if o.binary, err = filepath.Abs(o.binary); err != nil {
		return err
	}
	if o.dir, err = os.MkdirTemp("", "fmbench"); err != nil {
		return err
	}
	defer func() { _ = os.RemoveAll(o.dir) }()
	var sections []section
	for _, part := range []struct {
		name    string
		measure func(context.Context, options) (section, error)
	}{{"shipped", shipped}, {"overhead", overhead}, {"plans", plans}} {
		if o.only != "" && o.only != part.name {
			continue
		}
		s, err := part.measure(ctx, o)
		if err != nil {
			return err
		}
		sections = append(sections, s)
	}
	return report(o, sections)
}

// section is one table of the report.
type section struct {
	title  string
	text   string
	header []string
	rows   [][]string
}

func report(o options, sections []section) error {
	var b strings.Builder
	fmt.Fprintf(&b, "# Benchmarks\n\nWritten by `make bench` on %s/%s with %d CPUs and %s. All figures are of one run on one\nmachine: compare them with each other and not with those of another machine.\nWhat a message costs on a Pulsar is in [benchmarks-pulsar.md](benchmarks-pulsar.md).\n",
		runtime.GOOS, runtime.GOARCH, runtime.NumCPU(), runtime.Version())
	for _, s := range sections {
		fmt.Fprintf(&b, "\n## %s\n\n%s\n\n", s.title, s.text)
		fmt.Fprintf(&b, "| %s |\n|%s\n", strings.Join(s.header, " | "), strings.Repeat(" --- |", len(s.header)))
		for _, row := range s.rows {
			fmt.Fprintf(&b, "| %s |\n", strings.Join(row, " | "))
		}
	}
	if o.out == "" {
		_, err := os.Stdout.WriteString(b.String())
		return err
	}
	return os.WriteFile(o.out, []byte(b.String()), 0o644) //nolint:gosec // documentation is for everybody
}
