//go:build unix

package main

import (
	"fmt"
	"strings"
)

// goal judges one contender by the medians of all of the same sitting. It returns ""
// where it asks for nothing.
type goal func(shape shape, own medians, of map[string]medians) string

// medians are those of one contender.
type medians struct{ cpu, rate, resident float64 }

// verdict says what was asked for, what came out, and whether that is enough.
func verdict(met bool, asked, got string) string {
	word := "met"
	if !met {
		word = "**MISSED**"
	}
	return fmt.Sprintf("%s: %s (%s)", asked, word, got)
}

// compared says whether there is somebody to be compared with.
func compared(with string, of map[string]medians) bool { return of[with].cpu > 0 }

// judge is what a row says of the goals.
func judge(goals []goal, shape shape, own medians, of map[string]medians) string {
	var all []string
	for _, g := range goals {
		if text := g(shape, own, of); text != "" {
			all = append(all, text)
		}
	}
	return strings.Join(all, "; ")
}

func (s shape) batched() bool { return s.perEntry > 1 }

// within asks for at most so many ns of CPU a message.
func within(most float64) goal {
	return func(s shape, own medians, _ map[string]medians) string {
		if !s.batched() {
			return ""
		}
		return verdict(own.cpu <= most, "CPU ≤ "+number(most, 0), number(own.cpu, 0))
	}
}

// asFast asks for a part of somebody's throughput.
func asFast(as string, part float64) goal {
	return func(s shape, own medians, of map[string]medians) string {
		if !s.batched() || !compared(as, of) {
			return ""
		}
		got := own.rate / of[as].rate
		return verdict(got >= part, "rate ≥ "+number(part, 1)+" of the copier's", number(got, 2))
	}
}

// cheaper asks for so many times less CPU than somebody.
func cheaper(than string, times float64) goal {
	return func(s shape, own medians, of map[string]medians) string {
		if !s.batched() || !compared(than, of) {
			return ""
		}
		got := of[than].cpu / own.cpu
		return verdict(got >= times, number(times, 0)+"x less than "+strings.Split(than, ",")[0], number(got, 1)+"x")
	}
}

// notWorse asks for no more CPU than somebody, unbatched.
func notWorse(than string) goal {
	return func(s shape, own medians, of map[string]medians) string {
		if s.batched() || !compared(than, of) {
			return ""
		}
		return verdict(own.cpu <= of[than].cpu, "CPU ≤ that of "+strings.Split(than, ",")[0], number(own.cpu/of[than].cpu, 2)+"x")
	}
}

// over asks for at most so many ns more CPU than somebody.
func over(than string, most float64) goal {
	return func(s shape, own medians, of map[string]medians) string {
		if !s.batched() || !compared(than, of) {
			return ""
		}
		got := own.cpu - of[than].cpu
		return verdict(got <= most, "≤ "+number(most, 0)+" over Go", fmt.Sprintf("%+.0f", got))
	}
}

// inThousands asks only where entries hold a thousand messages.
func inThousands(g goal) goal {
	return func(s shape, own medians, of map[string]medians) string {
		if s.perEntry < 1000 {
			return ""
		}
		return g(s, own, of)
	}
}
