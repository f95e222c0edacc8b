// Command terraform-provider-functionmesh is the Terraform plugin when Terraform
// starts it, and the workstation command line when a person does. It only decides
// which of the two is wanted and forwards signals.
package main

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"syscall"

	"github.com/hashicorp/terraform-plugin-framework/providerserver"

	"github.com/functionmesh/terraform-provider-functionmesh/internal/command"
	"github.com/functionmesh/terraform-provider-functionmesh/provider"
)

// version is set by the linker.
var version = "dev"

const (
	address = "registry.terraform.io/functionmesh/functionmesh"
	// pluginCookie is in the environment of a process that Terraform starts as a plugin.
	pluginCookie = "TF_PLUGIN_MAGIC_COOKIE"
	debugFlag    = "-debug" // serve the provider for a debugger instead of for Terraform
)

func main() {
	err := run(context.Background(), os.Args[1:])
	if err != nil {
		fmt.Fprintln(os.Stderr, "Error:", err)
	}
	os.Exit(command.ExitCode(err))
}

func run(ctx context.Context, args []string) error {
	debugger := len(args) == 1 && args[0] == debugFlag
	if debugger || len(args) == 0 && os.Getenv(pluginCookie) != "" {
		if !debugger {
			tune()
		}
		return providerserver.Serve(ctx, provider.New(version), providerserver.ServeOpts{Address: address, ProtocolVersion: 6, Debug: debugger})
	}
	ctx, stop := signal.NotifyContext(ctx, os.Interrupt, syscall.SIGTERM)
	defer stop()
	context.AfterFunc(ctx, stop) // a second signal ends the process at once
	cli := command.New(command.Options{
		Version: version,
		Stdin:   os.Stdin, Stdout: os.Stdout, Stderr: os.Stderr,
	})
	return cli.ExecuteContext(ctx)
}
