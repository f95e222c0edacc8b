package command

import (
	"time"

	"github.com/functionmesh/terraform-provider-functionmesh/internal/admin"
	"github.com/functionmesh/terraform-provider-functionmesh/internal/local"
	"github.com/functionmesh/terraform-provider-functionmesh/internal/wire"
)

// clusterTimeout bounds one request to a Pulsar that components have their streams on.
const clusterTimeout = 20 * time.Second

// clusters prepares streams through the REST API of a Pulsar, which tells more than its
// brokers, else through those.
func clusters(b wire.Broker) (local.Cluster, error) {
	if b.AdminURL == "" || b.OAuth2 != nil {
		return brokers{b}, nil
	}
	return admin.NewStreams(adminOptions(b))
}

// adminOptions are how the REST API of a Pulsar is reached.
func adminOptions(b wire.Broker) admin.Options {
	return admin.Options{
		URL: b.AdminURL, TokenFile: b.TokenFile, Timeout: clusterTimeout,
		TLS: admin.TLS{CAFile: b.CAFile, CertFile: b.CertFile, KeyFile: b.KeyFile, Insecure: b.Insecure, AnyHostname: b.AnyHostname},
	}
}
