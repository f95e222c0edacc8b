package provider

import (
	"context"
	"fmt"
	"time"

	"github.com/functionmesh/terraform-provider-functionmesh/internal/admin"
	"github.com/functionmesh/terraform-provider-functionmesh/internal/local"
	"github.com/functionmesh/terraform-provider-functionmesh/internal/spec"
	"github.com/functionmesh/terraform-provider-functionmesh/provider/tfx"
)

// Config says which platform is meant. Without an AdminURL it is the embedded one.
type Config struct {
	Version     string
	DataDir     string
	IdleTimeout time.Duration
	AdminURL    string
	Token       spec.Secret
	TokenFile   string
}

// Opener connects to the platform that a configuration names.
type Opener func(context.Context, Config) (tfx.Opened, error)

// Open connects to a Pulsar cluster, or to the embedded platform, which it starts when
// it does not run.
func Open(ctx context.Context, c Config) (tfx.Opened, error) {
	if c.AdminURL != "" {
		clients, err := admin.New(admin.Options{URL: c.AdminURL, Token: c.Token, TokenFile: c.TokenFile})
		return tfx.Opened{Clients: clients}, err
	}
	daemon, err := local.Ensure(ctx, local.Options{DataDir: c.DataDir, Version: c.Version, IdleTimeout: c.IdleTimeout})
	if err != nil {
		return tfx.Opened{}, fmt.Errorf("embedded platform: %w", err)
	}
	clients, err := admin.New(admin.Options{URL: daemon.AdminURL()})
	return tfx.Opened{Clients: clients, Platform: daemon.Handshake().ID}, err
}
