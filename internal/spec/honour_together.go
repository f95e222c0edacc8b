package spec

// together returns what a platform cannot honour of several settings at once, each of
// which it honours alone.
func together(platform Platform, c Component) []Problem {
	f := newFindings()
	switch platform {
	case PlatformPulsar:
		f.workers(c)
		f.attempts(c)
	case PlatformRunner:
		f.attempts(c)
		f.pathOf(c)
		f.numbered(c)
		f.patterns(c)
		f.properties(c)
		f.encryption(c)
	case PlatformLocal:
		f.byHand(c)
	case PlatformKubernetes:
	}
	return *f.all
}

// byHand refuses order where user code acknowledges messages of the embedded broker: a
// position in order has no gaps.
func (f findings) byHand(c Component) {
	if c.ProcessingGuarantees != Manual || !SubscriptionMode(c) {
		return
	}
	at := f.field("retain_ordering")
	if c.Subscription != nil && c.Subscription.Type != "" {
		at = f.field("subscription").field("type")
	}
	at.fail("Messages of the local platform that are read in order are acknowledged in order, not by user code.",
		`Leave it out, or use processing_guarantees = "atleast_once".`)
}

// workers are the combinations that Pulsar's function workers refuse.
func (f findings) workers(c Component) {
	if c.ProcessingGuarantees == EffectivelyOnce && c.Kind != KindSource {
		const never = "Pulsar's workers never give a message up with effectively_once."
		const hint = `Leave it out, or use processing_guarantees = "atleast_once".`
		if c.MaxMessageRetries != nil {
			f.field("max_message_retries").fail(never, hint)
		}
		if c.DeadLetterTopic != "" {
			f.field("dead_letter_topic").fail(never, hint)
		}
	}
	if c.TimeoutMs != nil && c.ProcessingGuarantees != "" && c.ProcessingGuarantees != AtLeastOnce {
		f.field("timeout_ms").fail("Pulsar's workers take it with atleast_once only.", "Leave it out.")
	}
}

// attempts refuses a dead-letter topic without a number of attempts, as Pulsar does.
func (f findings) attempts(c Component) {
	if c.DeadLetterTopic != "" && c.MaxMessageRetries == nil && c.Kind != KindSource {
		f.field("dead_letter_topic").fail("Nothing says after how many attempts a message goes there.",
			"Set max_message_retries, for example to 3; with 0 the first failure is the last.")
	}
}

// pathOf refuses settings that need the compatible path where the entry path is asked
// for, by name or by a guarantee that only it keeps.
func (f findings) pathOf(c Component) {
	effectively := c.ProcessingGuarantees == EffectivelyOnce
	if effectively && c.DataPath == CompatiblePath {
		f.field("data_path").fail(onceByMessages,
			`Leave it out, or use processing_guarantees = "atleast_once".`)
	}
	for _, need := range compatibleNeeds(c, nil) {
		at := f.below(need.path)
		switch {
		case effectively:
			at.fail(need.why+" effectively_once needs the entry path.", `Leave it out, or use processing_guarantees = "atleast_once".`)
		case c.DataPath == EntryPath:
			at.fail(need.why+` data_path = "entry" excludes it.`, "Leave data_path out.")
		}
	}
}

// numbered refuses effectively_once without batching: an input entry of many messages
// would become as many entries, and only so many can be numbered.
func (f findings) numbered(c Component) {
	if c.ProcessingGuarantees != EffectivelyOnce || c.Output == nil || c.Output.Producer == nil || c.Output.Producer.Batching == nil {
		return
	}
	if b := c.Output.Producer.Batching; b.Enabled != nil && !*b.Enabled {
		f.field("output").field("producer").field("batching").field("enabled").fail(
			"effectively_once numbers at most 256 entries that are made of one entry of the input, and without batching every message is an entry.",
			`Leave it out, or use processing_guarantees = "atleast_once".`)
	}
}

// CheckPath refuses connections that need the compatible path where a component needs
// the entry path. connections says why each needs it, "" where it does not.
func CheckPath(c Component, connections map[string]string) []Problem {
	f := newFindings()
	for _, need := range compatibleNeeds(Component{Inputs: c.Inputs, Output: c.Output}, connections) {
		at := f.below(need.path)
		if steps, err := ParsePath(need.path); err != nil || steps[len(steps)-1].Name != "connection" {
			continue
		}
		switch {
		case c.ProcessingGuarantees == EffectivelyOnce:
			at.fail(need.why+" effectively_once needs the entry path.", `Give the connection a token, or use processing_guarantees = "atleast_once".`)
		case c.DataPath == EntryPath:
			at.fail(need.why+` data_path = "entry" excludes it.`, "Leave data_path out, or give the connection a token.")
		}
	}
	return *f.all
}

// patterns refuses a topic by name beside a pattern: one that matches it as well would
// bring its messages twice.
func (f findings) patterns(c Component) {
	named := ""
	for _, topic := range SortedKeys(c.Inputs) {
		if !isTrue(c.Inputs[topic].Regex) {
			named = topic
			break
		}
	}
	if named == "" {
		return
	}
	const hint = "Keep either the names or the pattern, or declare two functions."
	if c.TopicsPattern != "" {
		f.field("topics_pattern").failf(hint, "It stands beside inputs[%q], a topic by name: what matches both would be read twice.", named)
	}
	for _, topic := range SortedKeys(c.Inputs) {
		if isTrue(c.Inputs[topic].Regex) {
			f.field("inputs").key(topic).field("regex").failf(hint, "It stands beside inputs[%q], a topic by name: what matches both would be read twice.", named)
		}
	}
}

// properties refuses consumerProperties that our runner has no meaning for.
func (f findings) properties(c Component) {
	for _, topic := range SortedKeys(c.Inputs) {
		at := f.field("inputs").key(topic).field("extra").key("consumerProperties")
		object, err := c.Inputs[topic].Extra["consumerProperties"].Object()
		if err != nil {
			continue // the type is reported by validation
		}
		for _, name := range SortedKeys(object) {
			one := at.below(at.at.entry(name))
			switch {
			case name != "readCompacted":
				one.fail("It tunes the Java client; our runner knows readCompacted.", "Leave it out.")
			case object[name] != "true" && object[name] != "false":
				one.fail("It is neither \"true\" nor \"false\".", "")
			case object[name] == "true" && !SubscriptionMode(c):
				one.fail("Pulsar reads compacted topics with failover and exclusive subscriptions only.", `Set subscription.type = "failover" or retain_ordering = true.`)
			}
		}
	}
}

// encryption checks cryptoConfig against what our runner can load.
func (f findings) encryption(c Component) {
	for _, topic := range SortedKeys(c.Inputs) {
		at := f.field("inputs").key(topic).field("extra").key(cryptoKey)
		at.crypto(c.Inputs[topic].Extra[cryptoKey], "consumerCryptoFailureAction", "defaultPrivateKey", "fail", "discard", "consume")
	}
	if c.Output != nil && c.Output.Producer != nil {
		at := f.field("output").field("producer").field("extra").key(cryptoKey)
		config := c.Output.Producer.Extra[cryptoKey]
		at.crypto(config, "producerCryptoFailureAction", "defaultPublicKey", "fail", "send")
		if crypto := cryptoOf(config, ""); crypto != nil && len(crypto.Keys) == 0 {
			at.field("encryptionKeys").fail("It names no key to encrypt with.", `Write encryptionKeys = ["name"].`)
		}
	}
}
