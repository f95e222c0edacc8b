// Package acceptance holds end-to-end tests and nothing else: the built binary, the
// real terraform and the real daemon, driven as a user drives them. Every test has a
// data directory of its own, and leaves no process behind.
//
// It contains no code to import, and nobody imports it.
package acceptance
