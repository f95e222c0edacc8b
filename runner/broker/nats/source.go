package nats

import (
	"context"
	"errors"

	"github.com/functionmesh/terraform-provider-functionmesh/runner/pipeline"
)

// Source reads subscribed topics: one lane per input of a shared subscription, one
// per partition of a failover subscription.
type Source struct {
	options SourceOptions
}

// NewSource checks the options and connects to nothing.
func NewSource(o SourceOptions) (*Source, error) {
	return &Source{options: o}, nil
}

// Open implements pipeline.Source.
func (s *Source) Open(context.Context) ([]pipeline.Lane, error) {
	return nil, errors.New("nats source: not connected")
}

// Close implements pipeline.Source.
func (s *Source) Close(context.Context) error { return nil }
