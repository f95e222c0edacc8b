// Package subscription is one consumer on the topic of one partition. It keeps itself
// subscribed over lost connections, unloads and brokers that die, bounds what it holds
// by bytes and messages, and hands out whole entries, malformed ones included.
//
// It never acknowledges anything by itself, never opens more of an entry than its
// metadata and compression, and never hides what it had to do to go on: that is
// reported. Packages below runner/broker/pulsar may import it.
package subscription
