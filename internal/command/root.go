package command

import (
	"io"

	"github.com/spf13/cobra"
)

// Program is the name that the command line answers to and that a daemon expects of
// the binary it is started from.
const Program = "functionmesh"

// Options is everything from outside that the commands touch.
type Options struct {
	Version string // of the build, without a leading v
	Commit  string // "" when the build does not know
	Stdin   io.Reader
	Stdout  io.Writer
	Stderr  io.Writer
}

// New builds the command tree. Run it with ExecuteContext and turn its error into an
// exit code with ExitCode.
func New(o Options) *cobra.Command {
	root := &cobra.Command{
		Use:           Program,
		Short:         "Streams, functions and connectors as code",
		SilenceUsage:  true,
		SilenceErrors: true,
		Args:          cobra.NoArgs,
		RunE:          func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	root.SetIn(o.Stdin)
	root.SetOut(o.Stdout)
	root.SetErr(o.Stderr)
	root.SetFlagErrorFunc(func(_ *cobra.Command, err error) error { return &UsageError{Err: err} })
	root.AddCommand(newVersion(o))
	return root
}
