// Package runnertest holds the conformance suites that every Source, Function and Sink
// passes, and doubles of all three.
//
// It never ships in a program: only tests import it.
package runnertest
