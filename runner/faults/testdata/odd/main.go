// Program odd is the function of tests: by the number that a value begins with, a message
// fails for good, makes nothing, two, or one with another key and a property.
package main

import (
	"bytes"
	"context"
	"errors"
	"strconv"

	function "github.com/functionmesh/terraform-provider-functionmesh/runner/sdk/go"
)

func main() { function.Main(odd) }

func odd(_ context.Context, in function.Message) ([]function.Message, error) {
	text, _, _ := bytes.Cut(in.Value, []byte("/"))
	n, err := strconv.Atoi(string(text))
	if err != nil {
		return nil, err
	}
	out := function.Message{Key: in.Key, Value: in.Value}
	switch {
	case n%13 == 5:
		return nil, errors.New("number " + string(text) + " is refused")
	case n%11 == 0:
		return nil, nil
	case n%7 == 3:
		return []function.Message{out, {Key: in.Key, Value: append([]byte("again "), in.Value...)}}, nil
	case n%5 == 1:
		out.Key, out.Properties = []byte("odd"), map[string]string{"number": string(text)}
	}
	return []function.Message{out}, nil
}
