package generator_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/functionmesh/terraform-provider-functionmesh/runner/connector/generator"
	"github.com/functionmesh/terraform-provider-functionmesh/runner/connector/settings"
	"github.com/functionmesh/terraform-provider-functionmesh/runner/pipeline"
	"github.com/functionmesh/terraform-provider-functionmesh/runner/runnertest"
)

// valued gives the messages of a generator the values that the suite wants, by number.
type valued struct {
	pipeline.Source
	values [][]byte
}

func (v valued) Open(ctx context.Context) ([]pipeline.Lane, error) {
	lanes, err := v.Source.Open(ctx)
	for i, l := range lanes {
		lanes[i] = valuedLane{l, v.values}
	}
	return lanes, err
}

type valuedLane struct {
	pipeline.Lane
	values [][]byte
}

func (l valuedLane) Read(ctx context.Context, most int, maxBytes int64) (pipeline.Batch, error) {
	b, err := l.Lane.Read(ctx, most, maxBytes)
	for i := range b.Messages {
		n, numberErr := strconv.Atoi(b.Messages[i].ID())
		if numberErr != nil {
			return b, numberErr
		}
		b.Messages[i].Value = l.values[n]
	}
	return b, err
}

func TestSourceSuite(t *testing.T) {
	var again func(t *testing.T) pipeline.Source
	runnertest.SourceSuite(t, runnertest.SourceHarness{
		New: func(t *testing.T, values [][]byte) pipeline.Source {
			place := settings.Place{WorkDir: t.TempDir()}
			if len(values) == 0 {
				// Nothing left of one message.
				if err := os.WriteFile(filepath.Join(place.WorkDir, "generator.position.json"), []byte(`{"next":1}`), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			again = func(t *testing.T) pipeline.Source {
				s, err := generator.NewSource(fmt.Sprintf(`{"count": %d}`, max(1, len(values))), place)
				if err != nil {
					t.Fatal(err)
				}
				return valued{s, values}
			}
			return again(t)
		},
		Again: func(t *testing.T) pipeline.Source { return again(t) },
	})
}

func TestMessages(t *testing.T) {
	cases := map[string]struct {
		config string
		place  settings.Place
		want   []string
	}{
		"Default":  {`{"count": 3}`, settings.Place{}, []string{"0", "1", "2"}},
		"Template": {`{"count": 2, "template": "<{n}/{n}>"}`, settings.Place{}, []string{"<0/0>", "<1/1>"}},
		"Constant": {`{"count": 2, "template": "same"}`, settings.Place{}, []string{"same", "same"}},
		"Padded":   {`{"count": 1, "size": 5}`, settings.Place{}, []string{"0    "}},
		"Rated":    {`{"count": 2, "rate": 1000}`, settings.Place{}, []string{"0", "1"}},
		"Shared":   {`{"count": 5}`, settings.Place{Instance: 1, Parallelism: 2}, []string{"1", "3"}},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			c.place.WorkDir = t.TempDir()
			s, err := generator.NewSource(c.config, c.place)
			if err != nil {
				t.Fatal(err)
			}
			lanes, err := s.Open(t.Context())
			if err != nil || len(lanes) != 1 {
				t.Fatal(lanes, err)
			}
			var got []string
			for len(got) < len(c.want) {
				b, err := lanes[0].Read(t.Context(), 10, 1<<20)
				if err != nil {
					t.Fatal(err)
				}
				for _, m := range b.Messages {
					got = append(got, string(m.Value))
				}
			}
			if d := cmp.Diff(c.want, got); d != "" {
				t.Error(d)
			}
			ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
			defer cancel()
			if b, err := lanes[0].Read(ctx, 10, 1<<20); err == nil {
				t.Errorf("after the last message: %d more", len(b.Messages))
			}
		})
	}
}

func TestR8SettingsAreRefused(t *testing.T) {
	for name, config := range map[string]string{
		"Unknown": `{"speed": 3}`, "WrongType": `{"count": "many"}`, "NotAnObject": `[]`, "Fraction": `{"count": 1.5}`,
	} {
		t.Run(name, func(t *testing.T) {
			_, err := generator.NewSource(config, settings.Place{WorkDir: t.TempDir()})
			var terminal *pipeline.TerminalError
			if !errors.As(err, &terminal) || terminal.Reason != "InvalidConfig" {
				t.Errorf("got %v", err)
			}
		})
	}
}
