// Package generator makes up numbered messages, for trying things out and for load
// tests. Its position survives a restart, so numbers repeat only where a message was
// not settled.
//
// It reads nothing from outside. Only runner/instance imports it.
package generator

import (
	"context"
	"errors"
	"strconv"
	"strings"
	"time"

	"golang.org/x/time/rate"

	"github.com/functionmesh/terraform-provider-functionmesh/internal/spec"
	"github.com/functionmesh/terraform-provider-functionmesh/runner/connector/settings"
	"github.com/functionmesh/terraform-provider-functionmesh/runner/pipeline"
)

const topic = "generator:"

type config struct {
	Count    int64   `json:"count"`
	Rate     float64 `json:"rate"`
	Size     int     `json:"size"`
	Template string  `json:"template"`
}

// Source generates. With several instances each makes every so manieth message, at its
// share of the rate.
type Source struct {
	config   config
	place    settings.Place
	position settings.Position
}

// NewSource reads the connector's config.
func NewSource(configJSON string, place settings.Place) (*Source, error) {
	s := &Source{place: place.Checked()}
	if err := settings.Decode("generator", spec.KindSource, configJSON, &s.config); err != nil {
		return nil, err
	}
	s.position = settings.NewPosition(s.place, "generator")
	return s, nil
}

// position is the number of the next message that is not settled.
type position struct {
	Next int64 `json:"next"`
}

// Open starts behind what was settled.
func (s *Source) Open(context.Context) ([]pipeline.Lane, error) {
	at := position{Next: int64(s.place.Instance)}
	if _, err := s.position.Load(&at); err != nil {
		return nil, err
	}
	l := &lane{source: s, next: at.Next, settled: at.Next, step: int64(s.place.Parallelism), limiter: rate.NewLimiter(rate.Inf, 1)}
	if s.config.Rate > 0 {
		perSecond := s.config.Rate / float64(s.place.Parallelism)
		l.limiter = rate.NewLimiter(rate.Limit(perSecond), max(1, int(perSecond/10)))
	}
	l.before, l.after, l.numbered = strings.Cut(s.config.Template, "{n}")
	return []pipeline.Lane{l}, nil
}

// Close has nothing to release.
func (s *Source) Close(context.Context) error { return nil }

type lane struct {
	source        *Source
	limiter       *rate.Limiter
	next, settled int64
	step          int64
	before, after string
	numbered      bool
}

// Name is the connector's.
func (l *lane) Name() string { return topic }

// Ordered is true: the numbers rise.
func (l *lane) Ordered() bool { return true }

// Read makes messages up to its bounds, as fast as the rate allows. After the last one
// it waits: an instance that ended would be started again.
func (l *lane) Read(ctx context.Context, most int, maxBytes int64) (pipeline.Batch, error) {
	if l.done() {
		<-ctx.Done()
		return pipeline.Batch{}, ctx.Err()
	}
	if err := l.limiter.Wait(ctx); err != nil {
		return pipeline.Batch{}, err
	}
	b := pipeline.Batch{Token: l}
	now := time.Now().UnixMilli()
	for size := int64(0); ; {
		m := pipeline.Message{Topic: topic, Position: pipeline.Numbered(l.next), Value: l.value(l.next), PublishTime: now}
		size += m.Size()
		b.Messages = append(b.Messages, m)
		l.next += l.step
		if len(b.Messages) >= most || size >= maxBytes || l.done() || !l.limiter.Allow() {
			return b, nil
		}
	}
}

func (l *lane) done() bool {
	count := l.source.config.Count
	return count > 0 && l.next >= count
}

// value fills every {n} of the template and pads with spaces, which JSON ignores.
func (l *lane) value(n int64) []byte {
	if !l.numbered {
		return l.padded([]byte(l.before))
	}
	number := strconv.FormatInt(n, 10)
	text := append(append([]byte(l.before), number...), strings.ReplaceAll(l.after, "{n}", number)...)
	return l.padded(text)
}

func (l *lane) padded(text []byte) []byte {
	for len(text) < l.source.config.Size {
		text = append(text, ' ')
	}
	return text
}

// Settle saves how far everything is done.
func (l *lane) Settle(_ context.Context, b pipeline.Batch, v []pipeline.Verdict) error {
	if b.Token != l {
		return errors.New("a batch of another lane was settled")
	}
	if len(v) == 0 {
		return nil
	}
	next := l.settled + int64(len(v))*l.step
	if err := l.source.position.Save(position{Next: next}); err != nil {
		return err
	}
	l.settled = next
	return nil
}
