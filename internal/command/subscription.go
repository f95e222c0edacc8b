package command

import (
	"context"
	"errors"
	"slices"
	"strconv"

	"github.com/spf13/cobra"

	"github.com/functionmesh/terraform-provider-functionmesh/internal/admin"
	"github.com/functionmesh/terraform-provider-functionmesh/internal/engine"
	"github.com/functionmesh/terraform-provider-functionmesh/internal/local"
	"github.com/functionmesh/terraform-provider-functionmesh/internal/spec"
	"github.com/functionmesh/terraform-provider-functionmesh/internal/wire"
)

// topicOn is a topic's full name and the platform that keeps it.
func (a *app) topicOn(ctx context.Context, verb, name string) (*local.Client, string, error) {
	topic, err := spec.ParseTopic(name, a.tenant, a.namespace)
	if err != nil {
		return nil, "", usage("%w", err)
	}
	daemon, err := a.daemon(ctx, "topic "+verb)
	return daemon, topic.String(), err
}

func newSubscriptions(a *streams) *cobra.Command {
	return &cobra.Command{
		Use: "subscriptions TOPIC", Short: "List the subscriptions of a topic and what each has before it", Args: args(cobra.ExactArgs(1)),
		RunE: func(cmd *cobra.Command, names []string) error {
			if a.service != "" {
				return usage("subscriptions of a Pulsar are listed by `pulsar-admin topics subscriptions` and `stats`")
			}
			daemon, topic, err := a.topicOn(cmd.Context(), "subscriptions", names[0])
			if err != nil {
				return err
			}
			all, err := daemon.Subscriptions(cmd.Context(), topic)
			if err != nil {
				return err
			}
			return a.print(all, func() table {
				t := table{header: []string{"SUBSCRIPTION", "MODE", "BACKLOG"}}
				for _, s := range all {
					t.add(s.Name, s.Mode, strconv.FormatInt(s.Backlog, 10))
				}
				return t
			})
		},
	}
}

func newUnsubscribe(a *streams) *cobra.Command {
	var force bool
	cmd := &cobra.Command{
		Use: "unsubscribe TOPIC SUBSCRIPTION", Short: "Delete a subscription with its backlog", Args: args(cobra.ExactArgs(2)),
		RunE: func(cmd *cobra.Command, names []string) error {
			if err := a.unsubscribe(cmd.Context(), names[0], names[1], force); err != nil {
				return err
			}
			if a.service != "" && a.target.AdminURL == "" {
				a.say("%s has no subscription %s now; whether it had one only --admin-url tells", names[0], names[1])
				return nil
			}
			a.say("subscription %s of %s deleted", names[1], names[0])
			return nil
		},
	}
	cmd.Flags().BoolVar(&force, "force", false, "even if a component reads by it")
	return cmd
}

func (s *streams) unsubscribe(ctx context.Context, name, subscription string, force bool) error {
	topic, broker, remote, err := s.at(name)
	if err != nil {
		return err
	}
	if remote {
		return s.unsubscribeOn(ctx, broker, topic, subscription, force)
	}
	daemon, topic, err := s.topicOn(ctx, "unsubscribe", name)
	if err != nil {
		return err
	}
	return daemon.Unsubscribe(ctx, topic, subscription, force)
}

// unsubscribeOn is sure that there was a subscription only through the REST API: brokers
// make one by being asked, so that it is gone afterwards in any case.
func (s *streams) unsubscribeOn(ctx context.Context, broker wire.Broker, topic, subscription string, force bool) error {
	if err := there(ctx, broker, topic); err != nil {
		return err
	}
	if broker.AdminURL == "" {
		if force {
			return usage("--force on a Pulsar needs its REST API: add --admin-url")
		}
		return brokers{broker}.Unsubscribe(ctx, topic, subscription)
	}
	cluster, err := admin.NewStreams(adminOptions(broker))
	if err != nil {
		return err
	}
	all, err := cluster.Subscriptions(ctx, topic)
	if err != nil {
		return err
	}
	if slices.Contains(all, subscription) {
		err := cluster.DeleteSubscription(ctx, topic, subscription, force)
		if refused, ok := errors.AsType[*engine.Error](err); ok && refused.Class == engine.Invalid && !force {
			refused.Hint = "Stop who reads by it first, or use --force"
		}
		return err
	}
	return engine.NoSubscription(topic, subscription, all)
}
