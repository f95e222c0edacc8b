// Package instancetest turns a test binary into the program that runs an instance, so
// that tests can kill it. It starts nothing by itself. Only tests import it.
package instancetest
