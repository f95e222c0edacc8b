// Package broker is the local platform's embedded message broker, JetStream, and what
// the platform does to it: topics as streams, subscriptions as durable consumers or
// position keys, and the removal of what every subscription has acknowledged.
//
// Instances meet the broker over its loopback port with the runner's own client; this
// package never moves their messages. Only internal/local and its packages may import
// it.
package broker
