// Package probe is what one instance tells about itself: health, readiness, status,
// Prometheus metrics with Pulsar's names and its InstanceControl service, on unix sockets
// or TCP ports. It observes
// the pipeline and keeps the last exceptions, with secrets masked (R9).
//
// It never influences what it observes: a probe that cannot be reached costs no
// message. Only runner/instance imports it.
package probe
