// Package command is the command line: a noun, then a verb. It turns flags and files
// into calls of the same engines that the Terraform provider uses, against the
// embedded platform or against a Pulsar admin API, and prints what they return.
//
// It decides nothing about objects itself: defaults, validation, comparison and
// writing are the engine's and the catalogue's. It never ends the process and reads
// no global state; everything it touches comes in through Options. Only main may
// import it.
package command
