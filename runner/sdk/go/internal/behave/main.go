// Program behave is the function that the runner's conformance suite calls: what it
// does depends on the value of a message, so that a test can provoke every outcome.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"
	"time"

	function "github.com/functionmesh/terraform-provider-functionmesh/runner/sdk/go"
)

func main() {
	fmt.Println("behave was loaded")
	function.Main(behave)
}

func behave(ctx context.Context, m function.Message) ([]function.Message, error) {
	if file, ok := strings.CutPrefix(string(m.Value), "pid:"); ok {
		if err := os.WriteFile(file, []byte(strconv.Itoa(os.Getpid())), 0o600); err != nil {
			return nil, err
		}
		select {}
	}
	misbehave(string(m.Value))
	switch string(m.Value) {
	case "fail":
		return nil, errors.New("asked to fail")
	case "none":
		return nil, nil
	case "two":
		return []function.Message{{Value: []byte("two-1")}, {Value: []byte("two-2")}}, nil
	case "huge":
		return []function.Message{{Value: make([]byte, 80<<20)}}, nil
	case "context":
		return facts(ctx, m)
	case "publish":
		return []function.Message{m.Reply([]byte("here")), {Topic: "elsewhere", Value: []byte("there"), Properties: map[string]string{"a": "b"}}}, nil
	}
	return []function.Message{{Key: m.Key, Value: m.Value, Properties: m.Properties, EventTime: m.EventTime}}, nil
}

// hoard keeps what was asked for from being freed.
var hoard [][]byte

// misbehave does not return where the value asks for what ends or blocks a worker.
func misbehave(value string) {
	switch value {
	case "panic":
		panic("asked to panic")
	case "loop":
		for { //nolint:staticcheck // spinning is what was asked for
		}
	case "sleep":
		time.Sleep(time.Hour)
	case "exit":
		os.Exit(3)
	case "memory":
		for {
			hoard = append(hoard, make([]byte, 1<<20))
		}
	}
}

func facts(ctx context.Context, m function.Message) ([]function.Message, error) {
	i := function.From(ctx)
	var config struct {
		Region string `json:"region"`
	}
	if err := i.UserConfig(&config); err != nil {
		return nil, err
	}
	secret, _ := i.Secret("token")
	out, _ := i.Output()
	i.RecordMetric("seen", 2.5)
	text := fmt.Sprintf("%s/%s/%s %d/%d %s %s %s %s %s %d %d", i.Tenant(), i.Namespace(), i.Name(), i.ID(), i.Parallelism(),
		i.Inputs()[0].Topic, out.Topic, config.Region, secret, m.ID(), m.Partition, m.Redelivery)
	return []function.Message{m.Reply([]byte(text))}, nil
}
