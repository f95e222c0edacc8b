package catalog

import (
	"github.com/functionmesh/terraform-provider-functionmesh/internal/diff"
	"github.com/functionmesh/terraform-provider-functionmesh/internal/engine"
	"github.com/functionmesh/terraform-provider-functionmesh/internal/spec"
)

// Topic binds topics. Properties are the platform's as long as none is written; once
// one is, they are all ours.
func Topic() Entity[spec.Topic] {
	return Entity[spec.Topic]{
		Kind: spec.KindTopic,
		Key: func(t spec.Topic) engine.Key {
			return engine.Key{Kind: string(spec.KindTopic), Tenant: t.Tenant, Namespace: t.Namespace, Name: t.Name}
		},
		Default:  spec.DefaultTopic,
		Validate: spec.ValidateTopic,
		Rules: diff.Rules{
			"tenant":        diff.Replace,
			"namespace":     diff.Replace,
			"name":          diff.Replace,
			"properties":    diff.Server,
			"properties[*]": diff.Default,
		},
		refine: partitions,
	}
}

// partitions decides what a difference of the number of partitions takes: growing
// happens in place; shrinking, and changing between partitioned and not, loses
// messages and therefore is a replacement. Unset and 0 are one.
func partitions(have, want spec.Topic, changes []engine.Change) []engine.Change {
	was, becomes := count(have.Partitions), count(want.Partitions)
	var kept []engine.Change
	for _, c := range changes {
		if c.Path == "partitions" {
			if was == becomes {
				continue
			}
			if was == 0 || becomes < was {
				c.Op = engine.Replace
			}
		}
		kept = append(kept, c)
	}
	return kept
}

func count(n *int) int {
	if n == nil {
		return 0
	}
	return *n
}
