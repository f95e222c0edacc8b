// Package pulsar reads from and writes to an Apache Pulsar entry by entry: Source and
// Sink for the pipeline. A batch that a producer stored is decoded once, goes through the
// function as it is and becomes one entry again.
//
// It never makes topics or subscriptions that the broker would not make by itself, and
// never passes an entry over in silence: what it cannot read is reported. What only
// Pulsar's own client can do is in package compatible, behind the same options.
// runner/instance, package compatible and the command line may import it.
package pulsar
