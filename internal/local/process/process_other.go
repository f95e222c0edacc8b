//go:build !linux && !darwin

package process

import (
	"errors"
	"os"
	"syscall"
)

// Supported reports whether the local platform runs on this system.
const Supported = false

// Detached is inert here.
func Detached() *syscall.SysProcAttr { return nil }

// Bound is inert here.
func Bound() *syscall.SysProcAttr { return nil }

// Identity is inert here.
func Identity(int) (string, bool) { return "", false }

// Signal is refused here.
func Signal(int, syscall.Signal) error { return errors.ErrUnsupported }

// GroupExists is inert here.
func GroupExists(int) bool { return false }

// Exited is inert here.
func Exited(int) bool { return false }

// Stopped is inert here.
func Stopped(int) bool { return false }

// KeepDescriptorsPrivate is refused here.
func KeepDescriptorsPrivate() error { return errors.ErrUnsupported }

// Owner is inert here.
func Owner(os.FileInfo) (int, bool) { return 0, false }

// Inode is inert here.
func Inode(os.FileInfo) uint64 { return 0 }

// NoSpace is inert here.
func NoSpace(error) bool { return false }

// Terminate is refused here.
func Terminate(int) error { return errors.ErrUnsupported }

// Full is inert here.
func Full(string) bool { return false }
