// Package faults holds the tests that break things: instances with wire files, in
// processes of their own, on a real Pulsar, while instances are killed, brokers restart,
// topics move and grow, and parallelism changes. What became of every message is judged
// by Pulsar's own client. It has no code of its own and nothing imports it.
package faults
