// Program left is the function of tests: by the number that a value begins with, it fails
// for good, or, where it acknowledges by hand, refuses a message or leaves it.
package main

import (
	"bytes"
	"context"
	"errors"
	"strconv"

	function "github.com/functionmesh/terraform-provider-functionmesh/runner/sdk/go"
)

func main() { function.Main(left) }

func left(ctx context.Context, in function.Message) ([]function.Message, error) {
	text, _, _ := bytes.Cut(in.Value, []byte("/"))
	n, err := strconv.Atoi(string(text))
	if err != nil {
		return nil, err
	}
	var config struct {
		ByHand bool `json:"by_hand"`
	}
	self := function.From(ctx)
	if err := self.UserConfig(&config); err != nil {
		return nil, err
	}
	switch {
	case !config.ByHand && n%13 == 5:
		return nil, errors.New("number " + string(text) + " is refused")
	case config.ByHand && n%7 == 2:
		err = self.Nack(in)
	case config.ByHand && n%3 != 0:
		err = self.Ack(in)
	}
	return []function.Message{{Key: in.Key, Value: in.Value}}, err
}
