// Package instance runs one copy of one component from one wire file: it checks the
// file and the code, builds source, function and sink, serves the probe, runs the
// pipeline and drains it. Every program that runs components calls it: the runner,
// the CLI's run verb and the child of the local supervisor.
//
// It never exits the process, reads no environment and knows no platform; the
// caller maps its error to an exit code with ExitCode.
package instance
