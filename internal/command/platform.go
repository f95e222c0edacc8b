package command

import (
	"context"
	"fmt"
	"os"
	"strings"

	"github.com/functionmesh/terraform-provider-functionmesh/internal/admin"
	"github.com/functionmesh/terraform-provider-functionmesh/internal/catalog"
	"github.com/functionmesh/terraform-provider-functionmesh/internal/local"
	"github.com/functionmesh/terraform-provider-functionmesh/internal/spec"
)

// connect is Options.Connect of a real command line.
func connect(ctx context.Context, t Target) (catalog.Clients, error) {
	if t.AdminURL != "" {
		return admin.New(admin.Options{URL: t.AdminURL, TokenFile: t.TokenFile, TLS: t.TLS})
	}
	daemon, err := local.Ensure(ctx, t.local())
	if err != nil {
		return catalog.Clients{}, err
	}
	return admin.New(admin.Options{URL: daemon.AdminURL(), Transport: daemon.Transport()})
}

func (t Target) local() local.Options {
	return local.Options{DataDir: t.DataDir, Version: t.Version}
}

// daemon is the embedded platform, started when needed, for what only it can do.
func (a *app) daemon(ctx context.Context, what string) (*local.Client, error) {
	if a.target.AdminURL != "" {
		return nil, usage("%s works on the embedded platform only: leave --admin-url out", what)
	}
	return local.Ensure(ctx, a.target.local())
}

// readToken reads a secret from a file, without the newline that editors add.
func readToken(path string) (spec.Secret, error) {
	if path == "" {
		return spec.Secret{}, nil
	}
	b, err := os.ReadFile(path)
	if err != nil {
		return spec.Secret{}, fmt.Errorf("--token-file: %w", err)
	}
	token := strings.TrimSpace(string(b))
	if token == "" {
		return spec.Secret{}, fmt.Errorf("--token-file: %s is empty", path)
	}
	return spec.NewSecret(token), nil
}
