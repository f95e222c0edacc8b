package nats

import (
	"log/slog"

	"github.com/functionmesh/terraform-provider-functionmesh/internal/wire"
)

// SourceOptions say what a Source reads.
type SourceOptions struct {
	Brokers    map[string]wire.Broker // by the names that inputs use
	Source     wire.Source            // inputs and subscription
	Instance   wire.Instance          // a failover partition p belongs to instance p modulo parallelism
	AtMostOnce bool                   // an acknowledgement that may have come too late is an error
	Name       string                 // how the server lists the connection
	Logger     *slog.Logger           // nil: discarded
}

// SinkOptions say where a Sink writes.
type SinkOptions struct {
	Broker     wire.Broker
	Output     wire.Output // Topic "": only messages that name their topic can be written
	Tenant     string      // with Namespace qualifies short topic names of messages
	Namespace  string
	DeadLetter bool         // may use the room in a message that is kept free for dead letters
	Name       string       // how the server lists the connection
	Logger     *slog.Logger // nil: discarded
}
