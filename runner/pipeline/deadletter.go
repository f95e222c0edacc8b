package pipeline

import (
	"maps"
	"strconv"
	"time"
	"unicode/utf8"
)

// Properties of a dead letter, beside those of the original message. Key, value and
// event time are the original's.
const (
	DeadTopic        = "Fm-Original-Topic"     // full name
	DeadPartition    = "Fm-Original-Partition" // a number from 0
	DeadID           = "Fm-Original-Id"        // the broker's id of the message
	DeadSubscription = "Fm-Subscription"       // whose subscription gave up
	DeadReason       = "Fm-Reason"             // text of the last failure, at most 1 KiB
	DeadAttempts     = "Fm-Attempts"           // how often the function was tried
	DeadTime         = "Fm-Time"               // when it was given up, RFC 3339 in UTC
)

// reasonLimit keeps a dead letter within what the broker takes.
const reasonLimit = 1 << 10

// deadLetter is the message that stands for in. What user code says of a failure may
// hold its secrets, and a topic is kept (R9).
func (l *lane) deadLetter(in *Message, reason error, attempts int) Message {
	p := make(map[string]string, len(in.Properties)+7)
	maps.Copy(p, in.Properties)
	p[DeadTopic] = in.Topic
	p[DeadPartition] = strconv.Itoa(in.Partition)
	p[DeadID] = in.ID()
	p[DeadSubscription] = l.Subscription
	p[DeadReason] = clip(l.Mask(reason.Error()), reasonLimit)
	p[DeadAttempts] = strconv.Itoa(attempts)
	p[DeadTime] = time.Now().UTC().Format(time.RFC3339Nano)
	return Message{Key: in.Key, Value: in.Value, Properties: p, EventTime: in.EventTime, Cause: in}
}

// clip cuts s to at most n bytes between characters.
func clip(s string, n int) string {
	if len(s) <= n {
		return s
	}
	for n > 0 && !utf8.RuneStart(s[n]) {
		n--
	}
	return s[:n]
}
