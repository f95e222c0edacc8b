// Command runner runs one instance of one function, connector or chain from one wire
// file, until it is told to stop. It reads its flags, hands over and forwards
// signals; what an instance does is package instance's. It links neither Kubernetes
// nor Terraform nor the engine.
package main

import (
	"context"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"

	"github.com/functionmesh/terraform-provider-functionmesh/runner/instance"
)

// version is set by the linker.
var version = "dev"

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, stop) // a second signal ends the process at once
	code, err := run(ctx, os.Args[1:])
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "runner:", err)
	}
	os.Exit(code)
}

func run(ctx context.Context, args []string) (int, error) {
	flags := flag.NewFlagSet("runner", flag.ContinueOnError)
	config := flags.String("config", "", "the wire `file` of the instance (required)")
	lifeline := flags.Bool("lifeline", false, "drain and stop when standard input ends")
	printVersion := flags.Bool("version", false, "print the version and exit")
	if err := flags.Parse(args); err != nil {
		return 2, nil //nolint:nilerr // the flag package has printed it
	}
	if *printVersion {
		fmt.Println("runner", version)
		return 0, nil
	}
	if *config == "" || flags.NArg() > 0 {
		flags.Usage()
		return 2, nil
	}
	options := instance.Options{ConfigFile: *config, Stderr: os.Stderr, Busy: instance.OwnProcess()}
	if *lifeline {
		options.Lifeline = io.Reader(os.Stdin)
	}
	err := instance.Run(ctx, options)
	return instance.ExitCode(err), err
}
