package wire

import (
	"crypto/sha256"
	"encoding/hex"
	"net/url"
	"strconv"
	"strings"
)

// PositionsBucket is the key-value bucket with the positions of failover subscriptions.
const PositionsBucket = "fm_positions"

// Keys of a stream's metadata.
const (
	MetaTopic          = "fm.topic"      // full name of the topic
	MetaPartitions     = "fm.partitions" // decimal; 0: unpartitioned
	MetaAuto           = "fm.auto"       // "true": made for a component, not asked for
	MetaOwner          = "fm.owner"      // owner mark
	MetaCreating       = "fm.creating"   // "true": its create has not finished
	MetaPropertyPrefix = "fm.property."  // before the name of a property of the topic
)

// HeaderFacts is the header of a message on NATS that holds all that is known of it
// beside its value, which is the payload. Without it: a value that is not null and nothing
// else. Its first character is FactsVersion; what follows is the runner's codec's.
const (
	HeaderFacts  = "Fm"
	FactsVersion = '1'
)

// Headers of a message as it was written before there was HeaderFacts.
const (
	HeaderKey            = "Fm-Key"        // base64, standard encoding
	HeaderEventTime      = "Fm-Event-Time" // ms since the epoch, decimal
	HeaderNull           = "Fm-Null"       // "1": the value is nil, not empty
	HeaderPropertyPrefix = "Fm-P-"         // before the escaped name of a property
)

// Position is the value of a position key: how far a failover subscription has read one
// partition, and who reads it. Every settle and every claim is a compare-and-set.
type Position struct {
	Sequence uint64 `json:"sequence"` // last stream sequence settled; 0: none
	Epoch    uint64 `json:"epoch"`    // raised by each claim
	Owner    string `json:"owner"`    // random, of the claimant
	// Subscription is whose position it is; a partition that was added later leaves it
	// to the first.
	Subscription string `json:"subscription,omitempty"`
}

const (
	subjectPrefix = "fm."
	hashLength    = 16 // hex digits
	prefixLength  = 64 // readable characters kept of a name
)

// StreamName names the stream of a topic: readable, unique, legal for NATS and for a
// file system.
func StreamName(fullTopic string) string { return unique(fullTopic) }

// Subject is where messages of one partition are published; 0 for an unpartitioned
// topic.
func Subject(fullTopic string, partition int) string {
	return subjectPrefix + hash(fullTopic) + "." + strconv.Itoa(partition)
}

// SubjectAll matches every partition of a topic.
func SubjectAll(fullTopic string) string { return subjectPrefix + hash(fullTopic) + ".*" }

// ConsumerName names the durable consumer of a shared subscription, within the stream.
func ConsumerName(subscription string) string { return unique(subscription) }

// PositionKey is the key of a failover subscription's position in one partition.
func PositionKey(topic, subscription string, partition int) string {
	return hash(topic) + "." + hash(subscription) + "." + strconv.Itoa(partition)
}

// PropertyHeader is the header that carries a property; its value is PropertyValue.
func PropertyHeader(name string) string { return HeaderPropertyPrefix + url.QueryEscape(name) }

// PropertyValue escapes a property's value for a header: whatever its bytes are, no
// line break leaves it.
func PropertyValue(value string) string { return url.QueryEscape(value) }

// ParseProperty reads a property back from a header; ok is false for other headers and
// for what PropertyHeader and PropertyValue never write.
func ParseProperty(header, value string) (name, text string, ok bool) {
	escaped, ok := strings.CutPrefix(header, HeaderPropertyPrefix)
	if !ok {
		return "", "", false
	}
	name, err := url.QueryUnescape(escaped)
	if err != nil {
		return "", "", false
	}
	text, err = url.QueryUnescape(value)
	return name, text, err == nil
}

func hash(s string) string {
	sum := sha256.Sum256([]byte(s))
	return hex.EncodeToString(sum[:])[:hashLength]
}

// unique makes a legal name that says where it comes from and is no other's.
func unique(s string) string { return strings.TrimPrefix(readable(s)+"-"+hash(s), "-") }

// readable keeps letters and digits of a name and joins them by dashes; of a topic the
// usual domain is left out.
func readable(s string) string {
	s = strings.TrimPrefix(s, "persistent://")
	var b strings.Builder
	for _, r := range s {
		if b.Len() == prefixLength {
			break
		}
		switch {
		case 'a' <= r && r <= 'z', 'A' <= r && r <= 'Z', '0' <= r && r <= '9', r == '_':
			b.WriteRune(r)
		default:
			b.WriteByte('-')
		}
	}
	return strings.Trim(b.String(), "-")
}
