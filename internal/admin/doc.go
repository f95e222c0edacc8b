// Package admin drives tenants, namespaces, topics, functions, sources and sinks over
// the Pulsar admin REST API: a real Pulsar, our gateway or, over its unix socket, the
// local platform. It never logs and remembers
// nothing between calls but the name of a cluster.
//
// Authentication, transport, tenants, namespaces and topics are pulsaradmin's; the
// models of functions and connectors are pulsarform's, because pulsaradmin's lose and
// invent settings. Front ends may import it.
package admin
