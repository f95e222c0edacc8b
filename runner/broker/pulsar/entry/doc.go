// Package entry is the codec of broker entries, the unit in which a Pulsar stores,
// deduplicates, delivers and acknowledges messages: one message alone or a batch of
// them, with one checksum and one compression. It decodes deliveries and encodes sends
// without allocating per message, because that is what the whole data path costs.
//
// It is pure: it opens no connection, keeps no state between entries but its buffers,
// and never decides what becomes of a defect, only names it. Everything below
// runner/broker/pulsar may import it; nothing else needs to.
package entry
