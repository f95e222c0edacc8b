package pulsar

import (
	"context"
	"log/slog"
	"time"

	"github.com/functionmesh/terraform-provider-functionmesh/internal/wire"
)

// SourceOptions say what a Source reads.
type SourceOptions struct {
	Brokers   map[string]wire.Broker // by the names that inputs use
	Source    wire.Source            // inputs and subscription
	Component wire.Component         // named in the properties of consumers
	Instance  wire.Instance
	Delivery  wire.Delivery                    // the guarantee, and how long a broker that is away is waited for
	Limits    wire.Limits                      // of what is read ahead of the pipeline
	Report    func(err error)                  // what was passed over, lost or made again on the broker; nil: only logged
	LookEvery time.Duration                    // between looks at the number of partitions; 0: a minute
	Malformed func(defect string, entries int) // counts entries that cannot be read; nil: nobody does
	Name      string                           // how the broker lists the consumers
	Logger    *slog.Logger                     // nil: discarded
}

// SinkOptions say where a Sink writes.
type SinkOptions struct {
	Broker    wire.Broker
	Output    wire.Output    // Topic "": only messages that name their topic can be written
	Component wire.Component // its tenant and namespace qualify short topic names of messages
	Instance  wire.Instance
	Delivery  wire.Delivery // the guarantee, the epoch and what is forwarded of the input
	// InputEnd, with effectively_once, is the newest entry of an input partition: Source.End.
	// Nil: what the broker has stored is not compared with it.
	InputEnd   func(ctx context.Context, topic string, partition int) (ledger, entry int64, err error)
	DeadLetter bool              // may use the room in a message that is kept free for dead letters
	LookEvery  time.Duration     // between looks at the number of partitions; 0: a minute
	NamedOnly  bool              // with no output topic: messages that name none are dropped
	Repeated   func(entries int) // counts what the broker dropped because it has it already; nil: only logged
	Report     func(err error)   // why no broker can be reached, and on the compatible path what went wrong and ended nothing; nil: only logged
	Name       string            // how the broker lists the producers, with a number of their own
	Logger     *slog.Logger      // nil: discarded
}

// Delivery.Guarantee's words.
const (
	atMostOnce      = "atmost_once"
	effectivelyOnce = "effectively_once"
)
