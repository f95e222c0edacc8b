package instance

import (
	"context"
	"errors"
	"io"
	"log/slog"

	"github.com/functionmesh/terraform-provider-functionmesh/internal/wire"
	"github.com/functionmesh/terraform-provider-functionmesh/runner/pipeline"
)

// Options are what a program hands in besides the wire file.
type Options struct {
	ConfigFile string       // the wire file; Run reads it, RunFile ignores it
	Lifeline   io.Reader    // end of file means: drain and stop; nil: none
	Stderr     io.Writer    // log of user code and of the instance, secrets masked
	Logger     *slog.Logger // nil: a text logger on Stderr
}

// Run reads Options.ConfigFile and runs it until ctx is cancelled, the lifeline ends
// or the source is finished; each of them drains first (R7). A *pipeline.TerminalError
// is also written into the work directory as wire.TerminationFile.
func Run(ctx context.Context, o Options) error {
	return errors.New("instance: not linked yet")
}

// RunFile is Run for a wire file that is already in memory.
func RunFile(ctx context.Context, f wire.File, o Options) error {
	return errors.New("instance: not linked yet")
}

// ExitCode maps what Run returned to the exit code of the process: 0 drained,
// wire.ExitTerminal when no restart can help, 1 otherwise.
func ExitCode(err error) int {
	var terminal *pipeline.TerminalError
	switch {
	case err == nil:
		return 0
	case errors.As(err, &terminal):
		return wire.ExitTerminal
	default:
		return 1
	}
}
