// Package topicname offers the provider's function topic_parse, which takes a topic's
// name apart. It is pure and offline. Only package provider imports it.
package topicname
