package spec

// Kind names what an object is. The values are the words of the CLI and of the
// Terraform resource types (functionmesh_<kind>).
type Kind string

// The kinds of object. Function, source and sink share one type, Component.
const (
	KindTenant    Kind = "tenant"
	KindNamespace Kind = "namespace"
	KindTopic     Kind = "topic"
	KindFunction  Kind = "function"
	KindSource    Kind = "source"
	KindSink      Kind = "sink"
	KindMesh      Kind = "mesh"
)

// ComponentKinds lists the kinds that run instances, consumers before producers:
// created in this order, nothing is emitted before somebody is subscribed.
func ComponentKinds() []Kind { return []Kind{KindSink, KindFunction, KindSource} }

// Defaults of the two parents of every object.
const (
	DefaultTenant    = "public"
	DefaultNamespace = "default"
)

// State says whether the instances of a component should run.
type State string

// The two states a user can ask for. An empty State leaves it to the platform.
const (
	StateRunning State = "running"
	StateStopped State = "stopped"
)

// Guarantee is a processing guarantee in upstream's lower-case spelling.
type Guarantee string

// The processing guarantees; AtLeastOnce is the default.
const (
	AtLeastOnce     Guarantee = "atleast_once"
	AtMostOnce      Guarantee = "atmost_once"
	EffectivelyOnce Guarantee = "effectively_once"
	Manual          Guarantee = "manual"
)

// Position is where a new subscription starts.
type Position string

// The two positions of a new subscription; Latest is Pulsar's default and ours.
const (
	Latest   Position = "latest"
	Earliest Position = "earliest"
)

// SubscriptionType is how the instances of a component share a subscription.
type SubscriptionType string

// The subscription types. Shared spreads messages without order; Failover gives each
// partition to one instance; KeyShared gives each key to one; Exclusive allows only one.
const (
	Shared    SubscriptionType = "shared"
	Failover  SubscriptionType = "failover"
	KeyShared SubscriptionType = "key_shared"
	Exclusive SubscriptionType = "exclusive"
)

// Compressions are the words of a producer's compression.
func Compressions() []string { return []string{"none", "lz4", "zlib", "zstd", "snappy"} }

// BatchBuilders are the words of how a producer groups messages: by arrival, or one key
// per batch.
func BatchBuilders() []string { return []string{"default", "key_based"} }

// The two paths between a Pulsar and our runner: EntryPath moves whole broker entries,
// CompatiblePath is Pulsar's own client.
const (
	EntryPath      = "entry"
	CompatiblePath = "compatible"
)

// Platform names where instances run, for the table of honoured settings.
type Platform string

// The platforms. Only settings that a platform honours pass Honour.
const (
	PlatformLocal      Platform = "local"
	PlatformPulsar     Platform = "pulsar"
	PlatformKubernetes Platform = "kubernetes"
	PlatformRunner     Platform = "runner" // our runner on this machine, streams on a Pulsar
)
