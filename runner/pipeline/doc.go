// Package pipeline moves batches from a Source through a Function into a Sink, lane
// by lane, and settles them: acknowledge, retry, dead-letter, drain. It owns the
// order of those steps, and with it the runner's invariants R1, R2 and R4 to R7.
//
// The interfaces it consumes are declared here; brokers, runtimes and connectors
// implement them and know nothing of each other. It performs no I/O of its own.
package pipeline
