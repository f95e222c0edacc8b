package spec

import (
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"
)

// ErrPath is wrapped by every error of ParsePath.
var ErrPath = errors.New("not a field path")

// Step is one step of a Path: an attribute name, or a map key or list index.
type Step struct {
	Name  string
	Key   bool // in brackets: a map key or a list index
	Index bool // in brackets without quotes: a list index
}

// ParsePath splits a path into its steps; "" has none.
func ParsePath(p Path) ([]Step, error) {
	var steps []Step
	for rest := string(p); rest != ""; {
		step, tail, err := cutStep(rest, len(steps) == 0)
		if err != nil {
			return nil, fmt.Errorf("%w: %q: %w", ErrPath, string(p), err)
		}
		steps, rest = append(steps, step), tail
	}
	return steps, nil
}

// JoinPath is the inverse of ParsePath.
func JoinPath(steps []Step) Path {
	var p Path
	for _, step := range steps {
		switch {
		case !step.Key:
			p = p.Field(step.Name)
		case step.Index:
			p += Path("[" + step.Name + "]")
		default:
			p = p.Key(step.Name)
		}
	}
	return p
}

func cutStep(s string, first bool) (Step, string, error) {
	if s[0] == '[' {
		return cutKey(s[1:])
	}
	if !first {
		if s[0] != '.' {
			return Step{}, "", fmt.Errorf("want . or [ before %q", s)
		}
		s = s[1:]
	}
	end := strings.IndexAny(s, ".[")
	if end < 0 {
		end = len(s)
	}
	if end == 0 || strings.ContainsAny(s[:end], `]"`) {
		return Step{}, "", fmt.Errorf("want an attribute name at %q", s)
	}
	return Step{Name: s[:end]}, s[end:], nil
}

func cutKey(s string) (Step, string, error) {
	if !strings.HasPrefix(s, `"`) {
		index, tail, ok := strings.Cut(s, "]")
		n, err := strconv.Atoi(index)
		if !ok || err != nil || n < 0 || strconv.Itoa(n) != index {
			return Step{}, "", fmt.Errorf("want a quoted key or an index at %q", s)
		}
		return Step{Name: index, Key: true, Index: true}, tail, nil
	}
	var key string
	decoder := json.NewDecoder(strings.NewReader(s))
	if err := decoder.Decode(&key); err != nil {
		return Step{}, "", fmt.Errorf("want a quoted key at %q: %w", s, err)
	}
	tail, ok := strings.CutPrefix(s[decoder.InputOffset():], "]")
	if !ok {
		return Step{}, "", fmt.Errorf("want ] after key %q", key)
	}
	return Step{Name: key, Key: true}, tail, nil
}
