package process

import (
	"os"

	"golang.org/x/sys/unix"
)

// enlarge asks for a pipe of n bytes and returns what it has: users have a share of
// pipe memory, and beyond it a pipe stays as it is.
func enlarge(pipe *os.File, n int) int {
	got := defaultPipe
	raw, err := pipe.SyscallConn()
	if err != nil {
		return got
	}
	_ = raw.Control(func(fd uintptr) {
		if size, err := unix.FcntlInt(fd, unix.F_SETPIPE_SZ, n); err == nil {
			got = size
		}
	})
	return got
}
