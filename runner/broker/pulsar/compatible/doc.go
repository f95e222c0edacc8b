// Package compatible reads from and writes to an Apache Pulsar with Pulsar's own Go
// client, message by message: Source and Sink for the pipeline, behind the options of
// package pulsar. It serves what that package leaves to the client: regular expressions
// over topics, encryption, chunked messages, OAuth2.
//
// Where both support a setting they behave alike, but for what the client does not tell:
// binary keys come as the base64 text they are stored as, an empty key is none, a batch
// of one message looks like a plain one, a batch entry that is malformed is passed over
// whole, and a subscription that is deleted under a consumer is made again in silence. It
// never offers effectively-once: the client cuts batches by time, so that a replay would
// be numbered differently. Only runner/instance and the command line import it.
package compatible
