package pulsarform

import "encoding/json"

// FunctionConfig is Pulsar's model of a function. Nil is unset. Only what spec has a
// word for is a field; every other setting, known to Pulsar or not, is kept in Rest
// as it was written.
type FunctionConfig struct {
	Tenant                       *string                    `json:"tenant"`
	Namespace                    *string                    `json:"namespace"`
	Name                         *string                    `json:"name"`
	FQFN                         *string                    `json:"fqfn"`
	ClassName                    *string                    `json:"className"`
	Inputs                       []string                   `json:"inputs"`
	CustomSerdeInputs            map[string]string          `json:"customSerdeInputs"`
	CustomSchemaInputs           map[string]string          `json:"customSchemaInputs"`
	InputSpecs                   map[string]ConsumerConfig  `json:"inputSpecs"`
	TopicsPattern                *string                    `json:"topicsPattern"`
	Output                       *string                    `json:"output"`
	OutputSchemaType             *string                    `json:"outputSchemaType"`
	OutputSerdeClassName         *string                    `json:"outputSerdeClassName"`
	ProducerConfig               *ProducerConfig            `json:"producerConfig"`
	LogTopic                     *string                    `json:"logTopic"`
	ProcessingGuarantees         *string                    `json:"processingGuarantees"`
	RetainOrdering               *bool                      `json:"retainOrdering"`
	RetainKeyOrdering            *bool                      `json:"retainKeyOrdering"`
	ForwardSourceMessageProperty *bool                      `json:"forwardSourceMessageProperty"`
	UserConfig                   json.RawMessage            `json:"userConfig"`
	Secrets                      map[string]json.RawMessage `json:"secrets"`
	Runtime                      *string                    `json:"runtime"`
	Jar                          *string                    `json:"jar"`
	Py                           *string                    `json:"py"`
	Go                           *string                    `json:"go"`
	MaxMessageRetries            *int                       `json:"maxMessageRetries"`
	DeadLetterTopic              *string                    `json:"deadLetterTopic"`
	SubName                      *string                    `json:"subName"`
	SubscriptionPosition         *string                    `json:"subscriptionPosition"`
	CleanupSubscription          *bool                      `json:"cleanupSubscription"`
	TimeoutMs                    *int64                     `json:"timeoutMs"`
	SkipToLatest                 *bool                      `json:"skipToLatest"`
	AutoAck                      *bool                      `json:"autoAck"`
	NegativeAckRedeliveryDelayMs *int64                     `json:"negativeAckRedeliveryDelayMs"` // ours: Pulsar has it for sinks only
	BatchBuilder                 *string                    `json:"batchBuilder"`                 // goes before that of ProducerConfig
	Parallelism                  *int                       `json:"parallelism"`
	Resources                    *Resources                 `json:"resources"`
	CustomRuntimeOptions         *string                    `json:"customRuntimeOptions"`

	Rest map[string]json.RawMessage `json:"-"`
}

// SourceConfig is Pulsar's model of a source, as FunctionConfig is of a function.
type SourceConfig struct {
	Tenant               *string                    `json:"tenant"`
	Namespace            *string                    `json:"namespace"`
	Name                 *string                    `json:"name"`
	Archive              *string                    `json:"archive"`
	TopicName            *string                    `json:"topicName"`
	SchemaType           *string                    `json:"schemaType"`
	SerdeClassName       *string                    `json:"serdeClassName"`
	ProducerConfig       *ProducerConfig            `json:"producerConfig"`
	BatchBuilder         *string                    `json:"batchBuilder"` // as FunctionConfig.BatchBuilder
	LogTopic             *string                    `json:"logTopic"`
	Configs              json.RawMessage            `json:"configs"`
	Secrets              map[string]json.RawMessage `json:"secrets"`
	Parallelism          *int                       `json:"parallelism"`
	ProcessingGuarantees *string                    `json:"processingGuarantees"`
	Resources            *Resources                 `json:"resources"`
	CustomRuntimeOptions *string                    `json:"customRuntimeOptions"`

	Rest map[string]json.RawMessage `json:"-"`
}

// SinkConfig is Pulsar's model of a sink, as FunctionConfig is of a function.
type SinkConfig struct {
	Tenant                       *string                    `json:"tenant"`
	Namespace                    *string                    `json:"namespace"`
	Name                         *string                    `json:"name"`
	Archive                      *string                    `json:"archive"`
	Inputs                       []string                   `json:"inputs"`
	TopicToSerdeClassName        map[string]string          `json:"topicToSerdeClassName"`
	TopicToSchemaType            map[string]string          `json:"topicToSchemaType"`
	InputSpecs                   map[string]ConsumerConfig  `json:"inputSpecs"`
	TopicsPattern                *string                    `json:"topicsPattern"`
	SourceSubscriptionName       *string                    `json:"sourceSubscriptionName"`
	SourceSubscriptionPosition   *string                    `json:"sourceSubscriptionPosition"`
	MaxMessageRetries            *int                       `json:"maxMessageRetries"`
	DeadLetterTopic              *string                    `json:"deadLetterTopic"`
	LogTopic                     *string                    `json:"logTopic"`
	Configs                      json.RawMessage            `json:"configs"`
	Secrets                      map[string]json.RawMessage `json:"secrets"`
	Parallelism                  *int                       `json:"parallelism"`
	ProcessingGuarantees         *string                    `json:"processingGuarantees"`
	RetainOrdering               *bool                      `json:"retainOrdering"`
	RetainKeyOrdering            *bool                      `json:"retainKeyOrdering"`
	CleanupSubscription          *bool                      `json:"cleanupSubscription"`
	TimeoutMs                    *int64                     `json:"timeoutMs"`
	SkipToLatest                 *bool                      `json:"skipToLatest"` // ours: Pulsar has it for functions only
	AutoAck                      *bool                      `json:"autoAck"`
	NegativeAckRedeliveryDelayMs *int64                     `json:"negativeAckRedeliveryDelayMs"`
	Resources                    *Resources                 `json:"resources"`
	CustomRuntimeOptions         *string                    `json:"customRuntimeOptions"`

	Rest map[string]json.RawMessage `json:"-"`
}

// ConsumerConfig is how Pulsar's models describe one input.
type ConsumerConfig struct {
	SchemaType        *string `json:"schemaType"`
	SerdeClassName    *string `json:"serdeClassName"`
	RegexPattern      *bool   `json:"regexPattern"`
	ReceiverQueueSize *int    `json:"receiverQueueSize"`

	Rest map[string]json.RawMessage `json:"-"`
}

// ProducerConfig tunes the producer of an output.
type ProducerConfig struct {
	CompressionType    *string         `json:"compressionType"`
	MaxPendingMessages *int            `json:"maxPendingMessages"`
	BatchBuilder       *string         `json:"batchBuilder"`
	BatchingConfig     *BatchingConfig `json:"batchingConfig"`

	Rest map[string]json.RawMessage `json:"-"`
}

// BatchingConfig bounds the batches of a producer.
type BatchingConfig struct {
	Enabled           *bool   `json:"enabled"`
	MaxPublishDelayMs *int64  `json:"batchingMaxPublishDelayMs"`
	MaxMessages       *int    `json:"batchingMaxMessages"`
	MaxBytes          *int    `json:"batchingMaxBytes"`
	BatchBuilder      *string `json:"batchBuilder"` // as ProducerConfig.BatchBuilder, which it goes before

	Rest map[string]json.RawMessage `json:"-"`
}

// Resources are Pulsar's numbers: cores and bytes.
type Resources struct {
	CPU  *float64 `json:"cpu"`
	RAM  *int64   `json:"ram"`
	Disk *int64   `json:"disk"`

	Rest map[string]json.RawMessage `json:"-"`
}

// UnmarshalJSON keeps unknown settings in Rest.
func (c *FunctionConfig) UnmarshalJSON(b []byte) (err error) {
	c.Rest, err = unmarshalModel(b, c)
	return err
}

// MarshalJSON writes the settings that are set, and Rest.
func (c FunctionConfig) MarshalJSON() ([]byte, error) { return marshal(c, c.Rest) }

// UnmarshalJSON keeps unknown settings in Rest.
func (c *SourceConfig) UnmarshalJSON(b []byte) (err error) {
	c.Rest, err = unmarshalModel(b, c)
	return err
}

// MarshalJSON writes the settings that are set, and Rest.
func (c SourceConfig) MarshalJSON() ([]byte, error) { return marshal(c, c.Rest) }

// UnmarshalJSON keeps unknown settings in Rest.
func (c *SinkConfig) UnmarshalJSON(b []byte) (err error) {
	c.Rest, err = unmarshalModel(b, c)
	return err
}

// MarshalJSON writes the settings that are set, and Rest.
func (c SinkConfig) MarshalJSON() ([]byte, error) { return marshal(c, c.Rest) }

// UnmarshalJSON keeps unknown settings in Rest.
func (c *ConsumerConfig) UnmarshalJSON(b []byte) (err error) {
	if isNull(b) {
		return nil
	}
	c.Rest, err = unmarshalModel(b, c)
	return err
}

// MarshalJSON writes the settings that are set, and Rest.
func (c ConsumerConfig) MarshalJSON() ([]byte, error) { return marshal(c, c.Rest) }

// UnmarshalJSON keeps unknown settings in Rest.
func (c *ProducerConfig) UnmarshalJSON(b []byte) (err error) {
	c.Rest, err = unmarshalModel(b, c)
	return err
}

// MarshalJSON writes the settings that are set, and Rest.
func (c ProducerConfig) MarshalJSON() ([]byte, error) { return marshal(c, c.Rest) }

// UnmarshalJSON keeps unknown settings in Rest.
func (c *BatchingConfig) UnmarshalJSON(b []byte) (err error) {
	c.Rest, err = unmarshalModel(b, c)
	return err
}

// MarshalJSON writes the settings that are set, and Rest.
func (c BatchingConfig) MarshalJSON() ([]byte, error) { return marshal(c, c.Rest) }

// UnmarshalJSON keeps unknown settings in Rest.
func (r *Resources) UnmarshalJSON(b []byte) (err error) {
	r.Rest, err = unmarshalModel(b, r)
	return err
}

// MarshalJSON writes the settings that are set, and Rest.
func (r Resources) MarshalJSON() ([]byte, error) { return marshal(r, r.Rest) }

func marshal(model any, rest map[string]json.RawMessage) ([]byte, error) {
	out, err := marshalModel(model, rest)
	if err != nil {
		return nil, err
	}
	return json.Marshal(out)
}
