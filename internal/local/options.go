package local

import (
	"context"
	"time"

	"github.com/functionmesh/terraform-provider-functionmesh/internal/local/platform"
	"github.com/functionmesh/terraform-provider-functionmesh/internal/spec"
	"github.com/functionmesh/terraform-provider-functionmesh/internal/wire"
)

// Environment variables that fill in Options left empty.
const (
	EnvDataDir = "FUNCTIONMESH_DATA_DIR"
	EnvBinary  = "FUNCTIONMESH_BINARY"
)

// Protocol is what this build speaks with a daemon, and MinProtocol the oldest it
// still understands.
const (
	Protocol    = 2
	MinProtocol = 1
)

// DevVersion is the version of a development build: it replaces a running daemon of
// another digest, which a release of the same version never does.
const DevVersion = "dev"

// Options say which daemon is meant and how to start it. The zero value is the
// user's own daemon, started from the running executable.
type Options struct {
	// DataDir holds everything the platform keeps. Empty: $FUNCTIONMESH_DATA_DIR,
	// else $XDG_STATE_HOME/functionmesh, else ~/.local/state/functionmesh.
	DataDir string
	// Binary starts the daemon and, copied into the data directory, every instance.
	// Empty: $FUNCTIONMESH_BINARY, else the running executable. It must answer
	// `version -o json` with {"program":"functionmesh","version":…}. It is started as
	// `local up --foreground --data-dir D [--listen A] [--idle-timeout T]`, and for
	// instances as `run --config FILE --lifeline`.
	Binary string
	// Version is the release of the calling build: "1.2.3", or DevVersion.
	Version string
	// Listen is an additional TCP address for the REST API; empty: none. Only a
	// loopback address unless ListenAnywhere.
	Listen         string
	ListenAnywhere bool
	// Token protects Listen. Empty with Listen set: the daemon makes one and keeps it
	// in the data directory's file token.
	Token spec.Secret
	// IdleTimeout ends the daemon after so long without a request while nothing is
	// declared; negative: never. It and Listen are remembered until Down: left out they
	// are as before, at first never and none. Given, IdleTimeout changes a running
	// daemon; the others are a Conflict where they differ from it.
	IdleTimeout time.Duration
	// StartTimeout bounds how long Ensure waits for a daemon to answer. 0: 30 s.
	StartTimeout time.Duration
	// Clusters makes what prepares the streams that components have on a Pulsar, from how
	// the Pulsar is reached. Serve only; nil refuses such components.
	Clusters func(wire.Broker) (Cluster, error)
	// Force lets Reset stop a running daemon first.
	Force bool
}

// Cluster prepares the streams of components on one Pulsar.
type Cluster = platform.Cluster

// Prepare makes the topics and the subscriptions of a component on one Pulsar, as the
// platform does before it starts one, and counts the partitions of the topics.
func Prepare(ctx context.Context, on Cluster, c spec.Component) (map[wire.Stream]int, error) {
	return platform.Prepare(ctx, on, c)
}

// Handshake is what a daemon says about itself.
type Handshake struct {
	ID          string   `json:"id"` // the platform's identity: lives as long as the data directory
	Version     string   `json:"version"`
	Protocol    int      `json:"protocol"`
	MinProtocol int      `json:"min_protocol"`
	Digest      string   `json:"digest"`  // hex SHA-256 of the daemon's binary
	Release     bool     `json:"release"` // false: a development build
	PID         int      `json:"pid"`
	DataDir     string   `json:"data_dir"`
	Listen      string   `json:"listen,omitempty"` // TCP address in use
	Settings    Settings `json:"settings"`
	Declared    int      `json:"declared"`  // components declared
	Instances   int      `json:"instances"` // instance processes running
	StartedAtMs int64    `json:"started_at_ms"`
}

// speaks reports whether there is a protocol that both sides know.
func (h Handshake) speaks() bool { return h.Protocol >= MinProtocol && h.MinProtocol <= Protocol }

// LogQuery selects what Client.Logs returns.
type LogQuery struct {
	Kind      spec.Kind
	Tenant    string
	Namespace string
	Name      string
	Instance  int  // -1: all instances, each line prefixed with its id
	Tail      int  // lines from the end; 0: 100, -1: all that is kept
	Follow    bool // go on until the context ends
}
