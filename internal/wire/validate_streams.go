package wire

import (
	"net/url"
	"regexp"
	"strings"

	"github.com/functionmesh/terraform-provider-functionmesh/internal/spec"
)

// Kinds of broker.
const (
	KindNATS   = "nats"
	KindPulsar = "pulsar"
)

func (c *checker) brokers() {
	for _, name := range spec.SortedKeys(c.file.Brokers) {
		at, b := spec.Path("brokers").Key(name), c.file.Brokers[name]
		switch b.Kind {
		case KindNATS:
			c.require(b.URL == "" || strings.HasPrefix(b.URL, "nats://"), at.Field("url"), "It is not a URL like nats://host:4222.")
			c.natsOnly(at, b)
		case KindPulsar:
			c.require(b.URL == "" || validService(b.URL), at.Field("url"), "It is not a URL like pulsar://host:6650 or pulsar+ssl://host:6651.")
			c.pulsar(at, b)
		default:
			c.oneOf(at.Field("kind"), b.Kind, KindNATS, KindPulsar)
		}
		c.present(at.Field("url"), b.URL)
		c.optionalFile(at.Field("ca_file"), b.CAFile)
		c.optionalFile(at.Field("cert_file"), b.CertFile)
		c.optionalFile(at.Field("key_file"), b.KeyFile)
		c.optionalFile(at.Field("token_file"), b.TokenFile)
	}
}

// natsOnly refuses what only a Pulsar has.
func (c *checker) natsOnly(at spec.Path, b Broker) {
	for _, f := range []struct {
		name string
		set  bool
	}{
		{"admin_url", b.AdminURL != ""},
		{"token", b.Token != ""},
		{"token_file", b.TokenFile != ""},
		{"cert_file", b.CertFile != ""},
		{"key_file", b.KeyFile != ""},
		{"insecure", b.Insecure},
		{"any_hostname", b.AnyHostname},
		{"listener_name", b.ListenerName != ""},
		{"oauth2", b.OAuth2 != nil},
	} {
		c.require(!f.set, at.Field(f.name), "A broker of kind nats has none.")
	}
}

func (c *checker) pulsar(at spec.Path, b Broker) {
	c.require(b.User == "", at.Field("user"), "A broker of kind pulsar has none.")
	c.require(b.Password == "", at.Field("password"), "A broker of kind pulsar has none.")
	ways := 0
	for _, used := range []bool{b.Token != "", b.TokenFile != "", b.OAuth2 != nil} {
		if used {
			ways++
		}
	}
	c.require(ways < 2, at.Field("token"), "At most one of token, token_file and oauth2 may be there.")
	c.require((b.CertFile == "") == (b.KeyFile == ""), at.Field("cert_file"), "cert_file and key_file go together.")
	c.require(b.AdminURL == "" || validHTTP(b.AdminURL), at.Field("admin_url"), "It is not a URL like http://host:8080.")
	if b.OAuth2 != nil {
		c.require(validHTTP(b.OAuth2.IssuerURL), at.Field("oauth2.issuer_url"), "It is not an http or https URL.")
		c.absolute(at.Field("oauth2.key_file"), b.OAuth2.KeyFile)
		c.require(c.file.Path == CompatiblePath, at.Field("oauth2"), "It needs the path %q.", CompatiblePath)
	}
}

// validService takes one scheme and hosts with ports, separated by commas.
func validService(text string) bool {
	rest, plain := strings.CutPrefix(text, "pulsar://")
	rest, secure := strings.CutPrefix(rest, "pulsar+ssl://")
	if plain == secure {
		return false
	}
	for host := range strings.SplitSeq(strings.TrimSuffix(rest, "/"), ",") {
		u, err := url.Parse("pulsar://" + host)
		if err != nil || u.Hostname() == "" || u.Port() == "" || u.Host != host {
			return false
		}
	}
	return true
}

func validHTTP(text string) bool {
	u, err := url.Parse(text)
	return err == nil && (u.Scheme == "http" || u.Scheme == "https") && u.Host != "" && u.User == nil
}

func (c *checker) source() {
	source := c.file.Source
	switch {
	case source.Connector == nil && len(source.Inputs) == 0:
		c.require(false, "source", "It has neither connector nor inputs.")
	case source.Connector != nil && len(source.Inputs) > 0:
		c.require(false, "source.inputs", "A source has a connector or inputs, not both.")
	}
	c.connector("source.connector", source.Connector)
	seen := map[[2]string]bool{}
	for i, input := range source.Inputs {
		at := spec.Path("source.inputs").Index(i)
		c.input(at, input)
		key := [2]string{input.Broker, input.Topic}
		c.require(!seen[key], at.Field("topic"), "%q is there twice.", input.Topic)
		seen[key] = true
	}
	if len(source.Inputs) > 0 {
		c.subscription(source)
	}
}

func (c *checker) input(at spec.Path, input Input) {
	c.atLeast(at.Field("queue_size"), int64(input.QueueSize), 0)
	c.crypto(at.Field("crypto"), input.Crypto, "fail", "discard", "consume")
	if c.kindOf(input.Broker) == KindNATS {
		c.require(!input.Pattern, at.Field("pattern"), "A broker of kind nats has none.")
		c.require(!input.Compacted, at.Field("compacted"), "A broker of kind nats has none.")
		c.require(input.Crypto == nil, at.Field("crypto"), "A broker of kind nats has none.")
	}
	if !input.Pattern {
		c.topic(at, input.Broker, input.Topic, input.Partitions)
		return
	}
	c.broker(at, input.Broker)
	c.require(c.file.Path == CompatiblePath, at.Field("pattern"), "It needs the path %q.", CompatiblePath)
	_, err := regexp.Compile(input.Topic)
	c.require(err == nil && input.Topic != "", at.Field("topic"), "It is not a regular expression.")
}

func (c *checker) subscription(source Source) {
	const at = spec.Path("source.subscription")
	s := source.Subscription
	c.present(at.Field("name"), s.Name)
	known := allModes()
	for _, input := range source.Inputs {
		if c.kindOf(input.Broker) == KindNATS {
			known = []string{string(Shared), string(Failover)}
			c.require(!s.SkipToLatest, at.Field("skip_to_latest"), "A broker of kind nats has none.")
			break
		}
	}
	c.oneOf(at.Field("mode"), string(s.Mode), known...)
	if s.Position != "" {
		c.oneOf(at.Field("position"), s.Position, string(spec.Latest), string(spec.Earliest))
	}
	c.atLeast(at.Field("nack_delay_ms"), s.NackDelayMs, 0)
	c.require(s.Mode != Exclusive || c.file.Instance.Parallelism < 2, at.Field("mode"),
		"%q allows one instance, not %d.", s.Mode, c.file.Instance.Parallelism)
}

func allModes() []string {
	return []string{string(Shared), string(Failover), string(KeyShared), string(Exclusive)}
}

func (c *checker) kindOf(broker string) string { return c.file.Brokers[broker].Kind }

func (c *checker) broker(at spec.Path, name string) {
	_, known := c.file.Brokers[name]
	c.require(known, at.Field("broker"), "There is no broker %q.", name)
}

func (c *checker) topic(at spec.Path, broker, topic string, partitions int) {
	c.broker(at, broker)
	name, err := spec.ParseTopic(topic, "", "")
	c.require(err == nil && name.String() == topic && name.Partition == spec.NoPartition, at.Field("topic"), "%q is not the full name of a topic.", topic)
	c.atLeast(at.Field("partitions"), int64(partitions), 0)
}

func (c *checker) output(at spec.Path, output *Output) {
	if output == nil {
		return
	}
	c.topic(at, output.Broker, output.Topic, output.Partitions)
	if output.Producer == nil {
		return
	}
	p, at := *output.Producer, at.Field("producer")
	c.require(c.kindOf(output.Broker) != KindNATS, at, "A broker of kind nats has none.")
	if p.Compression != "" {
		c.oneOf(at.Field("compression"), p.Compression, spec.Compressions()...)
	}
	c.atLeast(at.Field("max_pending"), int64(p.MaxPending), 0)
	c.crypto(at.Field("crypto"), p.Crypto, "fail", "send")
	if b := p.Batching; b != nil {
		at = at.Field("batching")
		c.atLeast(at.Field("delay_ms"), b.DelayMs, 0)
		c.atLeast(at.Field("max_messages"), int64(b.MaxMessages), 0)
		c.atLeast(at.Field("max_bytes"), int64(b.MaxBytes), 0)
		if b.Builder != "" {
			c.oneOf(at.Field("builder"), b.Builder, spec.BatchBuilders()...)
		}
	}
}

func (c *checker) crypto(at spec.Path, crypto *Crypto, failures ...string) {
	if crypto == nil {
		return
	}
	c.require(c.file.Path == CompatiblePath, at, "It needs the path %q.", CompatiblePath)
	c.optionalFile(at.Field("public_key_file"), crypto.PublicKeyFile)
	c.optionalFile(at.Field("private_key_file"), crypto.PrivateKeyFile)
	if crypto.Failure != "" {
		c.oneOf(at.Field("failure"), crypto.Failure, failures...)
	}
}

// effectively checks what the numbering of outputs by input entries stands on (R3).
func (c *checker) effectively() {
	const at = spec.Path("delivery.guarantee")
	mode := c.file.Source.Subscription.Mode
	c.require(mode == Failover || mode == Exclusive, at, "%q needs a subscription of mode %q or %q.", spec.EffectivelyOnce, Failover, Exclusive)
	c.require(c.file.Path != CompatiblePath, at, "%q needs the path %q.", spec.EffectivelyOnce, EntryPath)
}
