package command

import (
	"context"
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"

	"github.com/functionmesh/terraform-provider-functionmesh/internal/admin"
	"github.com/functionmesh/terraform-provider-functionmesh/internal/catalog"
	"github.com/functionmesh/terraform-provider-functionmesh/internal/engine"
	"github.com/functionmesh/terraform-provider-functionmesh/internal/spec"
)

// Program is the name that the command line answers to and that a daemon expects of
// the binary it is started from.
const Program = "functionmesh"

// owner is the mark on everything that the command line creates.
const owner = "cli"

// Options is everything from outside that the commands touch.
type Options struct {
	Version string // of the build, without a leading v
	Stdin   io.Reader
	Stdout  io.Writer
	Stderr  io.Writer

	// Connect finds the platform's clients. nil: the admin API that the flags name,
	// else the embedded platform, started when it does not run.
	Connect func(context.Context, Target) (catalog.Clients, error)
}

// Target says which platform the flags mean.
type Target struct {
	DataDir   string // of the embedded platform; "" its default
	AdminURL  string // "" is the embedded platform
	TokenFile string // for AdminURL
	TLS       admin.TLS
	Version   string // of this build
}

// app is what all commands of one tree share: the injected world and the flags that
// every command understands.
type app struct {
	Options
	target    Target
	tenant    string
	namespace string
	output    string
}

// New builds the command tree. Run it with ExecuteContext and turn its error into an
// exit code with ExitCode.
func New(o Options) *cobra.Command {
	a := &app{Options: o, target: Target{Version: o.Version}}
	if a.Connect == nil {
		a.Connect = connect
	}
	root := group(Program, "Streams, functions and connectors as code")
	root.Long = rootHelp
	root.SilenceUsage, root.SilenceErrors = true, true
	root.PersistentPreRunE = noEmptyFlag
	root.SetIn(o.Stdin)
	root.SetOut(o.Stdout)
	root.SetErr(o.Stderr)
	root.SetFlagErrorFunc(func(_ *cobra.Command, err error) error { return &UsageError{Err: err} })

	flags := root.PersistentFlags()
	flags.StringVar(&a.target.DataDir, "data-dir", "", "data directory of the embedded platform")
	flags.StringVar(&a.target.AdminURL, "admin-url", "", "Pulsar admin REST API to use instead of the embedded platform")
	flags.StringVar(&a.target.TokenFile, "token-file", "", "file with the token for --pulsar and --admin-url, or for local up --listen")
	flags.StringVar(&a.tenant, "tenant", spec.DefaultTenant, "tenant of names that have none")
	flags.StringVar(&a.namespace, "namespace", spec.DefaultNamespace, "namespace of names that have none")
	flags.StringVarP(&a.output, "output", "o", formatTable, "table, json or yaml")

	root.AddCommand(
		newLocal(a), newMesh(a), newTopic(a),
		newComponent(a, spec.KindFunction), newComponent(a, spec.KindSource), newComponent(a, spec.KindSink),
		newRun(a), newVersion(a),
	)
	return root
}

const rootHelp = `Streams, functions and connectors as code.

Commands act on the embedded platform of this machine, which starts on demand, or
with --admin-url on any Pulsar admin REST API.

Exit codes: 0 done, 1 failed, 2 wrong usage; run also 78 when starting the same
instance again cannot help.`

// group is a noun: with no verb it prints its help, with an unknown one it fails.
func group(use, short string) *cobra.Command {
	return &cobra.Command{
		Use:   use,
		Short: short,
		Args:  cobra.ArbitraryArgs,
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) == 0 {
				return cmd.Help()
			}
			return usage("unknown command %q for %q: see %s --help", args[0], cmd.CommandPath(), cmd.CommandPath())
		},
	}
}

// args makes a wrong number of arguments, or one that is empty, a usage error.
func args(check cobra.PositionalArgs) cobra.PositionalArgs {
	return func(cmd *cobra.Command, a []string) error {
		if err := check(cmd, a); err != nil {
			return usage("%w: usage: %s", err, cmd.UseLine())
		}
		for _, word := range a {
			if strings.TrimSpace(word) == "" {
				return usage("an argument is empty: usage: %s", cmd.UseLine())
			}
		}
		return nil
	}
}

// noEmptyFlag refuses a flag that says where and has an empty value, which is mostly a
// variable that is not set: without the flag the command would act on another platform
// than the one that was meant.
func noEmptyFlag(cmd *cobra.Command, _ []string) error {
	for _, name := range []string{
		"pulsar", "admin-url", "token-file", "data-dir", "tenant", "namespace", "ca-file", "cert-file", "key-file", "listen", "to", "subscription",
	} {
		if f := cmd.Flags().Lookup(name); f != nil && f.Changed && strings.TrimSpace(f.Value.String()) == "" {
			return usage("--%s is empty: give it a value, or leave it out", name)
		}
	}
	return nil
}

func usage(format string, a ...any) error { return &UsageError{Err: fmt.Errorf(format, a...)} }

// handle connects and finds the type-erased engine of a kind.
func (a *app) handle(ctx context.Context, kind spec.Kind) (catalog.Handle, error) {
	clients, err := a.Connect(ctx, a.target)
	if err != nil {
		return nil, err
	}
	return catalog.NewRegistry(clients).Kind(kind)
}

// key names an object of a kind by what the user typed.
func (a *app) key(kind spec.Kind, name string) engine.Key {
	return engine.Key{Kind: string(kind), Tenant: a.tenant, Namespace: a.namespace, Name: name}
}

// notFound is what a command answers that needs an object which is not there.
func notFound(key engine.Key) error {
	return &engine.Error{
		Class: engine.NotFound, Key: key, Err: fmt.Errorf("there is no such %s", key.Kind),
		Hint: fmt.Sprintf("See `%s %s list`, --tenant and --namespace", Program, key.Kind),
	}
}
