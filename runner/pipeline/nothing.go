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
type unchanged struct{ free chan []Result }

// unchangedKept bounds the results that wait to be used again.
const unchangedKept = depth

func newUnchanged() unchanged { return unchanged{free: make(chan []Result, unchangedKept)} }

func (u unchanged) Invoke(_ context.Context, in []Message) ([]Result, error) {
	results := u.take(len(in))
	for i := range in {
		o := &results[i].Outputs[0]
		*o = in[i]
		o.Topic = ""
	}
	return results, nil
}

// take returns n results with room for one output each.
func (u unchanged) take(n int) []Result {
	select {
	case results := <-u.free:
		if cap(results) >= n {
			return results[:n]
		}
	default:
	}
	out, results := make([]Message, n), make([]Result, n)
	for i := range results {
		results[i].Outputs = out[i : i+1]
	}
	return results
}

// Reuse implements Reuser.
func (u unchanged) Reuse(results []Result) {
	for i := range results {
		results[i].Outputs[0] = Message{}
	}
	select {
	case u.free <- results:
	default:
	}
}

func (unchanged) Close(context.Context) error { return nil }
