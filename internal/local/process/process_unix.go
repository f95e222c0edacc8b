//go:build linux || darwin

package process

import (
	"errors"
	"os"
	"strconv"
	"syscall"

	"golang.org/x/sys/unix"
)

// Supported reports whether the local platform runs on this system.
const Supported = true

// Detached makes a daemon: a session of its own, so that no terminal and no process
// group of the caller reaches it.
func Detached() *syscall.SysProcAttr { return &syscall.SysProcAttr{Setsid: true} }

// Signal sends sig to every process of the group.
func Signal(group int, sig syscall.Signal) error {
	if group <= 1 {
		return syscall.EINVAL // 0 and -1 would mean ourselves and everybody
	}
	err := syscall.Kill(-group, sig)
	if errors.Is(err, syscall.ESRCH) {
		return nil
	}
	return err
}

// GroupExists reports whether any process of the group is left.
func GroupExists(group int) bool {
	return group > 1 && !errors.Is(syscall.Kill(-group, 0), syscall.ESRCH)
}

// Exited reaps the child pid without blocking and reports whether it has ended.
func Exited(pid int) bool {
	var ws syscall.WaitStatus
	got, err := syscall.Wait4(pid, &ws, syscall.WNOHANG, nil)
	return got == pid || errors.Is(err, syscall.ECHILD)
}

// KeepDescriptorsPrivate marks every descriptor above standard error as closed on
// exec. A shell or a build tool may have handed some down to us; a daemon that
// inherited them would keep their readers waiting for end-of-file.
func KeepDescriptorsPrivate() error {
	entries, err := os.ReadDir("/dev/fd")
	if err != nil {
		return err
	}
	for _, e := range entries {
		fd, err := strconv.Atoi(e.Name())
		if err != nil || fd < 3 {
			continue
		}
		flags, err := unix.FcntlInt(uintptr(fd), unix.F_GETFD, 0)
		if err != nil || flags&unix.FD_CLOEXEC != 0 {
			continue // gone already (the directory's own), or private
		}
		if _, err := unix.FcntlInt(uintptr(fd), unix.F_SETFD, flags|unix.FD_CLOEXEC); err != nil {
			return err
		}
	}
	return nil
}

// Owner returns the user id that owns the file.
func Owner(info os.FileInfo) (int, bool) {
	st, ok := info.Sys().(*syscall.Stat_t)
	if !ok {
		return 0, false
	}
	return int(st.Uid), true
}

// Inode identifies a file's content between two looks at it.
func Inode(info os.FileInfo) uint64 {
	if st, ok := info.Sys().(*syscall.Stat_t); ok {
		return st.Ino
	}
	return 0
}

// NoSpace reports whether err says that a disk or a quota is full.
func NoSpace(err error) bool {
	return errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT) || errors.Is(err, syscall.EFBIG)
}

// Terminate asks one process to end.
func Terminate(pid int) error { return syscall.Kill(pid, syscall.SIGTERM) }

// Full reports whether the file system of dir has next to no space left.
func Full(dir string) bool {
	var st unix.Statfs_t
	if unix.Statfs(dir, &st) != nil {
		return false
	}
	return st.Bavail*uint64(st.Bsize) < 1<<20 //nolint:gosec // the size of a block is positive
}
