// Package wire is the one versioned file that a platform writes and a runner reads,
// and the names both derive from a topic and a subscription: streams, subjects,
// durable consumers and position keys.
//
// The file holds secrets and is written with mode 0600. Version N reads N-1; golden
// files hold both. It is pure: reading and writing files is the
// caller's. Platforms and the runner may import it.
package wire
