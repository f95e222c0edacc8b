package wire

import (
	"maps"
	"strings"

	"github.com/functionmesh/terraform-provider-functionmesh/internal/spec"
)

// Facts are what a platform knows beyond a component's settings.
type Facts struct {
	Platform string            // Instance.Platform
	Mesh     string            // the mesh that the component belongs to
	Brokers  map[string]Broker // by connection; "" and every name that the component uses
	// Partitions of the streams that StreamsOf lists; what is missing is unpartitioned.
	Partitions map[Stream]int
	Code       Code
	Epoch      int64             // Delivery.Epoch
	Secrets    map[string]string // values by the names that the code asks for
	BaseDir    string
}

// Code is where the user code of a component was put.
type Code struct {
	File     string // absolute path
	SHA256   string // hex
	CacheDir string
}

// Stream is one topic at one connection, or the expression that names several.
type Stream struct {
	Broker  string
	Topic   string // full name
	Pattern bool
}

// StreamsOf lists what a component touches once its defaults are filled in: inputs in
// order, then output, dead letters and log.
func StreamsOf(c spec.Component) []Stream {
	c = spec.DefaultComponent(c)
	var streams []Stream
	for _, in := range inputsOf(c) {
		streams = append(streams, Stream{Broker: in.Broker, Topic: in.Topic, Pattern: in.Pattern})
	}
	for _, out := range []*Output{outputOf(c), deadLetterOf(c), logOf(c)} {
		if out != nil {
			streams = append(streams, Stream{Broker: out.Broker, Topic: out.Topic})
		}
	}
	return streams
}

// FromComponent is the file of instance 0 of a component, complete but for WorkDir,
// Probe and Control. It is pure; the other instances differ in Instance.ID only. The
// component was validated: a quantity that is none is the only error.
func FromComponent(c spec.Component, facts Facts) (File, error) {
	c = spec.DefaultComponent(c)
	f := File{
		Version:   Version,
		Component: Component{Kind: string(c.Kind), Tenant: c.Tenant, Namespace: c.Namespace, Name: c.Name, Mesh: facts.Mesh},
		Instance:  Instance{Parallelism: *c.Parallelism, Platform: facts.Platform},
		Brokers:   brokersOf(c, facts.Brokers),
		Source:    sourceOf(c, facts),
		Sink:      Sink{Output: facts.counted(outputOf(c))},
		Delivery:  deliveryOf(c, facts),
		Limits:    DefaultLimits(),
		Secrets:   maps.Clone(facts.Secrets),
		LogTopic:  facts.counted(logOf(c)),
		BaseDir:   facts.BaseDir,
	}
	if c.Kind == spec.KindSink {
		f.Sink.Connector = connectorOf(c)
	}
	if c.ProcessingGuarantees == spec.AtMostOnce {
		f.Limits.ClaimMessages = ClaimMessages
	}
	f.plain()
	if usesPulsar(f) {
		path, why := spec.DataPath(c, pathNeeds(f.Brokers))
		f.Path, f.PathNote = Path(path), why
	}
	return f, f.code(c, facts.Code)
}

func (f *File) code(c spec.Component, code Code) error {
	runtime, chosen := c.Runtime.Chosen()
	if chosen == nil {
		return nil
	}
	f.Function = &Function{Runtime: runtime, File: code.File, SHA256: code.SHA256, Class: chosen.Class, UserConfig: string(c.UserConfig)}
	f.CacheDir = code.CacheDir
	if c.TimeoutMs != nil {
		f.Limits.CallTimeoutMs = *c.TimeoutMs
	}
	if c.Resources == nil || c.Resources.Memory == "" {
		return nil
	}
	memory, err := c.Resources.Memory.Bytes()
	if err != nil {
		return &InvalidError{Problems: []spec.Problem{{Path: "resources.memory", Severity: spec.SeverityError, Message: err.Error() + "."}}}
	}
	f.Limits.MemoryBytes = memory
	return nil
}

// plain takes away what a broker of kind nats has no use for: settings there only say
// what it does anyway.
func (f *File) plain() {
	for i, in := range f.Source.Inputs {
		if f.Brokers[in.Broker].Kind == KindNATS {
			f.Source.Inputs[i].Properties = nil
		}
	}
	if out := f.Sink.Output; out != nil && f.Brokers[out.Broker].Kind == KindNATS {
		out.Producer = nil
	}
}

// brokersOf are the brokers that a component uses, and the platform's own.
func brokersOf(c spec.Component, known map[string]Broker) map[string]Broker {
	used := map[string]Broker{}
	for _, stream := range append(StreamsOf(c), Stream{}) {
		if b, ok := known[stream.Broker]; ok {
			used[stream.Broker] = b
		}
	}
	return used
}

func usesPulsar(f File) bool {
	for _, b := range f.Brokers {
		if b.Kind == KindPulsar {
			return true
		}
	}
	return false
}

// pathNeeds says of each broker why it needs the compatible path.
func pathNeeds(brokers map[string]Broker) map[string]string {
	needs := map[string]string{}
	for name, b := range brokers {
		if b.OAuth2 != nil {
			needs[name] = spec.OAuth2ByEntry
		}
	}
	return needs
}

func sourceOf(c spec.Component, facts Facts) Source {
	if c.Kind == spec.KindSource {
		return Source{Connector: connectorOf(c)}
	}
	s := Source{
		Inputs: inputsOf(c),
		Subscription: Subscription{
			Name: spec.SubscriptionName(c), Mode: Mode(spec.SubscriptionTypeOf(c)), Position: string(c.Subscription.Position),
			SkipToLatest: c.SkipToLatest != nil && *c.SkipToLatest,
		},
	}
	if c.NegativeAckRedeliveryDelayMs != nil {
		s.Subscription.NackDelayMs = *c.NegativeAckRedeliveryDelayMs
	}
	for i, in := range s.Inputs {
		s.Inputs[i].Partitions = facts.Partitions[Stream{Broker: in.Broker, Topic: in.Topic, Pattern: in.Pattern}]
	}
	return s
}

// counted fills in how many partitions the topic of an output has.
func (facts Facts) counted(out *Output) *Output {
	if out != nil {
		out.Partitions = facts.Partitions[Stream{Broker: out.Broker, Topic: out.Topic}]
	}
	return out
}

func deliveryOf(c spec.Component, facts Facts) Delivery {
	d := DefaultDelivery()
	d.Guarantee, d.Epoch = string(c.ProcessingGuarantees), facts.Epoch
	if c.MaxMessageRetries != nil {
		d.MaxRetries = *c.MaxMessageRetries
	}
	d.ForwardProperties = c.ForwardSourceMessageProperty == nil || *c.ForwardSourceMessageProperty
	d.DeadLetter = facts.counted(deadLetterOf(c))
	return d
}

func connectorOf(c spec.Component) *Connector {
	return &Connector{Name: c.Builtin, Config: string(c.Config)}
}

func inputsOf(c spec.Component) []Input {
	var inputs []Input
	for _, topic := range spec.SortedKeys(c.Inputs) {
		inputs = append(inputs, inputOf(c, topic))
	}
	if c.TopicsPattern != "" {
		inputs = append(inputs, Input{Topic: spec.PatternName(c, c.TopicsPattern), Pattern: true, Properties: clientProperties(c)})
	}
	return inputs
}

func inputOf(c spec.Component, topic string) Input {
	from := c.Inputs[topic]
	in := Input{Broker: from.Connection, Topic: topic, Schema: from.Schema, Properties: clientProperties(c)}
	if from.Regex != nil && *from.Regex {
		in.Topic, in.Pattern = spec.PatternName(c, topic), true
	}
	if from.ReceiverQueueSize != nil {
		in.QueueSize = *from.ReceiverQueueSize
	}
	in.Compacted = spec.ReadCompacted(from)
	in.Crypto = cryptoOf(spec.InputCrypto(from))
	return in
}

// clientProperties are what Pulsar's own runtimes tell the broker of their consumers.
func clientProperties(c spec.Component) map[string]string {
	return map[string]string{
		"application": "pulsar-" + string(c.Kind),
		"id":          strings.Join([]string{c.Tenant, c.Namespace, c.Name}, "/"),
	}
}

func outputOf(c spec.Component) *Output {
	if c.Kind == spec.KindSink || c.Output == nil || c.Output.Topic == "" {
		return nil
	}
	return &Output{Broker: c.Output.Connection, Topic: c.Output.Topic, Schema: c.Output.Schema, Producer: producerOf(c.Output.Producer)}
}

func producerOf(from *spec.Producer) *Producer {
	if from == nil {
		return nil
	}
	p := &Producer{Compression: from.Compression, Crypto: cryptoOf(spec.OutputCrypto(*from))}
	if from.MaxPendingMessages != nil {
		p.MaxPending = *from.MaxPendingMessages
	}
	if b := from.Batching; b != nil {
		p.Batching = &Batching{Enabled: b.Enabled == nil || *b.Enabled, Builder: b.Builder}
		setIf(&p.Batching.DelayMs, b.MaxPublishDelayMs)
		setIf(&p.Batching.MaxMessages, b.MaxMessages)
		setIf(&p.Batching.MaxBytes, b.MaxBytes)
	}
	return p
}

func setIf[T any](to, from *T) {
	if from != nil {
		*to = *from
	}
}

func cryptoOf(from *spec.Crypto) *Crypto {
	if from == nil {
		return nil
	}
	return &Crypto{PublicKeyFile: from.PublicKeyFile, PrivateKeyFile: from.PrivateKeyFile, Keys: from.Keys, Failure: from.Failure}
}

// deadLetterOf is where a component's dead letters go, beside its first input; sources
// have none.
func deadLetterOf(c spec.Component) *Output {
	topic := spec.DeadLetterTopic(c)
	if c.Kind == spec.KindSource || topic == "" {
		return nil
	}
	return &Output{Broker: spec.DeadLetterConnection(c), Topic: topic}
}

func logOf(c spec.Component) *Output {
	if c.LogTopic == "" {
		return nil
	}
	return &Output{Topic: c.LogTopic}
}
