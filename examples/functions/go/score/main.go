// Program score adds a score to JSON orders: their amount, weighted by a factor from
// user_config. It shows the batch form, which sees all messages of a batch at once and
// answers each.
package main

import (
	"context"
	"encoding/json"
	"fmt"

	function "github.com/functionmesh/terraform-provider-functionmesh/runner/sdk/go"
)

func main() { function.Main(score) }

func score(ctx context.Context, batch []function.Message) ([]function.Result, error) {
	config := struct {
		Factor float64 `json:"factor"`
	}{Factor: 1}
	if err := function.From(ctx).UserConfig(&config); err != nil {
		return nil, fmt.Errorf("user_config: %w", err)
	}
	results := make([]function.Result, len(batch))
	for i, m := range batch {
		value, err := scored(m.Value, config.Factor)
		if err != nil {
			results[i].Err = err
			continue
		}
		results[i].Outputs = []function.Message{m.Reply(value)}
	}
	return results, nil
}

func scored(value []byte, factor float64) ([]byte, error) {
	var order map[string]any
	if err := json.Unmarshal(value, &order); err != nil {
		return nil, err
	}
	amount, ok := order["amount"].(float64)
	if !ok {
		return nil, fmt.Errorf("amount is %v and not a number", order["amount"])
	}
	order["score"] = amount * factor
	return json.Marshal(order)
}
