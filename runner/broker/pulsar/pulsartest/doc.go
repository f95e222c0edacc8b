// Package pulsartest gives tests a real Pulsar: the one that the environment names, a
// standalone or a cluster of their own that can be stopped, killed and frozen, topics
// filled with numbered messages, and checks of what became of them. What it reads and
// writes goes through Pulsar's own Go client, so that it judges ours independently; only
// entries that this one would never write go through ours.
//
// It never ships in a program: only tests and the benchmark import it.
package pulsartest
