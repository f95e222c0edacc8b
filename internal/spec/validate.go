package spec

import (
	"fmt"
	"maps"
	"slices"
	"strings"
)

// ReservedProperty is the prefix of topic properties that are ours.
const ReservedProperty = "functionmesh."

// findings collects problems below one path.
type findings struct {
	at  Path
	all *[]Problem
}

func newFindings() findings { return findings{all: &[]Problem{}} }

func (f findings) below(at Path) findings { return findings{at: at, all: f.all} }

func (f findings) field(name string) findings { return f.below(f.at.Field(name)) }

func (f findings) key(name string) findings { return f.below(f.at.Key(name)) }

func (f findings) add(severity Severity, message, hint string) {
	*f.all = append(*f.all, Problem{Path: f.at, Severity: severity, Message: message, Hint: hint})
}

func (f findings) fail(message, hint string) { f.add(SeverityError, message, hint) }

func (f findings) failf(hint, format string, args ...any) {
	f.fail(fmt.Sprintf(format, args...), hint)
}

func (f findings) warn(message, hint string) { f.add(SeverityWarning, message, hint) }

// name checks a required name.
func (f findings) name(value string) {
	if err := checkName(value); err != nil {
		f.failf("", "The name %v.", err)
	}
}

// optionalName checks a name whose absence is a default.
func (f findings) optionalName(value string) {
	if value != "" {
		f.name(value)
	}
}

// oneOf checks an enum; "" is unset.
func (f findings) oneOf(value string, known ...string) {
	if value != "" && !slices.Contains(known, value) {
		f.failf("Use "+orList(known)+".", "%q is not known here.", value)
	}
}

// atLeast checks a number; nil is unset.
func atLeast[N int | int64](f findings, value *N, least N) {
	if value != nil && *value < least {
		f.failf(fmt.Sprintf("Use %d or more, or leave it out.", least), "%d is less than %d.", *value, least)
	}
}

// ValidateTenant returns everything wrong with a tenant.
func ValidateTenant(t Tenant) []Problem {
	f := newFindings()
	f.field("name").name(t.Name)
	for i, role := range t.AdminRoles {
		f.below(Path("admin_roles").Index(i)).notBlank(role)
	}
	for i, cluster := range t.AllowedClusters {
		f.below(Path("allowed_clusters").Index(i)).notBlank(cluster)
	}
	return *f.all
}

// ValidateNamespace returns everything wrong with a namespace.
func ValidateNamespace(n Namespace) []Problem {
	f := newFindings()
	f.field("tenant").optionalName(n.Tenant)
	f.field("name").name(n.Name)
	return *f.all
}

// ValidateTopic returns everything wrong with a topic.
func ValidateTopic(t Topic) []Problem {
	f := newFindings()
	f.field("tenant").optionalName(t.Tenant)
	f.field("namespace").optionalName(t.Namespace)
	f.field("name").localTopic(t.Name)
	atLeast(f.field("partitions"), t.Partitions, 0)
	if t.Partitions != nil && *t.Partitions > MaxPartitions {
		f.field("partitions").failf(fmt.Sprintf("Use %d or fewer.", MaxPartitions), "%d partitions are too many.", *t.Partitions)
	}
	for _, name := range SortedKeys(t.Properties) {
		at := f.field("properties").key(name)
		switch {
		case name == "":
			at.fail("A property needs a name.", "")
		case strings.HasPrefix(name, ReservedProperty):
			at.fail("Names that start with "+ReservedProperty+" are reserved.", "Choose another name.")
		}
	}
	return *f.all
}

func (f findings) localTopic(name string) {
	_, partition := cutPartition(name)
	switch err := checkLocalTopic(name); {
	case strings.Contains(name, "/"):
		f.failf("Give the last part only; tenant and namespace are attributes of their own.", "%q is not a local topic name.", name)
	case err != nil:
		f.failf("", "The name %v.", err)
	case partition != NoPartition:
		f.failf("Declare the topic without the suffix and set partitions.", "%q names one partition, not a topic.", name)
	}
}

func (f findings) notBlank(value string) {
	if strings.TrimSpace(value) == "" {
		f.fail("The value is empty.", "Give a value or leave the entry out.")
	}
}

// topic checks the name of a topic; "" is unset. It returns the name when it is one.
func (f findings) topic(c Component, value string) (TopicName, bool) {
	if value == "" {
		return TopicName{}, false
	}
	name, err := ParseTopic(value, c.Tenant, c.Namespace)
	if err != nil {
		f.fail(sentence(err.Error()), "Write orders, tenant/namespace/orders or persistent://tenant/namespace/orders.")
		return TopicName{}, false
	}
	return name, true
}

// sentence gives a message its capital and its full stop.
func sentence(s string) string {
	if s == "" {
		return s
	}
	return strings.ToUpper(s[:1]) + s[1:] + "."
}

func orList(words []string) string {
	switch len(words) {
	case 0:
		return "nothing"
	case 1:
		return words[0]
	default:
		return strings.Join(words[:len(words)-1], ", ") + " or " + words[len(words)-1]
	}
}

// ValidateMesh returns everything wrong with a mesh and its components, and warns of
// inputs that nothing in the mesh feeds. Validate before defaulting, so that paths
// carry the user's spelling of topics.
func ValidateMesh(m Mesh) []Problem {
	f := newFindings()
	f.field("tenant").optionalName(m.Tenant)
	f.field("namespace").optionalName(m.Namespace)
	f.field("name").name(m.Name)
	if len(m.Sources)+len(m.Functions)+len(m.Sinks) == 0 {
		f.fail("A mesh needs at least one component.", "Add to sources, functions or sinks.")
	}
	seen := map[string]Path{}
	for _, kind := range meshOrder() {
		components := m.Components(kind)
		for _, key := range SortedKeys(components) {
			at := f.below(MemberPath(kind, key))
			if first, taken := seen[key]; taken {
				at.failf("Component names are unique in a mesh; rename one.", "The name is taken by %s.", first)
			}
			seen[key] = at.at
			at.member(m, kind, key)
		}
	}
	if checkName(or(m.Tenant, DefaultTenant)) == nil && checkName(or(m.Namespace, DefaultNamespace)) == nil {
		m.warnUnfed(f)
	}
	return *f.all
}

// meshOrder lists the maps of a mesh as they are written: the way messages go.
func meshOrder() []Kind { return []Kind{KindSource, KindFunction, KindSink} }

// MemberPath is the path of a component in its mesh: functions["enrich"].
func MemberPath(kind Kind, key string) Path { return Path(kind + "s").Key(key) }

func (f findings) member(m Mesh, kind Kind, key string) {
	c := m.Components(kind)[key]
	full := MemberName(m.Name, key)
	switch err := checkName(key); {
	case err != nil:
		f.failf("", "The name of the component %v.", err)
	case len(full) > MaxName:
		f.failf("Shorten the name of the mesh or of the component.", "%q, the name it would run under, is %d bytes long, at most %d are allowed.", full, len(full), MaxName)
	}
	f.field("tenant").sameAs(c.Tenant, or(m.Tenant, DefaultTenant), "tenant")
	f.field("namespace").sameAs(c.Namespace, or(m.Namespace, DefaultNamespace), "namespace")
	f.field("name").sameAs(c.Name, key, "key")
	f.component(m.Member(kind, key, c))
}

func (f findings) sameAs(value, want, what string) {
	if value != "" && value != want {
		f.failf("Leave it out.", "%q differs from the %s of the component in the mesh, %q.", value, what, want)
	}
}

func (m Mesh) warnUnfed(f findings) {
	fed := m.fed()
	for _, kind := range meshOrder() {
		components := m.Components(kind)
		for _, key := range SortedKeys(components) {
			c := m.Member(kind, key, components[key])
			for _, topic := range SortedKeys(c.Inputs) {
				name, err := ParseTopic(topic, c.Tenant, c.Namespace)
				if err != nil || isTrue(c.Inputs[topic].Regex) || fed[name.Whole().String()] {
					continue
				}
				f.below(MemberPath(kind, key)).field("inputs").key(topic).warn(
					"Nothing in the mesh writes to this topic.",
					"That is fine when it is written from outside; else check the name of the topic.")
			}
		}
	}
}

// fed is the set of topics that some component of the mesh writes, by full name.
func (m Mesh) fed() map[string]bool {
	fed := map[string]bool{}
	for _, kind := range meshOrder() {
		for key, c := range m.Components(kind) {
			c = m.Member(kind, key, c)
			for topic := range maps.Values(c.Written()) {
				fed[topic.Whole().String()] = true
			}
		}
	}
	return fed
}

// Written lists the topics that a component writes, by the path of the attribute that
// names them: output.topic, dead_letter_topic, log_topic. What is no topic name is left
// out.
func (c Component) Written() map[Path]TopicName {
	written := map[Path]TopicName{}
	add := func(path Path, topic string) {
		if name, err := ParseTopic(topic, c.Tenant, c.Namespace); topic != "" && err == nil {
			written[path] = name
		}
	}
	if c.Output != nil {
		add("output.topic", c.Output.Topic)
	}
	add("dead_letter_topic", c.DeadLetterTopic)
	add("log_topic", c.LogTopic)
	return written
}

func isTrue(p *bool) bool { return p != nil && *p }
