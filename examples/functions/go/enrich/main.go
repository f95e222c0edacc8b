// Program enrich adds the region of its user_config to JSON orders and counts them by
// currency. It shows the message form: key and event time are kept, properties are
// added, orders without an id go to a topic of their own.
package main

import (
	"context"
	"encoding/json"
	"fmt"

	function "github.com/functionmesh/terraform-provider-functionmesh/runner/sdk/go"
)

func main() { function.Main(enrich) }

func enrich(ctx context.Context, m function.Message) ([]function.Message, error) {
	instance := function.From(ctx)
	config := struct {
		Region   string `json:"region"`
		Rejected string `json:"rejected"`
	}{Region: "unknown", Rejected: "rejected"}
	if err := instance.UserConfig(&config); err != nil {
		return nil, fmt.Errorf("user_config: %w", err)
	}
	var order map[string]any
	if err := json.Unmarshal(m.Value, &order); err != nil {
		return nil, fmt.Errorf("order %s: %w", m.ID(), err)
	}
	if _, ok := order["id"]; !ok {
		reply := m.Reply(m.Value)
		reply.Topic = config.Rejected
		return []function.Message{reply}, nil
	}
	order["region"] = config.Region
	value, err := json.Marshal(order)
	if err != nil {
		return nil, err
	}
	instance.RecordMetric("orders", 1)
	reply := m.Reply(value)
	reply.Properties = map[string]string{"region": config.Region}
	return []function.Message{reply}, nil
}
