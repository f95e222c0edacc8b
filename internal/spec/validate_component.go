package spec

import (
	"fmt"
	"strings"
)

// ValidateComponent returns everything wrong with a stand-alone component. It takes one
// that is defaulted or not; validate before defaulting, so that paths carry the user's
// spelling of topics.
func ValidateComponent(c Component) []Problem {
	f := newFindings()
	f.field("tenant").optionalName(c.Tenant)
	f.field("namespace").optionalName(c.Namespace)
	f.field("name").name(c.Name)
	f.component(c)
	return *f.all
}

// component checks everything but the names. Where a parent's name is bad, which is
// reported already, topics are read as if it were unset.
func (f findings) component(c Component) {
	if checkName(c.Tenant) != nil {
		c.Tenant = ""
	}
	if checkName(c.Namespace) != nil {
		c.Namespace = ""
	}
	if !f.face(c) {
		return
	}
	f.inputs(c)
	f.output(c)
	f.subscription(c)
	f.delivery(c)
	f.running(c)
	f.secrets(c)
	f.resources(c)
	f.field("extra").extra(c.Extra, componentWords(), componentShapes())
}

// face checks what makes a component the one kind and not the others.
func (f findings) face(c Component) bool {
	switch c.Kind {
	case KindFunction:
		f.function(c)
	case KindSource:
		f.connector(c)
		f.unusable(c, sourceLacks(c), "A source")
	case KindSink:
		f.connector(c)
		f.unusable(c, sinkLacks(c), "A sink")
	default:
		f.failf("Use function, source or sink.", "%q is not a kind of component.", c.Kind)
		return false
	}
	return true
}

func (f findings) function(c Component) {
	f.field("runtime").runtime(c.Runtime)
	if c.Builtin != "" {
		f.field("builtin").fail("A function runs user code, not a connector.", "Set runtime, or declare a source or a sink.")
	}
	if c.Config != "" {
		f.field("config").fail("config is for connectors.", "Use user_config.")
	}
	f.field("user_config").object(c.UserConfig)
}

// used is one attribute and whether it is set.
type used struct {
	field Path
	set   bool
	hint  string
}

func sourceLacks(c Component) []used {
	const noInputs = "Leave it out: a source reads no topics."
	return []used{
		{"inputs", len(c.Inputs) > 0, "Leave it out: a source gets its messages from its connector."},
		{"topics_pattern", c.TopicsPattern != "", noInputs},
		{"subscription", c.Subscription != nil, noInputs},
		{"retain_ordering", c.RetainOrdering != nil, noInputs},
		{"retain_key_ordering", c.RetainKeyOrdering != nil, noInputs},
		{"forward_source_message_property", c.ForwardSourceMessageProperty != nil, noInputs},
		{"cleanup_subscription", c.CleanupSubscription != nil, noInputs},
		{"max_message_retries", c.MaxMessageRetries != nil, noInputs},
		{"dead_letter_topic", c.DeadLetterTopic != "", "Leave it out: a source has no input message to give up on."},
		{"timeout_ms", c.TimeoutMs != nil, "Leave it out: a source runs no user code."},
		{"skip_to_latest", c.SkipToLatest != nil, noInputs},
		{"auto_ack", c.AutoAck != nil, noInputs},
		{"negative_ack_redelivery_delay_ms", c.NegativeAckRedeliveryDelayMs != nil, noInputs},
	}
}

func sinkLacks(c Component) []used {
	return []used{
		{"output", c.Output != nil, "Leave it out: a sink hands its messages to its connector."},
		{"forward_source_message_property", c.ForwardSourceMessageProperty != nil, "Leave it out: a sink publishes nothing."},
	}
}

func (f findings) unusable(c Component, fields []used, who string) {
	for _, u := range fields {
		if u.set {
			f.field(string(u.field)).fail(who+" has no "+string(u.field)+".", u.hint)
		}
	}
	if c.Runtime != nil {
		f.field("runtime").fail(who+" runs a connector, not user code.", "Set builtin, or declare a function.")
	}
	if c.UserConfig != "" {
		f.field("user_config").fail("user_config is for functions.", "Use config.")
	}
}

// expressionSigns are hardly part of a topic's name.
const expressionSigns = `*[]()|^$\`

func (f findings) inputs(c Component) {
	if c.Kind == KindSource {
		return
	}
	if len(c.Inputs) == 0 && c.TopicsPattern == "" {
		f.field("inputs").failf(`Write inputs = { orders = {} } with the topic to read.`, "A %s needs an input.", c.Kind)
	}
	f.field("topics_pattern").pattern(c.TopicsPattern)
	seen := map[string]string{}
	for _, topic := range SortedKeys(c.Inputs) {
		at := f.field("inputs").key(topic)
		at.input(c.Inputs[topic])
		if topic == "" {
			at.fail("The name of the topic is empty.", "")
		}
		if isTrue(c.Inputs[topic].Regex) {
			at.pattern(topic)
			continue
		}
		name, ok := at.topic(c, topic)
		if !ok {
			continue
		}
		if c.Inputs[topic].Regex == nil && strings.ContainsAny(topic, expressionSigns) {
			at.field("regex").warn("The key reads like an expression, but without regex it is the name of one topic.",
				"Set regex = true, which is Pulsar's isRegexPattern, to read every topic that it matches; regex = false says that it is a name.")
		}
		full := name.String()
		if other, twice := seen[full]; twice {
			at.failf("Keep one of the two.", "It is the same topic as inputs[%q].", other)
		}
		seen[full] = topic
	}
	f.overlaps(c, seen)
}

// overlaps refuses a whole topic beside one of its partitions: its messages would come
// twice.
func (f findings) overlaps(c Component, seen map[string]string) {
	for _, topic := range SortedKeys(c.Inputs) {
		name, err := ParseTopic(topic, c.Tenant, c.Namespace)
		if err != nil || name.Partition == NoPartition || isTrue(c.Inputs[topic].Regex) {
			continue
		}
		if whole, ok := seen[name.Whole().String()]; ok {
			f.field("inputs").key(topic).failf("Keep one of the two.", "It is a partition of inputs[%q].", whole)
		}
	}
}

func (f findings) input(in Input) {
	if in.Schema != "" && in.SerdeClass != "" {
		f.field("serde_class").fail("schema and serde_class exclude each other.", "Keep one of the two.")
	}
	f.field("connection").optionalName(in.Connection)
	atLeast(f.field("receiver_queue_size"), in.ReceiverQueueSize, 0)
	f.field("extra").extra(in.Extra, inputWords(), inputShapes())
}

func (f findings) output(c Component) {
	if c.Output == nil {
		if c.Kind == KindSource {
			f.field("output").fail("A source needs an output.", `Write output = { topic = "orders" }.`)
		}
		return
	}
	f = f.field("output")
	if c.Output.Topic == "" {
		f.field("topic").fail("An output needs a topic.", `Write topic = "orders", or leave output out.`)
	}
	f.field("connection").optionalName(c.Output.Connection)
	if name, ok := f.field("topic").topic(c, c.Output.Topic); ok {
		f.field("topic").noLoop(c, name)
	}
	if c.Output.Schema != "" && c.Output.SerdeClass != "" {
		f.field("serde_class").fail("schema and serde_class exclude each other.", "Keep one of the two.")
	}
	if c.Output.Producer != nil {
		f.field("producer").producer(*c.Output.Producer)
	}
}

func (f findings) deadLetter(c Component) {
	name, ok := f.field("dead_letter_topic").topic(c, c.DeadLetterTopic)
	if ok {
		for _, topic := range SortedKeys(c.Inputs) {
			if !isTrue(c.Inputs[topic].Regex) && c.qualifiedIn(topic) == name.String() {
				f.field("dead_letter_topic").failf("Choose another topic.",
					"It is inputs[%q] as well: a message given up on would come back for ever.", topic)
			}
		}
	}
	if c.DeadLetterTopic != "" || c.Kind == KindSource {
		return
	}
	derived := DeadLetterTopic(c)
	if local := derived[strings.LastIndex(derived, "/")+1:]; len(local) > MaxTopicName {
		f.field("dead_letter_topic").failf("Set dead_letter_topic, or shorten the name of the subscription.",
			"The name of the dead-letter topic, made of topic and subscription, would have more than %d bytes.", MaxTopicName)
	}
}

// noLoop warns of an output that is an input, which is right only for code that ends the
// loop by itself. Pulsar's own workers refuse it.
func (f findings) noLoop(c Component, output TopicName) {
	for _, topic := range SortedKeys(c.Inputs) {
		in := c.Inputs[topic]
		if !isTrue(in.Regex) && in.Connection == c.Output.Connection && c.qualifiedIn(topic) == output.String() {
			f.warn(fmt.Sprintf("It is inputs[%q] as well: what is written is read again, for ever unless the code ends it.", topic),
				"Choose another topic if that is not meant.")
		}
	}
}

// qualifiedIn is the full name of a topic as the component means it.
func (c Component) qualifiedIn(topic string) string {
	c.Tenant, c.Namespace = or(c.Tenant, DefaultTenant), or(c.Namespace, DefaultNamespace)
	return c.qualify(topic)
}

func (f findings) running(c Component) {
	if c.Parallelism != nil && *c.Parallelism < 1 {
		f.field("parallelism").failf(`Use 1 or more; to run nothing, set state = "stopped".`,
			"%d instances cannot do the work.", *c.Parallelism)
	}
	f.field("state").oneOf(string(c.State), string(StateRunning), string(StateStopped))
}

func (f findings) secrets(c Component) {
	for _, asked := range SortedKeys(c.Secrets) {
		at := f.field("secrets").key(asked)
		if asked == "" || strings.ContainsAny(asked, "=\x00") {
			at.fail("The name that the code asks for is empty or contains = or NUL.", "")
		}
		at.secretPart(asked, "name", c.Secrets[asked].Name)
		at.secretPart(asked, "key", c.Secrets[asked].Key)
	}
}

func (f findings) secretPart(asked, field, value string) {
	if err := checkName(value); err != nil {
		hint := fmt.Sprintf(`Write %s = { name = "shop", key = "api-key" }.`, asked)
		if field == "name" && value == "" {
			hint += " What Pulsar's configurations call path is name here."
		}
		f.field(field).failf(hint, "The %s of a secret %v.", field, err)
	}
}

func (f findings) resources(c Component) {
	if c.Resources == nil {
		return
	}
	f = f.field("resources")
	f.field("cpu").quantity(c.Resources.CPU, false)
	f.field("memory").quantity(c.Resources.Memory, true)
	f.field("disk").quantity(c.Resources.Disk, true)
}

func (f findings) quantity(q Quantity, whole bool) {
	if q == "" {
		return
	}
	amount, err := q.Parse()
	switch {
	case err != nil:
		f.fail(sentence(err.Error()), "Write 500m or 0.5 for processors, 256Mi or 1Gi for bytes.")
	case amount.Sign() <= 0:
		f.failf("Leave it out for no limit.", "%q is not more than nothing.", string(q))
	case whole && !amount.IsInt():
		f.failf("m is a thousandth; write 256Mi or 1Gi.", "%q is not a whole number of bytes.", string(q))
	}
}
