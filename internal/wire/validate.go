package wire

import (
	"fmt"
	"path/filepath"
	"slices"
	"strings"

	"github.com/functionmesh/terraform-provider-functionmesh/internal/spec"
)

// checker collects problems of a file.
type checker struct {
	file     File
	problems []spec.Problem
}

func (c *checker) require(ok bool, path spec.Path, format string, args ...any) {
	if !ok {
		c.problems = append(c.problems, spec.Problem{Path: path, Severity: spec.SeverityError, Message: fmt.Sprintf(format, args...)})
	}
}

func (c *checker) present(path spec.Path, value string) {
	c.require(value != "", path, "It is missing.")
}

func (c *checker) oneOf(path spec.Path, value string, known ...string) {
	c.require(slices.Contains(known, value), path, "%q is not known; known are %s.", value, strings.Join(known, ", "))
}

func (c *checker) atLeast(path spec.Path, value, least int64) {
	c.require(value >= least, path, "%d is less than %d.", value, least)
}

func (c *checker) absolute(path spec.Path, value string) {
	c.require(filepath.IsAbs(value), path, "%q is not an absolute path.", value)
}

// validate returns everything wrong with a file of the current version.
func validate(f File) []spec.Problem {
	c := &checker{file: f}
	c.identity()
	c.source()
	c.function()
	c.sink()
	c.delivery()
	c.limits()
	c.require(f.Probe == "" || validProbe(f.Probe), "probe", "%q is neither unix:/path nor host:port.", f.Probe)
	c.absolute("work_dir", f.WorkDir)
	if f.BaseDir != "" {
		c.absolute("base_dir", f.BaseDir)
	}
	if f.CacheDir != "" {
		c.absolute("cache_dir", f.CacheDir)
	}
	return c.problems
}

func validProbe(probe string) bool {
	if path, unix := strings.CutPrefix(probe, "unix:"); unix {
		return filepath.IsAbs(path)
	}
	i := strings.LastIndexByte(probe, ':')
	return i >= 0 && probe[i+1:] != "" && strings.Trim(probe[i+1:], "0123456789") == ""
}

func (c *checker) identity() {
	component, instance := c.file.Component, c.file.Instance
	c.oneOf("component.kind", component.Kind, string(spec.KindFunction), string(spec.KindSource), string(spec.KindSink))
	c.present("component.tenant", component.Tenant)
	c.present("component.namespace", component.Namespace)
	c.present("component.name", component.Name)
	c.atLeast("instance.parallelism", int64(instance.Parallelism), 1)
	c.require(instance.ID >= 0 && (instance.ID < instance.Parallelism || instance.Parallelism < 1),
		"instance.id", "%d is not one of %d instances.", instance.ID, instance.Parallelism)
	for _, name := range spec.SortedKeys(c.file.Brokers) {
		at := spec.Path("brokers").Key(name)
		c.oneOf(at.Field("kind"), c.file.Brokers[name].Kind, "nats")
		c.present(at.Field("url"), c.file.Brokers[name].URL)
	}
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
	seen := map[string]bool{}
	for i, input := range source.Inputs {
		at := spec.Path("source.inputs").Index(i)
		c.topic(at, input.Broker, input.Topic, input.Partitions)
		c.atLeast(at.Field("queue_size"), int64(input.QueueSize), 0)
		c.require(!seen[input.Topic], at.Field("topic"), "%q is there twice.", input.Topic)
		seen[input.Topic] = true
	}
	if len(source.Inputs) > 0 {
		c.present("source.subscription.name", source.Subscription.Name)
		c.oneOf("source.subscription.mode", string(source.Subscription.Mode), string(Shared), string(Failover))
		if source.Subscription.Position != "" {
			c.oneOf("source.subscription.position", source.Subscription.Position, string(spec.Latest), string(spec.Earliest))
		}
	}
}

func (c *checker) connector(at spec.Path, connector *Connector) {
	if connector == nil {
		return
	}
	c.present(at.Field("name"), connector.Name)
	c.object(at.Field("config"), connector.Config)
}

func (c *checker) object(at spec.Path, text string) {
	if _, err := spec.JSON(text).Object(); err != nil {
		c.require(false, at, "It is %v.", err)
	}
}

func (c *checker) topic(at spec.Path, broker, topic string, partitions int) {
	_, known := c.file.Brokers[broker]
	c.require(known, at.Field("broker"), "There is no broker %q.", broker)
	name, err := spec.ParseTopic(topic, "", "")
	c.require(err == nil && name.String() == topic && name.Partition == spec.NoPartition, at.Field("topic"), "%q is not the full name of a topic.", topic)
	c.atLeast(at.Field("partitions"), int64(partitions), 0)
}

func (c *checker) output(at spec.Path, output *Output) {
	if output != nil {
		c.topic(at, output.Broker, output.Topic, output.Partitions)
	}
}

func (c *checker) function() {
	f := c.file.Function
	if f == nil {
		return
	}
	c.oneOf("function.runtime", f.Runtime, "wasm", "python", "go")
	c.absolute("function.file", f.File)
	c.require(len(f.SHA256) == 64 && strings.Trim(f.SHA256, "0123456789abcdef") == "", "function.sha256", "It is not a hex SHA-256.")
	c.require(f.Class != "" || f.Runtime != "python", "function.class", "It is missing.")
	c.object("function.user_config", f.UserConfig)
}

func (c *checker) sink() {
	sink := c.file.Sink
	c.require(sink.Connector == nil || sink.Output == nil, "sink.output", "A sink has a connector or an output, not both.")
	c.connector("sink.connector", sink.Connector)
	c.output("sink.output", sink.Output)
}

func (c *checker) delivery() {
	delivery := c.file.Delivery
	c.oneOf("delivery.guarantee", delivery.Guarantee, string(spec.AtLeastOnce), string(spec.AtMostOnce))
	c.atLeast("delivery.max_retries", int64(delivery.MaxRetries), 0)
	c.atLeast("delivery.backoff_ms", delivery.BackoffMs, 0)
	c.atLeast("delivery.max_backoff_ms", delivery.MaxBackoffMs, delivery.BackoffMs)
	c.output("delivery.dead_letter", delivery.DeadLetter)
}

func (c *checker) limits() {
	limits := c.file.Limits
	c.atLeast("limits.batch_messages", int64(limits.BatchMessages), 1)
	c.atLeast("limits.batch_bytes", limits.BatchBytes, 1)
	c.atLeast("limits.in_flight_bytes", limits.InFlightBytes, 1)
	c.atLeast("limits.call_timeout_ms", limits.CallTimeoutMs, 0)
	c.atLeast("limits.memory_bytes", limits.MemoryBytes, 0)
	c.atLeast("limits.grace_ms", limits.GraceMs, 0)
}
