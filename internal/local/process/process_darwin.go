package process

import (
	"fmt"
	"syscall"

	"golang.org/x/sys/unix"
)

// States of <sys/proc.h>.
const (
	stopped = 4 // SSTOP
	zombie  = 5 // SZOMB
)

// Bound makes a child with its own process group. macOS knows no parent-death signal:
// the lifeline pipe ends the child.
func Bound() *syscall.SysProcAttr { return &syscall.SysProcAttr{Setpgid: true} }

// Identity names one process for ever: two processes with the same pid differ in it.
// ok is false when there is no such process, or only what its parent has not reaped.
func Identity(pid int) (id string, ok bool) {
	info, err := unix.SysctlKinfoProc("kern.proc.pid", pid)
	if err != nil || info.Proc.P_pid != int32(pid) || info.Proc.P_stat == zombie {
		return "", false
	}
	start := info.Proc.P_starttime
	return fmt.Sprintf("%d.%06d", start.Sec, start.Usec), true
}

// Stopped reports whether the process is suspended, as by SIGSTOP.
func Stopped(pid int) bool {
	info, err := unix.SysctlKinfoProc("kern.proc.pid", pid)
	return err == nil && info.Proc.P_pid == int32(pid) && info.Proc.P_stat == stopped
}
