package pipeline

import (
	"context"
	"time"
)

// unobserved tells nobody.
type unobserved struct{}

func (unobserved) Received(int)                 {}
func (unobserved) Processed(int, time.Duration) {}
func (unobserved) Failed(FailureClass, error)   {}
func (unobserved) DeadLettered(int)             {}

// dropped is the sink of a component without an output.
type dropped struct{}

func (dropped) Write(_ context.Context, out []Message) (int, error) { return len(out), nil }
func (dropped) Close(context.Context) error                         { return nil }

// unchanged passes messages on, for connectors. What it returns goes to the configured
// output, whatever topic it came from.
type unchanged struct{}

func (unchanged) Invoke(_ context.Context, in []Message) ([]Result, error) {
	out := make([]Message, len(in))
	results := make([]Result, len(in))
	for i := range in {
		out[i] = in[i]
		out[i].Topic = ""
		results[i].Outputs = out[i : i+1 : i+1]
	}
	return results, nil
}

func (unchanged) Close(context.Context) error { return nil }
