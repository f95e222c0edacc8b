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

func (c *checker) optionalFile(path spec.Path, value string) {
	if value != "" {
		c.absolute(path, value)
	}
}

// validate returns everything wrong with a file of the current version.
func validate(f File) []spec.Problem {
	c := &checker{file: f}
	c.identity()
	c.brokers()
	c.source()
	c.function()
	c.sink()
	c.delivery()
	c.limits()
	c.output("log_topic", f.LogTopic)
	if f.Path != "" {
		c.oneOf("path", string(f.Path), string(EntryPath), string(CompatiblePath))
	}
	c.require(f.Probe == "" || validProbe(f.Probe), "probe", "%q is neither unix:/path nor host:port.", f.Probe)
	c.require(f.Control == "" || validProbe(f.Control), "control", "%q is neither unix:/path nor host:port.", f.Control)
	c.absolute("work_dir", f.WorkDir)
	c.optionalFile("base_dir", f.BaseDir)
	c.optionalFile("cache_dir", f.CacheDir)
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
	c.oneOf("delivery.guarantee", delivery.Guarantee,
		string(spec.AtLeastOnce), string(spec.AtMostOnce), string(spec.EffectivelyOnce), string(spec.Manual))
	if delivery.Guarantee == string(spec.EffectivelyOnce) {
		c.effectively()
	}
	c.atLeast("delivery.epoch", delivery.Epoch, 0)
	c.atLeast("delivery.max_retries", int64(delivery.MaxRetries), 0)
	c.atLeast("delivery.backoff_ms", delivery.BackoffMs, 0)
	c.atLeast("delivery.max_backoff_ms", delivery.MaxBackoffMs, delivery.BackoffMs)
	c.output("delivery.dead_letter", delivery.DeadLetter)
}

func (c *checker) limits() {
	limits := c.file.Limits
	c.atLeast("limits.batch_messages", int64(limits.BatchMessages), 1)
	c.atLeast("limits.claim_messages", int64(limits.ClaimMessages), 0)
	c.atLeast("limits.batch_bytes", limits.BatchBytes, 1)
	c.atLeast("limits.in_flight_bytes", limits.InFlightBytes, 1)
	c.atLeast("limits.call_timeout_ms", limits.CallTimeoutMs, 0)
	c.atLeast("limits.memory_bytes", limits.MemoryBytes, 0)
	c.atLeast("limits.grace_ms", limits.GraceMs, 0)
}
