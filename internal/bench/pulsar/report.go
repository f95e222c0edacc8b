//go:build unix

package main

import (
	"fmt"
	"os"
	"runtime"
	"slices"
	"strconv"
	"strings"
)

// section is one table of the report.
type section struct {
	title  string
	text   string
	header []string
	rows   [][]string
}

func report(o options, sections []section) error {
	var b strings.Builder
	fmt.Fprintf(&b, "# Benchmarks on a Pulsar\n\nWritten by `%s` (`make bench-pulsar` builds what it needs first) on %s/%s with %d CPUs and %s, broker, bookie and contenders all on\n"+
		"these CPUs. All figures are of one run on one machine: compare them with each other and not with those of another machine.\n",
		o.command, runtime.GOOS, runtime.GOARCH, runtime.NumCPU(), runtime.Version())
	for _, s := range sections {
		fmt.Fprintf(&b, "\n## %s\n\n%s\n\n| %s |\n|%s\n", s.title, s.text, strings.Join(s.header, " | "), strings.Repeat(" --- |", len(s.header)))
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

func number(v float64, decimals int) string { return strconv.FormatFloat(v, 'f', decimals, 64) }

func values[T any](all []T, of func(T) float64) []float64 {
	var v []float64
	for _, one := range all {
		v = append(v, of(one))
	}
	slices.Sort(v)
	return v
}

func median[T any](all []T, of func(T) float64) float64 {
	v := values(all, of)
	if n := len(v); n%2 == 0 {
		return (v[n/2-1] + v[n/2]) / 2
	}
	return v[len(v)/2]
}

func span[T any](all []T, of func(T) float64) (low, high float64) {
	v := values(all, of)
	return v[0], v[len(v)-1]
}
