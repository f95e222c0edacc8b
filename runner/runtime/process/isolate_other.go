//go:build !unix

package process

import "os/exec"

// isolate keeps the default: the process alone is ended.
func isolate(*exec.Cmd) {}

// killGroup has no group to end.
func killGroup(*exec.Cmd) {}
