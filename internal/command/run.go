package command

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/spf13/cobra"

	"github.com/functionmesh/terraform-provider-functionmesh/internal/local"
	"github.com/functionmesh/terraform-provider-functionmesh/internal/spec"
	"github.com/functionmesh/terraform-provider-functionmesh/internal/wire"
	"github.com/functionmesh/terraform-provider-functionmesh/runner/instance"
)

func newRun(a *app) *cobra.Command {
	var file, config string
	var lifeline bool
	var pulsar reach
	cmd := &cobra.Command{
		Use: "run -f FILE", Short: "Run one function, source or sink in the foreground", Args: args(cobra.NoArgs),
		Long: `Run one function, source or sink in the foreground, on the streams of the embedded
platform, or with --pulsar on those of a Pulsar. An interrupt drains it: what was read
is finished and acknowledged; a second one ends it at once.

FILE has the words of the HCL, or is a FunctionConfig, SourceConfig or SinkConfig of
Pulsar's own. With --pulsar nothing else has to run here: topics and subscriptions are
prepared through the brokers or, with --admin-url too, through the REST API, where the
deduplication that effectively_once needs is looked at before the instance starts.

With --config it runs the instance of a wire file, which is how the platform starts
its instances. Exit code 78 says that starting it again cannot help.`,
		RunE: func(cmd *cobra.Command, _ []string) (err error) {
			if (file == "") == (config == "") {
				return usage("give either -f FILE or --config FILE")
			}
			o := instance.Options{ConfigFile: config, Stderr: a.Stderr, Busy: instance.OwnProcess()}
			if lifeline {
				o.Lifeline = a.Stdin
			}
			if config != "" {
				return ended(instance.Run(cmd.Context(), o))
			}
			broker, remote, err := pulsar.broker(a.target)
			if err != nil {
				return err
			}
			prepare := a.wireFile
			if remote {
				prepare = func(ctx context.Context, file string) (wire.File, error) { return a.pulsarFile(ctx, file, broker) }
			}
			f, err := prepare(cmd.Context(), file)
			if err != nil {
				return err
			}
			if remote {
				defer func() { err = errors.Join(err, os.RemoveAll(f.WorkDir)) }()
			}
			o.Draining = a.draining
			a.progress("running %s %s/%s/%s; interrupt to drain", f.Component.Kind, f.Component.Tenant, f.Component.Namespace, f.Component.Name)
			return ended(instance.RunFile(cmd.Context(), f, o))
		},
	}
	cmd.Flags().StringVarP(&file, "file", "f", "", "the component as YAML or JSON, in the words of the HCL or in Pulsar's; - for standard input")
	cmd.Flags().StringVar(&config, "config", "", "the wire file of one instance")
	pulsar.register(cmd)
	cmd.Flags().BoolVar(&lifeline, "lifeline", false, "drain and stop when standard input ends")
	return cmd
}

// draining says what an interrupt waits for.
func (a *app) draining(messages int, grace time.Duration) {
	what := "what was read is finished and acknowledged first"
	switch {
	case messages == 1:
		what = "user code is at work on a message, which is finished first"
	case messages > 1:
		what = fmt.Sprintf("user code is at work on %d messages, which are finished first", messages)
	}
	fmt.Fprintf(a.Stderr, "draining: %s, for at most %s; interrupt again to stop at once\n", what, grace)
}

// wireFile lets the platform prepare topics and subscription for a component that
// runs here instead of under its supervisor.
func (a *app) wireFile(ctx context.Context, file string) (wire.File, error) {
	component, tell, err := a.readComponent(file, spec.PlatformLocal)
	if err != nil {
		return wire.File{}, err
	}
	if err := tell(notHere(component)); err != nil {
		return wire.File{}, err
	}
	if a.target.AdminURL != "" {
		return wire.File{}, usage("--admin-url goes with --pulsar: leave it out, or name the brokers too")
	}
	daemon, err := local.Ensure(ctx, a.target.local())
	if err != nil {
		return wire.File{}, err
	}
	f, err := daemon.Wire(ctx, component)
	if err != nil {
		return f, err
	}
	f.BaseDir, err = a.baseDir()
	return f, err
}

// notHere are the settings that only a supervisor honours.
func notHere(c spec.Component) []spec.Problem {
	var problems []spec.Problem
	refuse := func(path spec.Path, message string) {
		problems = append(problems, spec.Problem{Path: path, Severity: spec.SeverityError, Message: message, Hint: "Leave it out."})
	}
	if c.Parallelism != nil && *c.Parallelism > 1 {
		refuse("parallelism", "One process runs here.")
	}
	if c.State == spec.StateStopped {
		refuse("state", "One process runs here, and it runs.")
	}
	return problems
}

// ended gives what an instance returned the exit code that a supervisor reads.
func ended(err error) error {
	if err == nil {
		return nil
	}
	return &codedError{error: err, code: instance.ExitCode(err)}
}
