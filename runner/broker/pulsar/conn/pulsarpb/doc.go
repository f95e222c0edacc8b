// Package pulsarpb holds the messages of Pulsar's binary protocol that the runner speaks,
// generated from protocol.proto under names of our own. It never reads or writes frames:
// that is package conn. Packages below runner/broker/pulsar may import it.
package pulsarpb
