// Program echo is the function of tests that count: one output for each message, which it
// acknowledges by hand where that is its guarantee.
package main

import (
	"context"

	function "github.com/functionmesh/terraform-provider-functionmesh/runner/sdk/go"
)

func main() { function.Main(echo) }

func echo(ctx context.Context, in function.Message) ([]function.Message, error) {
	var config struct {
		ByHand bool `json:"by_hand"`
	}
	self := function.From(ctx)
	err := self.UserConfig(&config)
	if err == nil && config.ByHand {
		err = self.Ack(in)
	}
	return []function.Message{in.Reply(in.Value)}, err
}
