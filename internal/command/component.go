package command

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"strconv"

	"github.com/spf13/cobra"

	"github.com/functionmesh/terraform-provider-functionmesh/internal/catalog"
	"github.com/functionmesh/terraform-provider-functionmesh/internal/engine"
	"github.com/functionmesh/terraform-provider-functionmesh/internal/spec"
)

// newComponent is the noun of one component kind: the three have the same verbs, but
// for trigger.
func newComponent(a *app, kind spec.Kind) *cobra.Command {
	noun := group(string(kind), fmt.Sprintf("Look at and control %ss", kind))
	noun.AddCommand(
		&cobra.Command{
			Use: "list", Short: fmt.Sprintf("List the %ss of the namespace", kind), Args: args(cobra.NoArgs),
			RunE: func(cmd *cobra.Command, _ []string) error { return a.list(cmd.Context(), kind, a.componentTable) },
		},
		named("get", fmt.Sprintf("Show one %s; -o yaml is what `run -f` reads", kind), func(ctx context.Context, name string) error {
			return a.get(ctx, kind, name, a.componentTable)
		}),
		named("delete", fmt.Sprintf("Stop and remove a %s", kind), func(ctx context.Context, name string) error {
			return a.remove(ctx, kind, name, engine.DeleteOptions{})
		}),
		named("stats", "Show what each instance has done", func(ctx context.Context, name string) error {
			return a.stats(ctx, kind, name)
		}),
		newAct(a, kind, "stop", "Stop all instances until start"),
		newAct(a, kind, "start", "Start a stopped "+string(kind)),
		newAct(a, kind, "restart", "Restart all instances"),
		newScale(a, kind),
		newLogs(a, kind),
	)
	if kind != spec.KindSource {
		noun.AddCommand(newSeek(a, kind))
	}
	if kind == spec.KindFunction {
		noun.AddCommand(newTrigger(a))
	}
	return noun
}

// named is a verb that takes one name and nothing else.
func named(verb, short string, run func(ctx context.Context, name string) error) *cobra.Command {
	return &cobra.Command{
		Use: verb + " NAME", Short: short, Args: args(cobra.ExactArgs(1)),
		RunE: func(cmd *cobra.Command, names []string) error { return run(cmd.Context(), names[0]) },
	}
}

func (a *app) componentTable(documents []catalog.Document) table {
	t := table{header: []string{"NAME", "STATUS", "READY", "CODE", "INPUTS", "OUTPUT", "MESH"}}
	for _, d := range documents {
		c, err := decode[spec.Component](d)
		if err != nil {
			t.add(d.Key.Name, string(d.Status.Phase), ready(d.Status), err.Error(), "", "", d.Marks.Mesh)
			continue
		}
		code, _ := c.Runtime.Chosen()
		if code == "" {
			code = c.Builtin
		}
		inputs, output := map[string]bool{}, ""
		for topic := range c.Inputs {
			inputs[a.short(topic)] = true
		}
		if c.Output != nil {
			output = a.short(c.Output.Topic)
		}
		t.add(d.Key.Name, string(d.Status.Phase), ready(d.Status), code, sortedKeys(inputs), output, d.Marks.Mesh)
	}
	return t
}

// short is a topic's shortest spelling for the current tenant and namespace.
func (a *app) short(topic string) string {
	name, err := spec.ParseTopic(topic, a.tenant, a.namespace)
	if err != nil {
		return topic
	}
	return name.Short(a.tenant, a.namespace)
}

func (a *app) stats(ctx context.Context, kind spec.Kind, name string) error {
	d, err := a.observe(ctx, kind, name)
	if err != nil {
		return err
	}
	return a.print(d.Status, func() table {
		for i := range d.Status.Instances {
			d.Status.Instances[i].Component = d.Key.Name
		}
		t := statusTable(d.Status)
		t.notes = details(d.Status)
		return t
	})
}

// past is how a finished verb is told.
var past = map[string]string{"stop": "stopped", "start": "started", "restart": "restarted"} //nolint:gochecknoglobals // a constant table

// newAct is a one-off verb that ends when the instances are where it sends them.
func newAct(a *app, kind spec.Kind, verb, short string) *cobra.Command {
	var wait waitFlags
	cmd := named(verb, short, func(ctx context.Context, name string) error {
		h, err := a.handle(ctx, kind)
		if err != nil {
			return err
		}
		key := a.key(kind, name)
		if _, err := h.Act(ctx, key, verb, nil); err != nil {
			return err
		}
		return a.finish(ctx, h, key, past[verb], wait)
	})
	wait.register(cmd)
	return cmd
}

func newScale(a *app, kind spec.Kind) *cobra.Command {
	var wait waitFlags
	cmd := &cobra.Command{
		Use: "scale NAME PARALLELISM", Short: "Set how many instances run", Args: args(cobra.ExactArgs(2)),
		RunE: func(cmd *cobra.Command, words []string) error {
			n, err := strconv.Atoi(words[1])
			if err != nil || n < 1 {
				return usage("PARALLELISM is a number from 1, not %q; `stop` keeps a %s without running it", words[1], kind)
			}
			return a.scale(cmd.Context(), kind, words[0], n, wait)
		},
	}
	wait.register(cmd)
	return cmd
}

func (a *app) scale(ctx context.Context, kind spec.Kind, name string, n int, wait waitFlags) error {
	h, err := a.handle(ctx, kind)
	if err != nil {
		return err
	}
	key := a.key(kind, name)
	d, err := observe(ctx, h, key)
	if err != nil {
		return err
	}
	c, err := decode[spec.Component](d)
	if err != nil {
		return err
	}
	c.Parallelism = &n
	doc, err := json.Marshal(c)
	if err != nil {
		return err
	}
	return a.apply(ctx, h, doc, catalog.ApplyOptions{Mode: catalog.ModeUpdate, Marks: d.Marks}, wait)
}

func newTrigger(a *app) *cobra.Command {
	var topic, value, file string
	cmd := &cobra.Command{
		Use: "trigger NAME", Short: "Send one message through a function and print what it answers", Args: args(cobra.ExactArgs(1)),
		RunE: func(cmd *cobra.Command, names []string) error {
			data, err := a.triggerData(value, file)
			if err != nil {
				return err
			}
			h, err := a.handle(cmd.Context(), spec.KindFunction)
			if err != nil {
				return err
			}
			answer, err := h.Act(cmd.Context(), a.key(spec.KindFunction, names[0]), "trigger", map[string]string{"topic": topic, "data": data})
			if err != nil {
				return err
			}
			_, err = fmt.Fprintln(a.Stdout, answer)
			return err
		},
	}
	cmd.Flags().StringVar(&topic, "topic", "", "which of several inputs the message goes to")
	cmd.Flags().StringVar(&value, "value", "", "the message")
	cmd.Flags().StringVar(&file, "file", "", "read the message from a file, - for standard input")
	cmd.MarkFlagsMutuallyExclusive("value", "file")
	return cmd
}

func (a *app) triggerData(value, file string) (string, error) {
	switch file {
	case "":
		return value, nil
	case "-":
		b, err := io.ReadAll(a.Stdin)
		return string(b), err
	default:
		b, err := os.ReadFile(file)
		return string(b), err
	}
}
