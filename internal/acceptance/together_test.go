//go:build linux || darwin

package acceptance

import (
	"slices"
	"strings"
	"sync"
	"testing"
)

// Row: two `terraform apply` at once.
func TestTwoAppliesAtOnce(t *testing.T) {
	cases := map[string]func(s *site) [2]*project{
		"TwoProjects": func(s *site) [2]*project {
			return [2]*project{s.project(twoFunctions(built.wasm)), s.project(twoFunctions(built.wasm))}
		},
		"OneStateUnlocked": func(s *site) [2]*project {
			p := s.project(twoFunctions(built.wasm))
			return [2]*project{p, p}
		},
	}
	for name, make := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newSite(t)
			projects := make(s)
			var outcomes [2]outcome
			var both sync.WaitGroup
			for i, p := range projects {
				both.Go(func() { outcomes[i] = p.tryApply("-lock=false") })
			}
			both.Wait()
			for i, p := range projects {
				o := outcomes[i]
				t.Logf("apply %d ended with %d: %s", i, o.code, lastWords(o))
				if o.code != 0 && !strings.Contains(o.flat(), "exists already") && !strings.Contains(o.flat(), "state") {
					t.Errorf("an error that does not say what is in the way:\n%s", o.all)
				}
				if strings.Contains(o.flat(), "inconsistent result") || strings.Contains(o.flat(), "goroutine ") {
					t.Errorf("a defect of the provider:\n%s", o.all)
				}
				if o := p.tryPlan("-lock=false"); o.code != 0 {
					p.apply()
				}
				p.empty()
			}
			want := []string{"function/alone", "function/m-first", "function/m-second"}
			if got := s.components(); !slices.Equal(got, want) {
				t.Errorf("there is %v, want %v", got, want)
			}
			if got := len(s.processes()); got != 1+len(want) {
				t.Errorf("%d processes run, want the daemon and %d instances: %v", got, len(want), s.processes())
			}
			s.produce("in", 0, 50)
			exactly(t, s.consume("end", 50), 50, "!!")
		})
	}
}

func lastWords(o outcome) string {
	text := o.flat()
	return text[max(0, len(text)-200):]
}
