// Command licenses lists the licence of every module that the named packages link
// and fails when one is not on the allow-list. It is run by `make licenses`, reads
// the module cache only and may be imported by nobody.
package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	classifier "github.com/google/licenseclassifier/v2"
	"github.com/google/licenseclassifier/v2/assets"
)

// allowed are the licences that may be linked into an Apache-2.0 binary that is
// given away. MPL-2.0 is there because its copyleft ends at its own files.
var allowed = []string{"Apache-2.0", "MIT", "BSD-2-Clause", "BSD-3-Clause", "ISC", "MPL-2.0", "0BSD", "Unlicense", "CC0-1.0", "Zlib"}

var licenceFile = regexp.MustCompile(`(?i)^(licen[cs]e|copying)([._-].*)?$`)

type module struct {
	Path, Version, Dir string
	Main               bool
	Replace            *module
}

func main() {
	if err := run(context.Background(), os.Args[1:], os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "licenses:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, packages []string, out io.Writer) error {
	modules, err := linked(ctx, packages)
	if err != nil {
		return err
	}
	known, err := assets.DefaultClassifier()
	if err != nil {
		return fmt.Errorf("licence texts: %w", err)
	}
	var bad []string
	for _, m := range modules {
		names, err := licencesOf(known, m.Dir)
		if err != nil {
			bad = append(bad, fmt.Sprintf("%s: %v", m.Path, err))
			continue
		}
		fmt.Fprintf(out, "%-70s %s\n", m.Path+"@"+m.Version, strings.Join(names, ", "))
		for _, n := range names {
			if !slices.Contains(allowed, n) {
				bad = append(bad, fmt.Sprintf("%s: licence %s is not on the allow-list", m.Path, n))
			}
		}
	}
	if len(bad) > 0 {
		return errors.New(strings.Join(bad, "\n"))
	}
	return nil
}

// linked lists the modules of everything the packages import, tests left out,
// because tests are not given away.
func linked(ctx context.Context, packages []string) ([]module, error) {
	args := append([]string{"list", "-deps", "-json=Module"}, packages...)
	cmd := exec.CommandContext(ctx, "go", args...) //nolint:gosec // the packages that the caller names
	cmd.Stderr = os.Stderr
	raw, err := cmd.Output()
	if err != nil {
		return nil, fmt.Errorf("go list: %w", err)
	}
	seen := map[string]module{}
	for dec := json.NewDecoder(bytes.NewReader(raw)); ; {
		var p struct{ Module *module }
		if err := dec.Decode(&p); errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			return nil, fmt.Errorf("reading what go list printed: %w", err)
		}
		m := p.Module
		if m == nil || m.Main {
			continue
		}
		if m.Replace != nil {
			m = m.Replace
		}
		if m.Version == "" { // a folder of this repository
			continue
		}
		seen[m.Path] = *m
	}
	all := make([]module, 0, len(seen))
	for _, m := range seen {
		all = append(all, m)
	}
	slices.SortFunc(all, func(a, b module) int { return strings.Compare(a.Path, b.Path) })
	return all, nil
}

// licencesOf classifies the licence files at a module's root. Several files mean
// that all of them apply.
func licencesOf(known *classifier.Classifier, dir string) ([]string, error) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, err
	}
	var names []string
	for _, e := range entries {
		if e.IsDir() || !licenceFile.MatchString(e.Name()) {
			continue
		}
		text, err := os.ReadFile(filepath.Join(dir, e.Name()))
		if err != nil {
			return nil, err
		}
		found := 0
		for _, m := range known.Match(text).Matches {
			if m.MatchType != "License" {
				continue
			}
			found++
			if !slices.Contains(names, m.Name) {
				names = append(names, m.Name)
			}
		}
		if found == 0 {
			return nil, fmt.Errorf("%s is not a licence text that is known: read it, then decide", e.Name())
		}
	}
	if len(names) == 0 {
		return nil, errors.New("no licence file at the module's root")
	}
	return names, nil
}
