// Package redrive sends dead letters to the topics that they came from, over any Source
// and Sink: each letter is acknowledged once its message is stored again.
//
// It never drops a letter: one that names no origin, or that the origin refuses, stays
// in the subscription. The command line may import it.
package redrive
