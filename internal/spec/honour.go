package spec

import (
	"fmt"
	"regexp"
	"runtime"
	"slices"
	"strings"
)

// Setting is one row of the table of honoured settings. A row applies to a setting when
// all of its conditions do; the first row that applies decides. No row at all means that
// the platform cannot honour the setting.
type Setting struct {
	Platform Platform
	Path     Path     // with [*] for any key; a last step ** takes everything below
	Kinds    []Kind   // nil: any
	Runs     []string // runtimes and connectors; nil: any
	Systems  []string // GOOS of the machine that runs it; nil: any
	Match    string   // regular expression on the value, of a map entry on its key; "": any
	Refusal  string   // "": honoured; else why not, a sentence
	Hint     string   // with Refusal: what to do
}

// Settings is the table of honoured settings. A runner and its documentation are held
// to it by tests.
func Settings() []Setting {
	return slices.Concat(localCode(), localStreams(), localDelivery(), localRunning(),
		pulsarCode(), pulsarStreams(), pulsarExtras(), pulsarDelivery(), pulsarRunning(),
		runnerCode(), runnerStreams(), runnerDelivery(), runnerRunning())
}

// Honour returns the settings of a component that a platform cannot honour (R8). Pass
// the spec as the user wrote it: what is unset is not asked for.
func Honour(platform Platform, c Component) []Problem {
	switch platform {
	case PlatformLocal, PlatformPulsar, PlatformRunner:
	case PlatformKubernetes:
		return []Problem{{Severity: SeverityError, Message: "This release does not run components on Kubernetes.", Hint: "Use local or pulsar."}}
	default:
		return []Problem{{Severity: SeverityError, Message: fmt.Sprintf("There is no platform %q.", platform), Hint: "Use local or pulsar."}}
	}
	return honourOn(runtime.GOOS, platform, c)
}

// honourOn is Honour on an operating system: what runs on this machine can be limited
// as far as its system lets it.
func honourOn(system string, platform Platform, c Component) []Problem {
	var problems []Problem
	table := slices.DeleteFunc(Settings(), func(s Setting) bool { return s.Systems != nil && !slices.Contains(s.Systems, system) })
	for _, set := range leavesOf(c) {
		row := lookUp(table, platform, c, set)
		if row.Refusal == "" {
			continue
		}
		problem := Problem{Path: row.place(set.path), Severity: SeverityError, Message: row.Refusal, Hint: row.Hint}
		if !slices.Contains(problems, problem) {
			problems = append(problems, problem)
		}
	}
	return append(problems, together(platform, c)...)
}

// place is where a refusal is reported: the setting, or the whole that a ** row refuses.
func (s Setting) place(at Path) Path {
	parent, deep := strings.CutSuffix(string(s.Path), ".**")
	steps, err := ParsePath(at)
	if !deep || err != nil {
		return at
	}
	return JoinPath(steps[:strings.Count(parent, ".")+strings.Count(parent, "[*]")+1])
}

func lookUp(table []Setting, platform Platform, c Component, set leaf) Setting {
	for _, row := range table {
		if row.Platform == platform && row.applies(c, set) {
			return row
		}
	}
	return Setting{Refusal: fmt.Sprintf("The %s platform cannot honour this setting.", platform), Hint: "Leave it out."}
}

func (s Setting) applies(c Component, set leaf) bool {
	if !s.covers(set.pattern) || s.Kinds != nil && !slices.Contains(s.Kinds, c.Kind) ||
		s.Runs != nil && !slices.Contains(s.Runs, runs(c)) {
		return false
	}
	if s.Match == "" {
		return true
	}
	expression, err := regexp.Compile(s.Match)
	return err == nil && expression.MatchString(set.value)
}

func (s Setting) covers(pattern Path) bool {
	if parent, deep := strings.CutSuffix(string(s.Path), ".**"); deep {
		return Path(parent).Contains(pattern)
	}
	return s.Path == pattern
}

// runs is the word of what a component runs: its runtime or its connector.
func runs(c Component) string {
	if c.Kind != KindFunction {
		return c.Builtin
	}
	chosen, _ := c.Runtime.Chosen()
	return chosen
}

// honoured makes rows for settings that a platform takes in every case.
func honoured(platform Platform, paths ...Path) []Setting {
	rows := make([]Setting, len(paths))
	for i, path := range paths {
		rows[i] = Setting{Platform: platform, Path: path}
	}
	return rows
}

// onPlatform puts the platform into rows.
func onPlatform(platform Platform, rows []Setting) []Setting {
	for i := range rows {
		rows[i].Platform = platform
	}
	return rows
}
