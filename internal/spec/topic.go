package spec

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Domains of a topic name.
const (
	Persistent    = "persistent"
	NonPersistent = "non-persistent"
)

// NoPartition is TopicName.Partition of a name that means the whole topic.
const NoPartition = -1

const partitionSuffix = "-partition-"

// ErrTopicName is wrapped by every error of ParseTopic.
var ErrTopicName = errors.New("not a topic name")

// TopicName is a topic's name in its parts. Make one with NewTopicName or ParseTopic:
// the zero value means partition 0 of nothing.
type TopicName struct {
	Domain    string // persistent, non-persistent
	Tenant    string
	Namespace string
	Local     string // without the partition suffix
	Partition int    // NoPartition: the whole topic
}

// NewTopicName names a whole persistent topic. It checks nothing.
func NewTopicName(tenant, namespace, local string) TopicName {
	return TopicName{Domain: Persistent, Tenant: tenant, Namespace: namespace, Local: local, Partition: NoPartition}
}

// ParseTopic reads `orders`, `tenant/namespace/orders` and either with
// `persistent://` or `non-persistent://` before the three-part form. A name of one part
// lies in the given tenant and namespace, empty ones meaning public and default. A
// `-partition-N` suffix names one partition.
func ParseTopic(s, tenant, namespace string) (TopicName, error) {
	name := NewTopicName(or(tenant, DefaultTenant), or(namespace, DefaultNamespace), s)
	domain, rest, qualified := strings.Cut(s, "://")
	if qualified {
		if domain != Persistent && domain != NonPersistent {
			return TopicName{}, fmt.Errorf("%w: %q starts with %q, only persistent:// and non-persistent:// are known", ErrTopicName, s, domain+"://")
		}
		name.Domain = domain
	} else {
		rest = s
	}
	switch parts := strings.Split(rest, "/"); {
	case len(parts) == 3:
		name.Tenant, name.Namespace, name.Local = parts[0], parts[1], parts[2]
	case len(parts) == 1 && !qualified:
	default:
		return TopicName{}, fmt.Errorf("%w: %q is neither topic, tenant/namespace/topic nor persistent://tenant/namespace/topic", ErrTopicName, s)
	}
	name.Local, name.Partition = cutPartition(name.Local)
	if err := name.check(); err != nil {
		return TopicName{}, fmt.Errorf("%w: %q: %w", ErrTopicName, s, err)
	}
	return name, nil
}

// cutPartition splits the suffix of one partition off. Only the spelling that String
// writes counts: `-partition-01` is a part of the name, as it is for Pulsar.
func cutPartition(local string) (string, int) {
	i := strings.LastIndex(local, partitionSuffix)
	if i <= 0 {
		return local, NoPartition
	}
	digits := local[i+len(partitionSuffix):]
	n, err := strconv.Atoi(digits)
	if err != nil || n < 0 || strconv.Itoa(n) != digits {
		return local, NoPartition
	}
	return local[:i], n
}

func (t TopicName) check() error {
	if err := checkName(t.Tenant); err != nil {
		return fmt.Errorf("tenant %w", err)
	}
	if err := checkName(t.Namespace); err != nil {
		return fmt.Errorf("namespace %w", err)
	}
	if err := checkLocalTopic(t.Local); err != nil {
		return fmt.Errorf("local name %w", err)
	}
	return nil
}

// String is the full name: persistent://tenant/namespace/local, with the suffix of its
// partition if it has one.
func (t TopicName) String() string {
	return t.Domain + "://" + t.Tenant + "/" + t.Namespace + "/" + t.local()
}

// Short is the shortest spelling that ParseTopic reads back in the same tenant and
// namespace: the local name, tenant/namespace/local, or the full name when the topic
// is not persistent.
func (t TopicName) Short(tenant, namespace string) string {
	switch {
	case t.Domain != Persistent:
		return t.String()
	case t.Tenant == or(tenant, DefaultTenant) && t.Namespace == or(namespace, DefaultNamespace):
		return t.local()
	default:
		return t.Tenant + "/" + t.Namespace + "/" + t.local()
	}
}

// Whole is the topic without the partition.
func (t TopicName) Whole() TopicName {
	t.Partition = NoPartition
	return t
}

func (t TopicName) local() string {
	if t.Partition < 0 {
		return t.Local
	}
	return t.Local + partitionSuffix + strconv.Itoa(t.Partition)
}

// FullName is the full name of the topic: persistent://tenant/namespace/name.
func (t Topic) FullName() string {
	return NewTopicName(or(t.Tenant, DefaultTenant), or(t.Namespace, DefaultNamespace), t.Name).String()
}

// Limits of names, in bytes. They leave room for what is derived from a name: file
// names, `<mesh>-<component>`, `<topic>-<subscription>-DLQ`.
const (
	MaxName      = 128
	MaxTopicName = 512
)

// checkName holds a tenant, namespace, component or mesh name to Pulsar's rule for
// named entities.
func checkName(s string) error {
	switch {
	case s == "":
		return errors.New("is empty")
	case len(s) > MaxName:
		return fmt.Errorf("is %d bytes long, at most %d are allowed", len(s), MaxName)
	case s == "." || s == "..":
		return fmt.Errorf("%q cannot be a part of a URL", s)
	}
	for _, r := range s {
		if !isNameRune(r) {
			return fmt.Errorf("contains %q, allowed are letters, digits and - _ . : =", r)
		}
	}
	return nil
}

func isNameRune(r rune) bool {
	return 'a' <= r && r <= 'z' || 'A' <= r && r <= 'Z' || '0' <= r && r <= '9' || strings.ContainsRune("-_.:=", r)
}

// checkLocalTopic allows what Pulsar allows in the last part of a topic name: nearly
// everything but a slash.
func checkLocalTopic(s string) error {
	switch {
	case strings.TrimSpace(s) == "":
		return errors.New("is empty")
	case len(s) > MaxTopicName:
		return fmt.Errorf("is %d bytes long, at most %d are allowed", len(s), MaxTopicName)
	case s == "." || s == "..":
		return fmt.Errorf("%q cannot be a part of a URL", s)
	case !utf8.ValidString(s):
		return errors.New("is not UTF-8")
	}
	for _, r := range s {
		if r == '/' || unicode.IsControl(r) {
			return fmt.Errorf("contains %q", r)
		}
	}
	return nil
}

func or(s, fallback string) string {
	if s == "" {
		return fallback
	}
	return s
}
