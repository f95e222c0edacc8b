package command

import (
	"github.com/spf13/cobra"

	"github.com/functionmesh/terraform-provider-functionmesh/internal/spec"
)

func newSeek(a *app, kind spec.Kind) *cobra.Command {
	var to string
	var wait waitFlags
	cmd := &cobra.Command{
		Use: "seek NAME --to earliest|latest|TIME", Short: "Go on reading from another position", Args: args(cobra.ExactArgs(1)),
		Long: `Stop the instances, move the subscriptions of all inputs, and start them again. TIME is
RFC 3339, such as 2006-01-02T15:04:05Z: the first message published then or later.

What is read again is also written again, with effectively_once as well: it counts as new
work under a new epoch. Only inputs on a Pulsar can be moved.`,
		RunE: func(cmd *cobra.Command, names []string) error {
			if to == "" {
				return usage("give --to earliest, latest or a time")
			}
			h, err := a.handle(cmd.Context(), kind)
			if err != nil {
				return err
			}
			key := a.key(kind, names[0])
			if _, err := h.Act(cmd.Context(), key, "seek", map[string]string{"to": to}); err != nil {
				return err
			}
			return a.finish(cmd.Context(), h, key, "moved to "+to, wait)
		},
	}
	cmd.Flags().StringVar(&to, "to", "", "earliest, latest or a time")
	wait.register(cmd)
	return cmd
}
