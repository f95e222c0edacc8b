// Package conn connects to the brokers of a Pulsar: look-ups, connections shared by all
// that talk to one broker, authentication, TLS, keep-alive, frames in and out, requests
// and their answers. Client.Connect names the broker that owns a topic and connects to
// it; whatever is lost after that (a closed consumer, a dead broker) leads there again.
//
// It never looks into an entry, never subscribes or produces by itself, never repeats a
// request, and no error or log line of it holds a token. Packages below
// runner/broker/pulsar may import it.
package conn
