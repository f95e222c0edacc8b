// Program late is the function of tests: by the number that a value begins with, a message
// fails once or twice before it succeeds.
package main

import (
	"bytes"
	"context"
	"errors"
	"strconv"
	"sync"

	function "github.com/functionmesh/terraform-provider-functionmesh/runner/sdk/go"
)

func main() {
	l := late{failed: map[int]int{}}
	function.Main(l.process)
}

type late struct {
	mu     sync.Mutex
	failed map[int]int
}

func (l *late) process(_ context.Context, in function.Message) ([]function.Message, error) {
	text, _, _ := bytes.Cut(in.Value, []byte("/"))
	n, err := strconv.Atoi(string(text))
	if err != nil {
		return nil, err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if n%7 == 3 && l.failed[n] < 1+n%2 {
		l.failed[n]++
		return nil, errors.New("number " + string(text) + " is not ready")
	}
	return []function.Message{{Key: in.Key, Value: in.Value}}, nil
}
