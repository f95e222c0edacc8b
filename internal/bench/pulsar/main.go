//go:build unix

// Command pulsar measures what docs/benchmarks-pulsar.md reports and writes it there: what
// a message costs in our runner on a real Pulsar, beside a bare copier of entries, a loop
// over Pulsar's own Go client, and Pulsar's own Java and Python instances, in one sitting.
// Figures of one run belong together; across machines only their ratios mean something.
// `make bench-pulsar` builds what it needs.
//
// It asserts nothing but that no message was lost, doubled or changed, and is part of no
// test. Nobody imports it.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"time"
)

// options are what is measured, and how long.
type options struct {
	runner   string // the built runner
	out      string // "" prints the report
	messages int
	repeat   int
	match    string // the contenders to compare beside the copier; "": all
	running  bool   // use the broker of the environment
	perEntry int    // only input of so many messages an entry; 0: all
	only     string // the part to measure; "" measures all but the soak
	latency  time.Duration
	soak     time.Duration // 0: none
	command  string        // as it was typed, for the report
	dir      string        // scratch
}

func main() {
	if len(os.Args) > 1 && roles[os.Args[1]] != nil {
		if err := play(os.Args[1]); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		return
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	err := run(ctx, os.Args[1:])
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, args []string) error {
	o := options{command: strings.Join(append([]string{"go run ./internal/bench/pulsar"}, args...), " ")}
	flags := flag.NewFlagSet("bench", flag.ContinueOnError)
	flags.StringVar(&o.runner, "runner", filepath.Join("bin", "runner"), "the built runner")
	flags.StringVar(&o.out, "out", "", "the report; empty prints it")
	flags.IntVar(&o.messages, "messages", 1_000_000, "messages of a run")
	flags.IntVar(&o.repeat, "repeat", 5, "runs per figure")
	flags.StringVar(&o.only, "only", "", "measure one part: cost, latency, idle or soak")
	flags.StringVar(&o.match, "match", "", "compare only the copier and contenders whose name has this in it")
	flags.IntVar(&o.perEntry, "per-entry", 0, "compare only on input of so many messages an entry; 0: all")
	flags.BoolVar(&o.running, "running", false, "use the broker of PULSAR_URL and PULSAR_ADMIN_URL instead of starting one")
	flags.DurationVar(&o.latency, "latency", 6*time.Second, "one run of the latency's")
	flags.DurationVar(&o.soak, "soak", 0, "how long the soak takes; 0: there is none")
	quick := flags.Bool("quick", false, "check that it works: few messages, one run")
	if err := flags.Parse(args); err != nil {
		return err
	}
	if *quick {
		o.messages, o.repeat, o.latency = 50_000, 1, 2*time.Second
	}
	var err error
	if o.runner, err = filepath.Abs(o.runner); err != nil {
		return err
	}
	if o.dir, err = os.MkdirTemp("", "fmbench"); err != nil {
		return err
	}
	defer func() { _ = os.RemoveAll(o.dir) }()
	return sit(ctx, o.only, o)
}

// sit runs the parts on one broker and reports.
func sit(ctx context.Context, only string, o options) error {
	t, sections := newSitting(ctx), []section(nil)
	t.do(func() {
		b := newBench(t, o)
		for _, part := range []struct {
			name    string
			measure func(*bench) []section
			wanted  bool
		}{{"cost", cost, true}, {"latency", latency, true}, {"idle", idle, true}, {"soak", soak, o.soak > 0}} {
			if only == part.name || only == "" && part.wanted {
				sections = append(sections, part.measure(b)...)
			}
		}
	})
	if t.ended {
		o.out = "" // what there is is shown, and replaces nothing
	}
	return errors.Join(t.end(), report(o, sections))
}
