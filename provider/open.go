package provider

import (
	"context"
	"fmt"
	"maps"
	"time"

	"github.com/functionmesh/terraform-provider-functionmesh/internal/admin"
	"github.com/functionmesh/terraform-provider-functionmesh/internal/catalog"
	"github.com/functionmesh/terraform-provider-functionmesh/internal/local"
	"github.com/functionmesh/terraform-provider-functionmesh/provider/tfx"
)

// Config says which platforms are meant.
type Config struct {
	Version     string
	Local       bool // instances run on this machine
	DataDir     string
	IdleTimeout time.Duration
	// Pulsar is where streams live, and where components run unless Local; nil: the
	// embedded platform's own broker.
	Pulsar      *local.Connection
	Connections map[string]local.Connection // further clusters of components
}

// Opener connects to the platform that a configuration names.
type Opener func(context.Context, Config) (tfx.Opened, error)

// Open connects to a Pulsar cluster, to the embedded platform, which it starts when it
// does not run, or to both.
func Open(ctx context.Context, c Config) (tfx.Opened, error) {
	if c.Pulsar != nil && !c.Local {
		clients, err := admin.New(adminOf(*c.Pulsar))
		return tfx.Opened{Clients: clients}, err
	}
	daemon, err := local.Ensure(ctx, local.Options{DataDir: c.DataDir, Version: c.Version, IdleTimeout: c.IdleTimeout})
	if err != nil {
		return tfx.Opened{}, fmt.Errorf("embedded platform: %w", err)
	}
	own, err := admin.New(admin.Options{URL: daemon.AdminURL(), Transport: daemon.Transport()})
	if err != nil {
		return tfx.Opened{}, err
	}
	if c.Pulsar == nil {
		own, err = daemon.Connect(ctx, own, nil)
		return tfx.Opened{Clients: own, Platform: daemon.Handshake().ID}, err
	}
	return openBoth(ctx, c, daemon, own)
}

// openBoth takes components from the daemon and everything else from the Pulsar. Each
// object's own observation tells which of the two it lives on.
func openBoth(ctx context.Context, c Config, daemon *local.Client, own catalog.Clients) (tfx.Opened, error) {
	clients, err := admin.New(adminOf(*c.Pulsar))
	if err != nil {
		return tfx.Opened{}, err
	}
	connections := map[string]local.Connection{"": *c.Pulsar}
	maps.Copy(connections, c.Connections)
	connected, err := daemon.Connect(ctx, own, connections)
	if err != nil {
		return tfx.Opened{}, fmt.Errorf("embedded platform: %w", err)
	}
	clients.Components = connected.Components
	return tfx.Opened{Clients: clients}, nil
}

// adminOf is how the admin API of a connection is reached.
func adminOf(c local.Connection) admin.Options {
	return admin.Options{
		URL: c.AdminURL, Token: c.Token, TokenFile: c.TokenFile,
		TLS: admin.TLS{CAFile: c.CAFile, CertFile: c.CertFile, KeyFile: c.KeyFile, Insecure: c.Insecure, AnyHostname: c.AnyHostname},
	}
}
