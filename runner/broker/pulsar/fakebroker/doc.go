// Package fakebroker is a Pulsar broker for tests of faults that a real one cannot be
// made to have on demand: connections that end between two frames, receipts that do not
// come, refusals, entries delivered twice. It accepts everything unless the test answers
// otherwise, and stores nothing but what it was sent.
//
// It never ships in a program and proves nothing about a real broker: only tests of the
// packages beside it import it.
package fakebroker
