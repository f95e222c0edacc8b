// Package nats reads from and writes to topics that live in JetStream: Source and Sink
// for the pipeline, Producer and Reader for tools.
//
// It never makes streams: the platform does, and a missing one is an error that says
// so. Names and headers come from internal/wire. runner/instance and the command line
// may import it.
package nats
