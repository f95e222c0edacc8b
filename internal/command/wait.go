package command

import (
	"context"
	"time"

	"github.com/spf13/cobra"

	"github.com/functionmesh/terraform-provider-functionmesh/internal/catalog"
	"github.com/functionmesh/terraform-provider-functionmesh/internal/engine"
)

// waitFlags say whether a command that changes something waits for its instances.
type waitFlags struct {
	wait    bool
	timeout time.Duration
}

func (w *waitFlags) register(cmd *cobra.Command) {
	cmd.Flags().BoolVar(&w.wait, "wait", true, "wait until the instances are ready")
	cmd.Flags().DurationVar(&w.timeout, "timeout", 5*time.Minute, "how long to wait")
}

// finish waits when asked to and tells how it went.
func (a *app) finish(ctx context.Context, h catalog.Handle, key engine.Key, done string, w waitFlags) error {
	waiter, can := h.(catalog.Waiter)
	if !w.wait || !can {
		a.say("%s %s %s", key.Kind, key.Name, done)
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, w.timeout)
	defer cancel()
	last := ""
	d, err := waiter.Wait(ctx, key, func(s engine.Status) {
		if line := headline(key, s); line != last {
			last = line
			a.progress("%s", line)
		}
	})
	if err != nil {
		return err
	}
	a.say("%s %s %s", key.Kind, key.Name, done)
	if a.output != formatTable {
		return a.print(view(d), nil)
	}
	a.say("%s", headline(key, d.Status))
	return nil
}

// apply sends a spec and waits for what it starts.
func (a *app) apply(ctx context.Context, h catalog.Handle, doc []byte, opts catalog.ApplyOptions, w waitFlags) error {
	result, err := h.Apply(ctx, doc, opts)
	a.warn(result.Warnings)
	if err != nil {
		return err
	}
	done := string(result.Action)
	if result.Action == engine.None {
		done = "unchanged"
	}
	return a.finish(ctx, h, result.Document.Key, done, w)
}
