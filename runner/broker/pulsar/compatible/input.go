package compatible

import (
	"context"
	"fmt"
	"regexp"
	"strconv"
	"strings"

	pulsario "github.com/apache/pulsar-client-go/pulsar"

	"github.com/functionmesh/terraform-provider-functionmesh/internal/wire"
	"github.com/functionmesh/terraform-provider-functionmesh/runner/broker/pulsar"
	"github.com/functionmesh/terraform-provider-functionmesh/runner/broker/pulsar/conn/pulsarpb"
)

const (
	scheme          = "persistent://"
	partitionSuffix = "-partition-"
	systemPrefix    = "__" // of the names of topics that brokers keep for themselves
)

// input is one subscribed topic, or a pattern over the topics of one namespace.
type input struct {
	*wire.Input
	decryption *pulsario.MessageDecryptionInfo
	namespace  string         // of a pattern
	pattern    *regexp.Regexp // nil: one topic
}

// topic is one that an input names.
type topic struct {
	name       string // full, without partition
	partitions int    // 0: it has none
}

func newInput(o *pulsar.SourceOptions, i int) (*input, error) {
	in := &input{Input: &o.Source.Inputs[i]}
	if b, ok := o.Brokers[in.Broker]; !ok || b.Kind != "pulsar" {
		return nil, invalid("source.inputs[%d].broker: there is no Pulsar connection %q", i, in.Broker)
	}
	var err error
	if in.decryption, err = decryption(in.Crypto); err != nil {
		return nil, err
	}
	if !in.Pattern {
		return in, nil
	}
	full := in.Topic
	if !strings.Contains(full, "://") {
		full = scheme + full
	}
	parts := strings.SplitN(strings.TrimPrefix(full, scheme), "/", 3)
	if !strings.HasPrefix(full, scheme) || len(parts) != 3 || regexp.QuoteMeta(parts[0]+parts[1]) != parts[0]+parts[1] {
		return nil, invalid("source.inputs[%d].topic: a pattern is persistent://tenant/namespace/ and a regular expression for the name", i)
	}
	in.namespace = parts[0] + "/" + parts[1]
	if in.pattern, err = regexp.Compile("^(?:" + full + ")$"); err != nil {
		return nil, invalid("source.inputs[%d].topic: %w", i, err)
	}
	return in, nil
}

// topics are those that the input names now.
func (in *input) topics(ctx context.Context, c *client) ([]topic, error) {
	if in.pattern == nil {
		n, err := c.ask.Partitions(ctx, in.Topic)
		switch {
		case err != nil:
			return nil, classed(err)
		case n == 0 && in.Partitions > 0:
			return nil, fmt.Errorf("topic %s: %w, or has no partitions any more, where it had %d", in.Topic, pulsar.ErrNoTopic, in.Partitions)
		}
		return []topic{{in.Topic, n}}, nil
	}
	answer, err := c.ask.Ask(ctx, "topics of namespace "+in.namespace, func() *pulsarpb.BaseCommand {
		return &pulsarpb.BaseCommand{GetTopicsOfNamespace: &pulsarpb.GetTopicsOfNamespace{
			Namespace: in.namespace, Mode: pulsarpb.GetTopicsOfNamespace_PERSISTENT.Enum(),
		}}
	})
	if err != nil {
		return nil, classed(err)
	}
	return in.matching(answer.GetTopicsOfNamespaceResponse.GetTopics()), nil
}

// matching groups the topics that the pattern matches, as brokers list them: one by one,
// partitions too.
func (in *input) matching(names []string) []topic {
	var found []topic
	at := map[string]int{}
	for _, full := range names {
		name, partition := split(full)
		local := name[strings.LastIndexByte(name, '/')+1:]
		if strings.HasPrefix(local, systemPrefix) || !in.pattern.MatchString(name) {
			continue
		}
		i, known := at[name]
		if !known {
			i = len(found)
			at[name] = i
			found = append(found, topic{name: name})
		}
		found[i].partitions = max(found[i].partitions, partition+1)
	}
	return found
}

// split takes the partition off a topic's name; -1: it has none.
func split(full string) (name string, partition int) {
	i := strings.LastIndex(full, partitionSuffix)
	if i < 0 {
		return full, -1
	}
	n, err := strconv.Atoi(full[i+len(partitionSuffix):])
	if err != nil || n < 0 {
		return full, -1
	}
	return full[:i], n
}
