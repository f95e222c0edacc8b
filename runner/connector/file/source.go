package file

import (
	"context"
	"errors"
	"sync"

	"github.com/functionmesh/terraform-provider-functionmesh/internal/spec"
	"github.com/functionmesh/terraform-provider-functionmesh/runner/connector/settings"
	"github.com/functionmesh/terraform-provider-functionmesh/runner/pipeline"
)

const (
	formatNDJSON = "ndjson"
	modeWhole    = "whole"
)

type config struct {
	Path   string `json:"path"`
	Format string `json:"format"`
	Mode   string `json:"mode"`
}

// Source reads one file.
type Source struct {
	config   config
	place    settings.Place
	path     string
	position settings.Position

	mu   sync.Mutex
	lane *lane
}

// NewSource reads the connector's config and opens nothing.
func NewSource(configJSON string, place settings.Place) (*Source, error) {
	s := &Source{place: place.Checked()}
	if err := settings.Decode("file", spec.KindSource, configJSON, &s.config); err != nil {
		return nil, err
	}
	path, err := s.place.Resolve(s.config.Path)
	if err != nil {
		return nil, &pipeline.TerminalError{Reason: "InvalidConfig", Err: err}
	}
	s.path = path
	s.position = settings.NewPosition(s.place, "file")
	return s, nil
}

// Open returns one lane behind what was settled. The file need not exist yet. Only the
// first of several instances reads: two would read everything twice.
func (s *Source) Open(context.Context) ([]pipeline.Lane, error) {
	if s.place.Instance != 0 {
		return nil, nil
	}
	l := &lane{source: s, follow: s.config.Mode != modeWhole}
	if err := l.resume(); err != nil {
		return nil, errors.Join(err, l.close())
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.lane = l
	return []pipeline.Lane{l}, nil
}

// Close closes the file.
func (s *Source) Close(context.Context) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.lane == nil {
		return nil
	}
	return s.lane.close()
}
