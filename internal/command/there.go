package command

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/functionmesh/terraform-provider-functionmesh/internal/admin"
	"github.com/functionmesh/terraform-provider-functionmesh/internal/engine"
	"github.com/functionmesh/terraform-provider-functionmesh/internal/spec"
	"github.com/functionmesh/terraform-provider-functionmesh/internal/wire"
	"github.com/functionmesh/terraform-provider-functionmesh/runner/broker/pulsar/conn"
	"github.com/functionmesh/terraform-provider-functionmesh/runner/broker/pulsar/conn/pulsarpb"
)

// systemTopic begins the names of topics that a Pulsar lists to nobody.
const systemTopic = "__"

// there fails with NotFound where a Pulsar has no such topic, because reading one that
// is misspelt would make it. Where nobody tells us it passes.
func there(ctx context.Context, broker wire.Broker, full string) error {
	topic, err := spec.ParseTopic(full, "", "")
	if err != nil || topic.Domain != spec.Persistent || strings.HasPrefix(topic.Local, systemTopic) {
		return err
	}
	found, asked, err := known(ctx, broker, topic)
	if found || engine.Is(err, engine.NotFound) {
		return err
	}
	absent := asked && err == nil
	all, err := topicsOf(ctx, broker, topic.Tenant+"/"+topic.Namespace)
	if absent || err == nil && !among(topic, all) {
		return noTopic(topic, all)
	}
	if reason, _ := conn.Terminal(err); reason == "AuthorizationRefused" {
		return nil
	}
	return err
}

// among takes a whole topic for less than any of its partitions.
func among(topic spec.TopicName, all map[string]int) bool {
	partitions, ok := all[topic.Local]
	return ok && topic.Partition < partitions
}

// known asks the REST API, where there is one to ask.
func known(ctx context.Context, broker wire.Broker, topic spec.TopicName) (found, asked bool, err error) {
	if broker.AdminURL == "" {
		return false, false, nil
	}
	clients, err := admin.New(adminOptions(broker))
	if err != nil {
		return false, false, err
	}
	full := topic.String()
	have, err := clients.Topics.Observe(ctx, engine.Key{
		Kind: string(spec.KindTopic), Tenant: topic.Tenant, Namespace: topic.Namespace, Name: full[strings.LastIndexByte(full, '/')+1:],
	})
	return have.Found, true, err
}

// topicsOf asks the brokers for the persistent topics of a namespace: their names and
// how many partitions each has, 0 for one without.
func topicsOf(ctx context.Context, broker wire.Broker, namespace string) (map[string]int, error) {
	client, err := conn.New(broker, conn.Options{Patience: clusterTimeout})
	if err != nil {
		return nil, engine.New(engine.Invalid, err)
	}
	answer, err := client.Ask(ctx, "topics", func() *pulsarpb.BaseCommand {
		return &pulsarpb.BaseCommand{GetTopicsOfNamespace: &pulsarpb.GetTopicsOfNamespace{Namespace: namespace}}
	})
	if err := errors.Join(err, client.Close()); err != nil {
		return nil, err
	}
	partitions := map[string]int{}
	for _, full := range answer.GetTopicsOfNamespaceResponse.Topics {
		if name, err := spec.ParseTopic(full, "", ""); err == nil {
			partitions[name.Local] = max(partitions[name.Local], name.Partition+1)
		}
	}
	return partitions, nil
}

func noTopic(topic spec.TopicName, all map[string]int) error {
	hint := "Look at `functionmesh topic list`; producing to it or declaring it makes it"
	switch n, ok := all[topic.Local]; {
	case ok && topic.Partition >= n:
		hint = fmt.Sprintf("%s has %d partitions, counted from 0", topic.Local, n)
	default:
		if close := near(topic.Local, spec.SortedKeys(all)); len(close) > 0 {
			hint = "Did you mean " + strings.Join(close, " or ") + "?"
		}
	}
	return &engine.Error{Class: engine.NotFound, Hint: hint, Err: fmt.Errorf("there is no topic %s", topic)}
}

// near are at most three names that one may have meant, the nearest first: those that
// are few edits away, or one of which is a part of the other.
func near(name string, all []string) []string {
	const most = 3
	distance := map[string]int{}
	for _, other := range all {
		d := edits(strings.ToLower(name), strings.ToLower(other))
		part := min(len(name), len(other)) > 2 && (strings.Contains(other, name) || strings.Contains(name, other))
		if part || d <= max(1, len(name)/3) {
			distance[other] = d
		}
	}
	found := spec.SortedKeys(distance)
	slices.SortStableFunc(found, func(a, b string) int { return cmp.Compare(distance[a], distance[b]) })
	return found[:min(most, len(found))]
}

// edits is how many bytes are put in, taken out or replaced to turn a into b; two that
// changed places count as one.
func edits(a, b string) int {
	var before []int
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		next := make([]int, len(b)+1)
		next[0] = i + 1
		for j := range len(b) {
			cost := 1
			if a[i] == b[j] {
				cost = 0
			}
			next[j+1] = min(row[j+1]+1, next[j]+1, row[j]+cost)
			if i > 0 && j > 0 && a[i] == b[j-1] && a[i-1] == b[j] {
				next[j+1] = min(next[j+1], before[j-1]+1)
			}
		}
		before, row = row, next
	}
	return row[len(b)]
}
