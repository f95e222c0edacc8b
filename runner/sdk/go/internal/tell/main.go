// Program tell answers each message with what its context says, as JSON, and uses the
// other parts of it: a test compares the languages by that.
package main

import (
	"context"
	"encoding/hex"
	"encoding/json"
	"errors"

	function "github.com/functionmesh/terraform-provider-functionmesh/runner/sdk/go"
)

func main() { function.Main(tell) }

func tell(ctx context.Context, m function.Message) ([]function.Message, error) {
	i := function.From(ctx)
	var config struct {
		Region string `json:"region"`
		Side   string `json:"side"`
		ByHand string `json:"by_hand"`
	}
	if err := i.UserConfig(&config); err != nil {
		return nil, err
	}
	if config.ByHand != "" {
		return byHand(i, m)
	}
	if string(m.Value) == "again" && m.Redelivery == 0 {
		return nil, errors.New("asked to fail once")
	}
	i.Logger().Info("told " + string(m.Value))
	i.RecordMetric("told", 2.5)
	partition := m.Partition
	if m.Unpartitioned {
		partition = -1 // as Pulsar's own runtimes say it
	}
	secret, _ := i.Secret("KEY")
	out, _ := i.Output()
	text, err := json.Marshal(map[string]any{
		"value": string(m.Value), "key": string(m.Key), "properties": m.Properties, "event": m.EventTime, "published": m.PublishTime,
		"topic": m.Topic, "partition": partition, "id": hex.EncodeToString(m.PulsarID()), "redelivery": m.Redelivery,
		"schema": hex.EncodeToString(m.Schema), "trace": m.Traceparent(), "function": i.FunctionID(), "output": out.Topic,
		"instance": i.ID(), "instances": i.Parallelism(), "input": i.Inputs()[0].Topic, "region": config.Region, "secret": secret,
	})
	if err != nil {
		return nil, err
	}
	return []function.Message{{Value: text}, {Topic: config.Side, Key: []byte("side"), Value: m.Value, Properties: map[string]string{"a": "b"}}}, nil
}

// byHand acknowledges all but one message, and hands one back the first time.
func byHand(i *function.Instance, m function.Message) ([]function.Message, error) {
	switch {
	case string(m.Value) == "leave":
	case string(m.Value) == "back" && m.Redelivery == 0:
		return nil, i.Nack(m)
	default:
		if err := i.Ack(m); err != nil {
			return nil, err
		}
	}
	return []function.Message{m.Reply(m.Value)}, nil
}
