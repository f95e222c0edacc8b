// Package connection keeps how Pulsar clusters are reached: each connection in a file
// of mode 0600, under a key that is a digest of what is no secret in it, with a token
// that was handed over by value in a file of its own beside it. Two projects that mean
// different clusters, or different roles, never share a key; one whose token was
// rotated keeps it.
//
// It never speaks with a Pulsar and never prints a token. Only internal/local and its
// packages may import it.
package connection
