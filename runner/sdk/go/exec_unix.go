//go:build unix && !wasip1

package function

import "syscall"

// closeOnExec keeps the frames from programs that user code starts.
func closeOnExec(fd int) { syscall.CloseOnExec(fd) }
