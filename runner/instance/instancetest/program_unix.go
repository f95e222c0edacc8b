//go:build unix

package instancetest

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"syscall"

	"github.com/functionmesh/terraform-provider-functionmesh/runner/instance"
	"github.com/functionmesh/terraform-provider-functionmesh/runner/runnertest"
)

// Main runs the instance of `run --config FILE` until SIGTERM drained it, and returns its
// exit code; mine is false when the arguments ask for something else. A TestMain calls
// it first. Start the process with runnertest.StartChild.
func Main() (code int, mine bool) {
	if len(os.Args) < 2 || os.Args[1] != "run" {
		return 0, false
	}
	return program(os.Args[2:]), true
}

func program(args []string) int {
	flags := flag.NewFlagSet("run", flag.ContinueOnError)
	config := flags.String("config", "", "")
	if err := flags.Parse(args); err != nil {
		return 2
	}
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM)
	defer stop()
	context.AfterFunc(ctx, stop)
	runnertest.Listening(os.Stdout)
	err := instance.Run(ctx, instance.Options{ConfigFile: *config, Stderr: os.Stderr})
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
	}
	return instance.ExitCode(err)
}
