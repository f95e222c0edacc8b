package command

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"strconv"
	"time"

	"github.com/spf13/cobra"

	"github.com/functionmesh/terraform-provider-functionmesh/internal/engine"
	"github.com/functionmesh/terraform-provider-functionmesh/internal/local"
	"github.com/functionmesh/terraform-provider-functionmesh/internal/spec"
)

func newLocal(a *app) *cobra.Command {
	noun := group("local", "The embedded platform of this machine")
	noun.AddCommand(newLocalUp(a), newLocalDown(a), newLocalStatus(a), newLocalReset(a), newLocalLogs(a), newSecret(a))
	return noun
}

func newLocalUp(a *app) *cobra.Command {
	var foreground, anywhere bool
	var listen string
	var idle time.Duration
	cmd := &cobra.Command{
		Use: "up", Short: "Start the embedded platform, if it does not run", Args: args(cobra.NoArgs),
		Long: `Start the embedded platform, if it does not run.

With --listen the REST API is served on TCP too, for pulsar-admin and other programs,
and every request needs the token: the one in --token-file, else one that is made and
kept in the data directory. The listener and the idle timeout stay as they are, also
when another command starts the platform again, until ` + "`local down`" + `.`,
		RunE: func(cmd *cobra.Command, _ []string) error {
			token, err := readToken(a.target.TokenFile)
			if err != nil {
				return err
			}
			o := a.target.local()
			o.Listen, o.ListenAnywhere, o.Token, o.IdleTimeout = listen, anywhere, token, idle
			if idle == 0 && cmd.Flags().Changed("idle-timeout") {
				o.IdleTimeout = -1
			}
			if foreground {
				o.Clusters = clusters
				return local.Serve(cmd.Context(), o, slog.New(slog.NewTextHandler(a.Stderr, nil)))
			}
			daemon, err := local.Ensure(cmd.Context(), o)
			if err != nil {
				return err
			}
			return a.showDaemon(daemon.Handshake())
		},
	}
	cmd.Flags().BoolVar(&foreground, "foreground", false, "stay and be the platform; an interrupt drains it")
	cmd.Flags().StringVar(&listen, "listen", "", "serve the REST API on this loopback address too, such as 127.0.0.1:8080")
	cmd.Flags().BoolVar(&anywhere, "listen-anywhere", false, "allow --listen on an address that others can reach")
	cmd.Flags().DurationVar(&idle, "idle-timeout", 0, "end after so long without a request while nothing is declared; 0 never")
	return cmd
}

func (a *app) showDaemon(h local.Handshake) error {
	return a.print(h, func() table {
		t := table{header: []string{"PLATFORM", "VERSION", "PID", "COMPONENTS", "INSTANCES", "LISTEN", "DATA"}}
		t.add(h.ID, h.Version, strconv.Itoa(h.PID), strconv.Itoa(h.Declared), strconv.Itoa(h.Instances), h.Listen, h.DataDir)
		return t
	})
}

func newLocalDown(a *app) *cobra.Command {
	return &cobra.Command{
		Use: "down", Short: "Drain the instances and stop the platform; everything declared is kept", Args: args(cobra.NoArgs),
		RunE: func(cmd *cobra.Command, _ []string) error {
			ran, err := local.Down(cmd.Context(), a.target.local())
			if err != nil {
				return err
			}
			if !ran {
				a.say("the platform is not running")
				return nil
			}
			a.say("the platform is down; the next command starts it again with everything declared, without --listen")
			return nil
		},
	}
}

func newLocalStatus(a *app) *cobra.Command {
	return &cobra.Command{
		Use: "status", Short: "Show the platform; exit code 1 when it does not run", Args: args(cobra.NoArgs),
		RunE: func(cmd *cobra.Command, _ []string) error {
			daemon, err := local.Dial(cmd.Context(), a.target.local())
			if err != nil {
				return err
			}
			return a.showDaemon(daemon.Handshake())
		},
	}
}

func newLocalReset(a *app) *cobra.Command {
	var force bool
	cmd := &cobra.Command{
		Use: "reset", Short: "Remove everything the platform keeps: streams, components, secrets", Args: args(cobra.NoArgs),
		RunE: func(cmd *cobra.Command, _ []string) error {
			o := a.target.local()
			o.Force = force
			if err := local.Reset(cmd.Context(), o); err != nil {
				return err
			}
			a.say("the platform's data directory is empty")
			return nil
		},
	}
	cmd.Flags().BoolVar(&force, "force", false, "stop a running platform first")
	return cmd
}

// logFlags select a part of a log.
type logFlags struct {
	follow   bool
	tail     int
	instance int
}

func (l *logFlags) register(cmd *cobra.Command) {
	cmd.Flags().BoolVarP(&l.follow, "follow", "f", false, "go on until interrupted")
	cmd.Flags().IntVar(&l.tail, "tail", 100, "lines from the end; -1 all that is kept")
	cmd.Flags().IntVar(&l.instance, "instance", -1, "of one instance only")
}

func newLocalLogs(a *app) *cobra.Command {
	var flags logFlags
	cmd := &cobra.Command{
		Use: "logs [COMPONENT]", Short: "Show the log of a component, or of all of the namespace", Args: args(cobra.MaximumNArgs(1)),
		RunE: func(cmd *cobra.Command, names []string) error {
			if len(names) == 0 && flags.follow {
				return usage("--follow needs a COMPONENT")
			}
			found, err := a.named(cmd.Context(), names)
			if err != nil {
				return err
			}
			for _, key := range found {
				if len(names) == 0 {
					fmt.Fprintf(a.Stdout, "==> %s %s <==\n", key.Kind, key.Name)
				}
				if err := a.log(cmd.Context(), key, flags); err != nil {
					return err
				}
			}
			return nil
		},
	}
	flags.register(cmd)
	return cmd
}

// newLogs is the verb of one kind.
func newLogs(a *app, kind spec.Kind) *cobra.Command {
	var flags logFlags
	cmd := named("logs", "Show what the instances and their code have printed", func(ctx context.Context, name string) error {
		return a.log(ctx, a.key(kind, name), flags)
	})
	flags.register(cmd)
	return cmd
}

// named finds the components of the namespace, all or those with the name.
func (a *app) named(ctx context.Context, names []string) ([]engine.Key, error) {
	var found []engine.Key
	for _, kind := range spec.ComponentKinds() {
		h, err := a.handle(ctx, kind)
		if err != nil {
			return nil, err
		}
		documents, err := h.List(ctx, a.key(kind, ""))
		if err != nil {
			return nil, err
		}
		for _, d := range documents {
			if len(names) == 0 || d.Key.Name == names[0] {
				found = append(found, d.Key)
			}
		}
	}
	if len(found) == 0 && len(names) > 0 {
		return nil, &engine.Error{
			Class: engine.NotFound, Key: engine.Key{Kind: "component", Tenant: a.tenant, Namespace: a.namespace, Name: names[0]},
			Err:  errors.New("there is no such component"),
			Hint: "See `functionmesh function list`, `source list` or `sink list`, --tenant and --namespace",
		}
	}
	return found, nil
}

func (a *app) log(ctx context.Context, key engine.Key, flags logFlags) error {
	daemon, err := a.daemon(ctx, "logs")
	if err != nil {
		return err
	}
	r, err := daemon.Logs(ctx, local.LogQuery{
		Kind: spec.Kind(key.Kind), Tenant: key.Tenant, Namespace: key.Namespace, Name: key.Name,
		Instance: flags.instance, Tail: flags.tail, Follow: flags.follow,
	})
	if err != nil {
		return err
	}
	defer r.Close()
	if _, err := io.Copy(a.Stdout, r); err != nil && (!flags.follow || !errors.Is(err, context.Canceled)) {
		return err
	}
	return nil
}
