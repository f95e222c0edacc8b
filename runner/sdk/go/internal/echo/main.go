// Program echo is the function that benchmarks call: the environment variable FORM says
// in which of the forms that a function may have.
package main

import (
	"context"
	"os"

	function "github.com/functionmesh/terraform-provider-functionmesh/runner/sdk/go"
)

func main() {
	switch os.Getenv("FORM") {
	case "message":
		function.Main(func(_ context.Context, m function.Message) ([]function.Message, error) {
			return []function.Message{m.Reply(m.Value)}, nil
		})
	case "batch":
		function.Main(batch)
	default:
		function.Main(func(in []byte) ([]byte, error) { return in, nil })
	}
}

func batch(_ context.Context, in []function.Message) ([]function.Result, error) {
	out := make([]function.Result, len(in))
	for i := range in {
		out[i].Outputs = []function.Message{in[i].Reply(in[i].Value)}
	}
	return out, nil
}
